"""Budget: one budget key (one model group of one organisation), reserved job by job.

Joins the parts: a job goes when the circuit lets it, when every bucket holds what it needs, and, unless it is
interactive, when the pace is due. Each part states its own mathematics. Pure: time and jitter are arguments."""

from __future__ import annotations

import math
from typing import Final

from headway.core.backlog import Backlog
from headway.core.breaker import JITTER, RAMP_DOUBLING, REFUSED_DOUBLING, Breaker, Circuit
from headway.core.buckets import INPUT, LOOK_AGAIN, OUTPUT, REQUESTS, Buckets
from headway.core.budget_status import BudgetStatus
from headway.core.concurrency import Concurrency
from headway.core.learner import Learner
from headway.core.limits import LimitReport, Limits
from headway.core.meter import Meter
from headway.core.outputs import Outputs
from headway.core.pace import Pace, pace_of
from headway.core.patience import PAUSE
from headway.core.reservation import (
    Cost,
    Refusal,
    RefusalKind,
    Reservation,
    Used,
    Wait,
    WaitReason,
)
from headway.core.scouts import Scouts

__all__ = [
    "Budget",
    "BudgetStatus",
    "Cost",
    "Refusal",
    "RefusalKind",
    "Reservation",
    "Used",
    "Wait",
    "WaitReason",
]

AGAIN: Final = (0.1, 0.4)
"""Seconds a refused job waits without a Retry-After: at least, and jitter. The mirror decides on the rest."""
RETRY_JITTER: Final = 0.1
"""Of a Retry-After, on top of it: refused together, not back together."""


