"""A client: one process with its own budget, driven as the dispatcher drives it."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from headway.core.backlog import Backlog
from headway.core.budget import Budget, Cost, Refusal, RefusalKind, Used, Wait
from headway.core.limits import NO_REPORT, LimitReport, Limits
from simulation.engine import Engine
from simulation.server import Server


@dataclass(slots=True)
class Job:
    """A request with what it will turn out to be."""

    input: float
    output: float
    estimate: float
    max_output: float
    speed: float
    first_byte: float
    interactive: bool = False
    born: float = 0.0
    tries: int = 0
    delay: Delay | None = None
    """Interactive jobs: when last sent."""


@dataclass(frozen=True)
class Network:
    """Delays in seconds."""

    there: tuple[float, float] = (0.03, 0.06)
    rejection: float = 0.12
    heard: str = "scouts"
    """Whose headers are heard at the first byte: those of "scouts", as headway ships; of "all" answers; or of
    "none", as through a client that cannot tell early."""


LOOK: Final = 0.005
"""Seconds between two looks at whether the server would take an interactive job that waits."""


@dataclass(frozen=True, slots=True)
class Delay:
    """How long an interactive job waited, in seconds."""

    whole: float = 0.0
    """From its arrival to the sending of the attempt that was taken."""
    own: float = 0.0
    """The part of it in which the server would have taken the job: what a client that knows the server's mind
    would not have waited."""


class Client:
    """FIFO bulk, retries in between, interactive first."""

    def __init__(
        self,
        engine: Engine,
        server: Server,
        limits: Limits,
        jobs: Iterator[Job],
        network: Network,
        rng: random.Random,
        *,
        count: int | None,
        peek: Callable[[], float] | None = None,
    ) -> None:
        self.engine, self.server, self.network, self.rng = engine, server, network, rng
        self.jobs, self.left = jobs, count
        self.budget = Budget(limits, engine.now)
        self.head: Job | None = None
        self.due: list[tuple[float, int, Job]] = []
        self.late = 0
        self.urgent: deque[Job] = deque()
        self.wake_at = -1.0
        self.started: list[float] = []
        self.first_bytes: list[float] = []
        self.delays: list[Delay] = []
        self.waiting: dict[int, float] = {}
        """Interactive jobs that no server has taken yet: own delay so far."""
        self.finished = 0
        self.bulk_finished = 0
        self.count = count
        self.urgent_output = 0.0
        self.sent = 0
        self.sizes = 0.0
        self.refused = 0
        self.overloaded = 0
        self.refusals: list[float] = []
        self.taken: list[tuple[float, float]] = []
        self.busy = 0.0
        self.asks = 0
        self.on_done: Callable[[], None] | None = None

    def interact(self, job: Job) -> None:
        """An interactive job arrives."""
        job.born = self.engine.now
        job.interactive = True
        self.urgent.append(job)
        self.waiting[id(job)] = 0.0
        self.pump()
        self.engine.after(LOOK, self._watch, job)

    def _watch(self, job: Job) -> None:
        """Count the time in which an interactive job waits although the server would take it."""
        if id(job) not in self.waiting:
            return
        if self.server.admits(self.engine.now, job.input):
            self.waiting[id(job)] += LOOK
        self.engine.after(LOOK, self._watch, job)

    def pump(self) -> None:
        """Send whatever may go."""
        now = self.engine.now
        while True:
            job, put_back = self._next(now)
            if job is None:
                if self.due:
                    self._wake(self.due[0][0] - now)
                return
            behind = None if self.left is None else self.left + len(self.due)
            backlog = None if behind is None else Backlog(behind, behind * self.sizes / max(self.sent, 1))
            self.asks += 1
            outcome = self.budget.reserve(
                Cost(job.estimate, job.max_output),
                now,
                interactive=job.interactive,
                backlog=backlog,
                jitter=self.rng.random(),
            )
            if isinstance(outcome, Wait):
                put_back()
                self._wake(outcome.seconds)
                return
            self.sent += 1
            self.sizes += job.estimate
            if job.interactive:
                job.delay = Delay(now - job.born, self.waiting[id(job)])
            job.tries += 1
            low, high = self.network.there
            self.engine.after(self.rng.uniform(low, high), self._arrive, job, outcome)

    def _next(self, now: float) -> tuple[Job | None, Callable[[], None]]:
        if self.urgent:
            job = self.urgent.popleft()
            return job, lambda: self.urgent.appendleft(job)
        if self.due and self.due[0][0] <= now:
            entry = heapq.heappop(self.due)
            return entry[2], lambda: heapq.heappush(self.due, entry)
        if self.head is None and (self.left is None or self.left > 0):
            self.head = next(self.jobs)
            if self.left is not None:
                self.left -= 1
        job, self.head = self.head, None

        def put_back() -> None:
            self.head = job

        return job, put_back

    def _wake(self, seconds: float) -> None:
        at = self.engine.now + seconds
        if self.wake_at > self.engine.now and self.wake_at <= at:
            return
        self.wake_at = at
        self.engine.after(seconds, self._woken, at)

    def _woken(self, at: float) -> None:
        if at == self.wake_at:
            self.wake_at = -1.0
            self.pump()

    def _arrive(self, job: Job, reservation: object) -> None:
        now = self.engine.now
        refusal = self.server.ask(now, job.input)
        if refusal:
            self.engine.after(self.network.rejection * 0.6, self._refused, job, reservation, refusal)
            return
        self.taken.append((now, job.input))
        if job.delay:
            self.delays.append(job.delay)
            del self.waiting[id(job)]
        report = self.server.report(now) if self.server.rules.moment == "admission" else None
        self.engine.after(job.first_byte, self._first_byte, job, reservation, report)

    def _first_byte(self, job: Job, reservation: object, report: LimitReport | None) -> None:
        now = self.engine.now
        if report is None:
            report = self.server.report(now)
        writing = job.output / job.speed
        if writing > 0:
            self.server.write(now, job.speed)
        back = self.rng.uniform(*self.network.there)
        heard = self.network.heard
        if heard == "all" or (heard == "scouts" and reservation.scout):  # type: ignore[attr-defined]
            self.engine.after(back, self._observe, reservation, report)
            report = NO_REPORT
        self.engine.after(writing, self._written, job, reservation, report)

    def _written(self, job: Job, reservation: object, report: LimitReport) -> None:
        if job.output > 0:
            self.server.write(self.engine.now, -job.speed)
        self.server.leave()
        self.engine.after(self.rng.uniform(*self.network.there), self._ended, job, reservation, report)

    def _observe(self, reservation: object, report: LimitReport) -> None:
        self.budget.observe(reservation, report, self.engine.now)  # type: ignore[arg-type]
        self.pump()

    def _ended(self, job: Job, reservation: object, report: LimitReport) -> None:
        now = self.engine.now
        if report:
            self.budget.observe(reservation, report, now)  # type: ignore[arg-type]
        self.budget.settle(reservation, Used(job.input, job.output), now)  # type: ignore[arg-type]
        self.finished += 1
        if job.interactive:
            self.urgent_output += job.output
        else:
            self.bulk_finished += 1
        self.pump()
        if self.on_done and self.bulk_finished == self.count:
            self.on_done()

    def _refused(self, job: Job, reservation: object, refusal: Refusal) -> None:
        now = self.engine.now
        if refusal.kind is RefusalKind.OVERLOAD:
            self.overloaded += 1
        else:
            self.refused += 1
            self.refusals.append(now)
        least = self.budget.refuse(reservation, refusal, now, jitter=self.rng.random())  # type: ignore[arg-type]
        self.late += 1
        heapq.heappush(self.due, (now + least, self.late, job))
        self.pump()
