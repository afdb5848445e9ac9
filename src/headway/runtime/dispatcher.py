"""The one place that waits: it takes the next job, reserves its budget and starts its attempt.

Late binding: a job takes its budget at the moment of sending, never while it waits. Pop, reserve, put back:
when the budget says no, the job returns to its place and the lane sleeps for as long as the budget said.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
from anyio.lowlevel import checkpoint

from headway.core.budget import Cost, Wait
from headway.core.events import JobEvent
from headway.core.failure import Failure
from headway.core.job import Priority
from headway.core.last_wave import expected_length
from headway.core.tokens import TokenEstimator
from headway.ports import BudgetKey, BudgetStore, Grant
from headway.runtime.budget_lane import SHELF, TOO_LATE, Lane
from headway.runtime.clock import loop_time
from headway.runtime.gate import Gate
from headway.runtime.handle import Job
from headway.runtime.purse import Purse
from headway.runtime.shelf import Shelf
from headway.runtime.till import Till

if TYPE_CHECKING:
    from anthropic.types import Message

PASSED: Final = "the deadline passed while the job was queued"
BREATH: Final = 32
"""Jobs taken in a row before the event loop gets a turn: a full bucket must not block it."""


class Dispatcher:
    """Queues in front, budgets behind; never more than ``max_in_flight`` attempts at a time."""

    def __init__(
        self,
        budgets: BudgetStore,
        *,
        max_in_flight: int,
        weights: Mapping[str, float],
        start: Callable[[Job[Message], Grant], None],
        expire: Callable[[Job[Message], str], None],
    ) -> None:
        self._budgets = budgets
        self._weights = weights
        self._start = start
        self._expire = expire
        self._lanes: dict[BudgetKey, Lane] = {}
        self._estimators: dict[str, TokenEstimator] = {}
        self._wake = anyio.Event()
        self._hand: Job[Message] | None = None
        """The job for which the budget is being asked: neither queued nor running."""
        self.till: Till | None = None
        """Where attempts are paid for, under a spend cap."""
        self.gate = Gate(max_in_flight)
        self.shelf = Shelf(self._lanes, self._lane_of, self._wake_up)
        self.before_turn: Callable[[Job[Message]], None] = lambda _: None
        """Called with a job that is about to be sent: its request may still be amended."""

    def charge(
        self,
        purse: Purse | None,
        *,
        halt: Callable[[Failure], None],
        finish: Callable[[Job[Message], JobEvent], None],
    ) -> None:
        """Have every attempt paid for, if spending has a cap."""
        if purse is not None:
            self.till = Till(purse, halt=halt, discard=self.discard, finish=finish)

    def push(self, job: Job[Message]) -> None:
        """Queue a job, new or back for a retry."""
        lane, now = self._lane_of(job), loop_time()
        if reason := lane.hopeless(job, self._budgets, now):
            self._expire(job, reason)
            return
        lane.enter(job, now)
        if job.record.priority is Priority.INTERACTIVE:
            lane.rouse()  # it need not wait for the pace that made bulk wait
        self._wake.set()

    def _lane_of(self, job: Job[Message]) -> Lane:
        lane = self._lanes.get(job.budget_key)
        if lane is None:
            lane = self._lanes[job.budget_key] = Lane(job.budget_key, self._weights)
        request = job.record.sending
        job.entry.cost = max(1.0, self.estimator(request.model).estimate(job.size))
        job.entry.length = expected_length(job.entry.cost, request.max_tokens)
        return lane

    def discard(self, job: Job[Message]) -> bool:
        """Take a queued job out; false if it is not queued."""
        if (lane := self._lanes.get(job.budget_key)) is None:
            return False
        if self._hand is job:
            self._put_down(job)
        return lane.queue.discard(job.entry)

    def clear(self) -> list[Job[Message]]:
        """Take out all queued jobs."""
        if self._hand is not None:
            self._put_down(self._hand)
        return [entry.item for lane in self._lanes.values() for entry in lane.queue.clear()]

    def withdraw(self, unwanted: Callable[[Job[Message]], bool]) -> list[Job[Message]]:
        """Take out the queued jobs that ``unwanted`` names."""
        if self._hand is not None and unwanted(self._hand):
            self._put_down(self._hand)
        return [entry.item for lane in self._lanes.values() for entry in lane.queue.remove(unwanted)]

    def _put_down(self, job: Job[Message]) -> None:
        """Back into its queue: whoever asks the budget for it finds its hand empty."""
        self._hand = None
        self._lanes[job.budget_key].queue.push(job.entry, loop_time())

    def ended(self, job: Job[Message], key: BudgetKey) -> None:
        """An attempt of a job is over: a slot is free, and this budget has learned something."""
        self.gate.leave(job, loop_time())
        if self.till is not None and self.till.short:  # there may be money now
            self.till.short = False
            for other in self._lanes.values():
                other.rouse()
        if lane := self._lanes.get(key):
            lane.running -= 1
            lane.rouse()
        self._wake.set()

    def _wake_up(self) -> None:
        self._wake.set()

    def wake(self) -> None:
        """Look again, because limits or bounds were changed."""
        for lane in self._lanes.values():
            lane.rouse()
            lane.shut_until, lane.judged_at = 0.0, -math.inf
        self._wake.set()

    def estimator(self, model: str) -> TokenEstimator:
        """The token estimate of a model."""
        found = self._estimators.get(model)
        if found is None:
            found = self._estimators[model] = TokenEstimator()
        return found

    @property
    def queued(self) -> int:
        """Jobs that wait, retries included."""
        return sum(len(lane.queue) for lane in self._lanes.values()) + (self._hand is not None)

    @property
    def waiting(self) -> int:
        """Jobs that wait for their retry to fall due."""
        return sum(lane.queue.waiting() for lane in self._lanes.values())

    async def run(self) -> None:
        """Dispatch until cancelled."""
        while True:
            self._wake = anyio.Event()
            next_at = await self._round()
            with anyio.CancelScope(deadline=next_at):
                await self._wake.wait()

    async def _round(self) -> float:
        """Start everything that may start now; returns when to look again."""
        next_at, now = float("inf"), loop_time()
        # Slots are shared: what falls free goes where priority and age say, not to the first lane every time.
        for lane in sorted(self._lanes.values(), key=lambda lane: lane.queue.rank(now)):
            next_at = min(next_at, await self._serve(lane))
        now = loop_time()
        pause = self.gate.seconds(now)
        return min(next_at, now + pause) if pause else next_at

    async def _serve(self, lane: Lane) -> float:
        taken = 0
        while True:
            now = loop_time()
            self._drop_expired(lane, now)
            lane.release_overdue(now)
            if lane.wake_at > now or self.gate.is_full:
                break
            lane.queue.long_jobs_first(lane.running)
            entry = lane.queue.pop(now)
            if entry is None:
                break
            if self.gate.shuts_out(entry.item, now):
                lane.queue.push(entry, now)
                break
            self._prepare(lane, entry.item)
            if waiting := lane.put_aside(entry.item, now):
                if waiting >= SHELF:
                    break
            elif not await self._offer(lane, entry.item, now):
                break
            taken += 1
            if taken % BREATH == 0:
                await checkpoint()
        return lane.next_look(now)

    def _prepare(self, lane: Lane, job: Job[Message]) -> None:
        known = job.prefixes
        self.before_turn(job)
        if job.prefixes is not known:
            lane.warmth.meet(job.prefixes)

    async def _offer(self, lane: Lane, job: Job[Message], now: float) -> bool:
        """Ask the budget for a job taken from the queue, and start it; false when the lane has to wait.

        The answer may take a round trip. Meanwhile the job may have been taken back (cancelled, halted: it has
        left `_hand`), its deadline may have passed, or something may have changed that makes a "wait" stale.
        """
        self._hand, news = job, lane.news
        try:
            answer = await self._reserve(lane, job, now)
        except BaseException:  # a store that fails must not lose the job in hand
            if self._hand is job:
                self._hand = None
                lane.queue.push(job.entry, now)
            raise
        now = loop_time()
        mine = self._hand is job
        late = mine and job.entry.deadline is not None and job.entry.deadline <= now
        self._hand = None
        if not isinstance(answer, Wait):
            if mine and not late:
                self.gate.enter(job, now)
                lane.running += 1
                self._start(job, lane.hold(job, answer, now, self._wake_up))
                return True
            answer.release(now)
        if late:
            self._expire(job, PASSED)
        if not mine or late or not isinstance(answer, Wait):
            return True
        lane.queue.push(job.entry, now)
        if lane.news != news:
            return True
        lane.wake_at = now + answer.seconds
        lane.shut_until = now + answer.surely
        self._drop_expired(lane, now)
        return False

    async def _reserve(self, lane: Lane, job: Job[Message], now: float) -> Grant | Wait:
        request = job.record.sending
        cost = Cost(self.estimator(request.model).estimate(job.size), float(request.max_tokens))
        ask = partial(
            self._budgets.reserve,
            lane.key,
            cost,
            now,
            interactive=job.record.priority is Priority.INTERACTIVE,
            backlog=lane.queue.backlogs.all.less(lane.queue.shelves.count()),
            jitter=random.random(),  # noqa: S311 - jitter, not a secret
        )
        return await (ask() if self.till is None else self.till.reserve(job, ask))

    def _drop_expired(self, lane: Lane, now: float) -> None:
        for entry in lane.queue.expired(max(now, lane.shut_until)):
            late = entry.deadline is not None and entry.deadline <= now
            self._expire(entry.item, PASSED if late else f"{TOO_LATE}: the API is not asked before that")


def queued_for(dispatcher: Dispatcher, key: BudgetKey) -> int:
    """Jobs that wait for this budget."""
    lane = dispatcher._lanes.get(key)  # pyright: ignore[reportPrivateUsage] - part of it
    return 0 if lane is None else len(lane.queue)