class Budget:
    """The budget of one key. Mutable, single-threaded, deterministic."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._share = limits.share
        self._buckets = Buckets(now)
        self._outputs = Outputs(now)
        self._pace = Pace()
        self._learner = Learner(now)
        self._breaker = Breaker(now)
        self._concurrency = Concurrency()
        self._meter = Meter(now)
        self._at = now
        self._seq = 0
        self._scouts = Scouts()
        self.in_flight = 0
        self.rate_limited = 0
        self.overloaded = 0
        self.succeeded = 0
        self.set_limits(limits, now)

    def set_limits(self, limits: Limits, now: float) -> None:
        """Follow what the user tells; a limit that a header has told stays until the next header."""
        self._touch(now)
        self._share = limits.share
        self._buckets.tell(limits)
        self._buckets.drain(self._outputs)

    def reserve(
        self,
        cost: Cost,
        now: float,
        *,
        interactive: bool = False,
        backlog: Backlog | None = None,
        jitter: float = 0.5,
    ) -> Reservation | Wait:
        """Take what a job costs that is sent now, or say when to ask again.

        ``backlog``: what else is queued on this budget, if known: what it cannot use up is not kept.
        ``jitter``: 0..1, spreads those who wait for the same circuit.
        """
        self._touch(now)
        breaker = self._breaker
        shut = breaker.seconds(now, urgent=interactive)
        if shut > 0:
            reason = WaitReason.CIRCUIT if breaker.state is Circuit.OPEN else WaitReason.PROBE
            surely = breaker.seconds(now, urgent=True) if reason is WaitReason.CIRCUIT else 0.0
            return Wait.within(shut * (1 + RETRY_JITTER * jitter), reason, surely=surely)
        if not self._concurrency.allows(self.in_flight):
            return Wait.within(self._outputs.next_end, WaitReason.CONCURRENCY)
        buckets = self._buckets
        due = 0.0
        if not interactive:
            buckets.keep(backlog, cost, self._outputs)
            due = self._due()
        short, scarcest = buckets.short_of(cost, self._outputs, interactive=interactive)
        if due > 0 and due >= short:
            return Wait.within(due, WaitReason.PACE)
        if short > 0:
            return Wait.within(short, scarcest)
        return self._take(cost, now, interactive)

    def observe(self, reservation: Reservation, report: LimitReport, now: float) -> None:
        """The headers of a reply came: at its first byte for a scout, at its end for most."""
        if reservation.ended:
            return
        self._touch(now)
        self._answer(reservation)
        self._hear(reservation, report, now)

    def settle(self, reservation: Reservation, usage: Used, now: float) -> None:
        """The job succeeded, and cost this."""
        if reservation.ended:
            return
        self._touch(now)
        self._answer(reservation)
        self._end(reservation)
        self.succeeded += 1
        estimate = reservation.cost.input
        self._outputs.finish(usage.output, now - reservation.taken_at)
        self._buckets.refund(INPUT, estimate - usage.input)
        self._meter.add(INPUT, usage.input - estimate)
        self._meter.add(OUTPUT, usage.output)
        self._learner.settle(self._meter.settle(estimate, usage))
        self._buckets.drain(self._outputs)

    def release(self, reservation: Reservation, now: float) -> None:
        """The job was turned away before any work, and cost nothing."""
        if reservation.ended:
            return
        self._touch(now)
        self._end(reservation)
        self._give_back(reservation, now)

    def forfeit(self, reservation: Reservation, now: float) -> None:
        """Nobody knows what became of the job: what was taken stays taken."""
        if reservation.ended:
            return
        self._touch(now)
        self._end(reservation)
        self._outputs.abandon()
        self._buckets.drain(self._outputs)

    def refuse(self, reservation: Reservation, refusal: Refusal, now: float, *, jitter: float) -> float:
        """A 429 or 529 came: learn from it and release. Returns seconds the job should wait at least."""
        least = max(refusal.retry_after or 0.0, 0.0)
        if reservation.ended:
            return least
        self._touch(now)
        self._hear(reservation, refusal.report, now)
        in_flight = self.in_flight
        self._end(reservation)
        self._give_back(reservation, now)
        if refusal.kind is RefusalKind.CONCURRENCY:
            self._concurrency.refuse(reservation.seq, self._seq, in_flight)
        if refusal.kind is RefusalKind.OVERLOAD:
            self.overloaded += 1
            seconds = now - reservation.taken_at
            self._breaker.overload(now, seconds, least, probe=reservation.probe, jitter=jitter)
            again = PAUSE * (1 - JITTER + 2 * JITTER * jitter)
        else:
            self.rate_limited += 1
            self._limited(reservation, refusal, least, now)
            again = AGAIN[0] + AGAIN[1] * jitter
        return max(least * (1 + RETRY_JITTER * jitter), again)

    @property
    def max_in_flight(self) -> float | None:
        """The learned bound of jobs in flight; None: none is known."""
        return self._concurrency.limit

    def status(self, now: float) -> BudgetStatus:
        """This budget at this moment, for people."""
        self._touch(now)
        ceiling = self._breaker.ceiling
        return BudgetStatus(
            dimensions=self._buckets.status(self._meter),
            circuit=self._breaker.state,
            ceiling=None if math.isinf(ceiling) else ceiling,
            pace=min(pace_of(self._buckets.paced), ceiling),
            jobs_per_second=self._learner.rate * self._share if self._learning else None,
            in_flight=self.in_flight,
            max_in_flight=self._concurrency.limit,
            mean_output=self._outputs.mean,
            output_speed=self._outputs.speed,
            feedback=self._buckets.feedback.lag,
            share=self._share,
            rate_limited=self.rate_limited,
            overloaded=self.overloaded,
            succeeded=self.succeeded,
        )

    @property
    def _learning(self) -> bool:
        """Whether the rate is learned from 429s: nobody tells any limit."""
        return not self._buckets.paced

    def _touch(self, now: float) -> None:
        dt = now - self._at
        if dt <= 0:
            return
        self._at = now
        buckets = self._buckets
        buckets.touch(now, idle=not self.in_flight)
        allowed = self._breaker.touch(now)
        self._pace.advance(buckets.paced, dt, allowed)
        if self._learning:
            self._learner.advance(dt, allowed, self._share)
        self._outputs.touch(now)
        self._meter.touch(now)

    def _due(self) -> float:
        """Seconds until the pace lets one more job go."""
        pace = self._pace
        owed = pace.debt - pace.slack
        due = self._learner.seconds(self._share) if self._learning else 0.0
        if owed > 0:
            due = max(
                due, min(pace.seconds(self._buckets.paced), LOOK_AGAIN), self._breaker.seconds_to_pay(owed)
            )
        return due

    def _take(self, cost: Cost, now: float, interactive: bool) -> Reservation:
        self._seq += 1
        marks, seconds = self._buckets.charge(cost, self._outputs, now)
        if not interactive:
            self._pace.charge(seconds)
        work = self._meter.send(cost)
        self._learner.send(work)
        self._outputs.start(cost.max_output)
        self._buckets.drain(self._outputs)
        self.in_flight += 1
        probe = self._breaker.send(now)
        if interactive:
            self._buckets.expect_urgent(cost, now)
        taken = Reservation(
            self._seq, cost, now, interactive=interactive, probe=probe, marks=marks, work=work
        )
        taken.scout = self.in_flight > 1 and self._scouts.choose(now)  # to one alone news are no use
        return taken

    def _answer(self, reservation: Reservation) -> None:
        """The server took the job."""
        if not reservation.answered:
            reservation.answered = True
            self._breaker.succeed(probe=reservation.probe)
            self._concurrency.succeed()

    def _end(self, reservation: Reservation) -> None:
        reservation.ended = True
        self.in_flight -= 1
        if reservation.probe:
            self._breaker.leave()

    def _give_back(self, reservation: Reservation, now: float) -> None:
        cost = reservation.cost
        self._buckets.refund(REQUESTS, cost.requests)
        self._buckets.refund(INPUT, cost.input)
        self._meter.add(REQUESTS, -cost.requests)
        self._meter.add(INPUT, -cost.input)
        self._outputs.refuse(now - reservation.taken_at)
        self._learner.take_back(reservation.work)
        self._buckets.drain(self._outputs)

    def _hear(self, reservation: Reservation, report: LimitReport, now: float) -> None:
        """Follow the headers of a reply, unless those of a later job have been followed."""
        buckets = self._buckets
        if report:
            self._scouts.report()
        if report and buckets.feedback.hear(reservation.seq, reservation.taken_at, now):
            buckets.hear(report, reservation.marks, now)
            self._pace.hear(buckets.paced)
            buckets.drain(self._outputs)

    def _limited(self, reservation: Reservation, refusal: Refusal, least: float, now: float) -> None:
        """Learn from a 429: of a limit we did not know, of growing too sharply, or of none but this job."""
        seconds, probe, cost = now - reservation.taken_at, reservation.probe, reservation.cost
        if refusal.kind is RefusalKind.CONCURRENCY:
            if not self.in_flight:  # one at a time is too many: only time will help
                self._breaker.overload(now, seconds, least, probe=True, jitter=0.5)
            return
        if self._learning:
            self._meter.refused(cost)
            big = self._learner.refuse(now, cost.input / max(self._meter.mean_input, 1e-9))
            self._breaker.trip(now, seconds, least, probe=probe, big=big, urgent=reservation.interactive)
        elif refusal.kind is RefusalKind.RAMP:
            self._breaker.refuse(now, seconds, least, probe=probe, doubling=RAMP_DOUBLING)
        elif not self._buckets.explains(cost):
            self._breaker.refuse(now, seconds, least, probe=probe, doubling=REFUSED_DOUBLING)
