"""What a caller holds: `Job`, and `Outcome` once it has ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar, cast

import anyio

from headway.core.flat_result import flatten
from headway.core.job import Attempt, JobRecord, JobState
from headway.core.queue_entry import Entry
from headway.core.tokens import PromptSize
from headway.errors import JobCancelledError, SchedulerClosedError, job_error
from headway.runtime.clock import running_loop
from headway.runtime.ended import Ended
from headway.runtime.inspector import UNSEEN, Inspected
from headway.runtime.terms import USUAL, Terms

if TYPE_CHECKING:
    from anthropic.types import Message

    from headway.core.cache_prefix import CachePrefix
    from headway.core.lane import Lane
    from headway.core.outcome import Ending
    from headway.core.request import Request
    from headway.core.usage import Usage
    from headway.ports import BudgetKey, Grant
    from headway.preflight.finding import Finding
    from headway.runtime.batches.open_batch import OpenBatch

MessageT = TypeVar("MessageT", bound="Message", covariant=True)
log: Final = logging.getLogger("headway")


class Caller(Protocol):
    """A caller that makes the attempts of its job itself (a stream, a client's call): not journalled."""

    def take(self, grant: Grant) -> None:
        """The job's turn has come."""
        ...

    async def interrupted(self) -> None:
        """The job was cut off during a turn, and the caller may be elsewhere."""
        ...


class Payment(Protocol):
    """What one attempt of a job costs, under a spend cap."""

    def pay_broken(self, used: Usage) -> None:
        """Its answer broke off when so much had been used: to be said before its grant ends."""
        ...


class Interrupt(Enum):
    """Why a running attempt was cut off from outside."""

    CANCELLED = "cancelled"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Outcome(Ended, Generic[MessageT]):
    """How a job ended. ``state`` is succeeded, failed, cancelled or expired: never anything else."""

    ending: Ending
    request: Request
    source: MessageT | Callable[[], MessageT] | None = field(default=None, repr=False)
    """The message, or what makes it: a million restored results are not parsed before somebody looks."""
    attempts: tuple[Attempt, ...] = ()
    """The requests this process sent for it."""
    restored: bool = False
    """It was finished in the journal already: nothing was sent now."""
    findings: tuple[Finding, ...] = ()
    """What the rules found in the request as it was given."""

    @property
    def copy_of(self) -> str | None:
        """The key of the job with an identical request whose answer this is; ``None``: it was sent itself."""
        return self.ending.copy_of

    @property
    def message(self) -> MessageT | None:
        """The SDK's own message, when the job succeeded. A restored one is parsed at each access."""
        source = self.source
        return source() if callable(source) else source

    @property
    def lane(self) -> Lane:
        """Which way its last request went: live or in a batch."""
        return self.ending.lane

    def row(self) -> dict[str, object]:
        """All of it in one flat row, with the columns of ``headway results --csv``: ``custom_id``, ``state``,
        ``text``, tokens, ``cost_usd``, ``tag``, ``error`` and so on; ``pandas.DataFrame([outcome.row(), …])``."""
        return flatten(self.ending)

    def result(self) -> MessageT:
        """The message, or the exception that ``await job`` raises."""
        message = self.message
        if message is not None:
            return message
        if self.state is JobState.CANCELLED or self.failure is None:
            raise JobCancelledError(f"job {self.key} was cancelled")
        raise job_error(self.failure, self.attempts, resumable=self.resumable)


class Job(Generic[MessageT]):
    """A submitted job. ``await job`` gives the message; cancelling that await cancels the job."""

    __slots__ = (
        "_callbacks", "_canceller", "_done", "_observed", "_outcome",
        "batch", "budget_key", "digest", "entry", "findings", "guest", "home", "interrupt", "lane", "mended",
        "payment", "place", "prefixes", "record", "reopen", "scope", "size", "terms",
    )  # fmt: skip

    def __init__(
        self,
        record: JobRecord,
        budget_key: BudgetKey,
        size: PromptSize,
        canceller: Callable[[Job[Message]], None],
        terms: Terms = USUAL,
        inspected: Inspected = UNSEEN,
    ) -> None:
        self.record = record
        self.size = size
        self.prefixes: tuple[CachePrefix, ...] = ()
        """The beginnings of its prompt that are to be cached."""
        self.terms = terms
        self.lane = terms.lane
        """Which way it goes; ``auto`` until its turn to choose comes."""
        self.batch: OpenBatch | None = None
        """The message batch whose result it waits for."""
        self.place = -1
        """… and where it is in it."""
        self.findings = inspected.findings
        """What the rules found in the request as it was given."""
        self.mended = inspected.mended
        self.move(budget_key)
        self.scope: anyio.CancelScope | None = None
        self.interrupt: Interrupt | None = None
        self.payment: Payment | None = None
        """Under a spend cap: what its attempt under way, or the next, costs at most."""
        self.reopen = False
        self.digest: bytes | None = None
        """Of its content, if identical requests are to be sent once."""
        self.guest: Caller | None = None
        self.home = running_loop()
        """The event loop it was made in, and lives in."""
        self._canceller = canceller
        self._outcome: Outcome[MessageT] | None = None
        self._done: anyio.Event | None = None
        self._callbacks: tuple[Callable[[Outcome[MessageT]], None], ...] = ()
        self._observed = False

    @property
    def key(self) -> str:
        """Identity in journal and output: the ``custom_id`` where one was given."""
        return self.record.key

    @property
    def state(self) -> JobState:
        """Where the job is now."""
        return self._outcome.state if self._outcome is not None else self.record.state

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The requests sent so far, each with its failure."""
        return self.record.attempts

    def move(self, budget_key: BudgetKey) -> None:
        """Wait for this budget, with a new place in its queue. For the scheduler only."""
        record = self.record
        self.budget_key = budget_key
        self.entry: Entry[Job[Message]] = Entry(
            cast("Job[Message]", self),
            priority=record.priority,
            tenant=record.tenant,
            deadline=record.deadline,
        )

    def rest(self) -> None:
        """Be in no queue for long; `move` gives it a place again. For the scheduler only."""
        self.entry = _SPENT

    def done(self) -> bool:
        """It has its outcome."""
        return self._outcome is not None

    def peek(self) -> Outcome[MessageT] | None:
        """The outcome, if the job has ended."""
        return self._outcome

    def cancel(self) -> bool:
        """Take the job back, queued or running; false if it has ended already. An attempt under way is cut
        off; whether it will be billed is unknown and counted in ``maybe_billed``. A job that was submitted twice
        under one key goes on until both handles are cancelled."""
        if self._outcome is not None:
            return False
        self.require_home()
        self._observed = True
        self._canceller(cast("Job[Message]", self))
        return True

    async def outcome(self) -> Outcome[MessageT]:
        """Wait for the end; raises nothing for a failed job. Cancelling this wait leaves the job alone."""
        self._observed = True
        if self._outcome is None:
            self.require_home()
            if self._done is None:
                self._done = anyio.Event()
            await self._done.wait()
            assert self._outcome is not None
        return self._outcome

    def __await__(self) -> Generator[Any, None, MessageT]:
        return self._result().__await__()

    async def _result(self) -> MessageT:
        try:
            outcome = await self.outcome()
        except anyio.get_cancelled_exc_class():
            self.cancel()
            raise
        return outcome.result()

    def add_done_callback(
        self, callback: Callable[[Outcome[MessageT]], None], *, observe: bool = True
    ) -> None:
        """Call ``callback`` with the outcome, in the loop, when the job ends (at once if it has). Unless
        ``observe`` is false, a failure counts as noticed and is not logged any more. What it raises is logged."""
        self._observed = self._observed or observe
        if self._outcome is not None:
            self._tell(callback, self._outcome)
        else:
            self.require_home()
            self._callbacks = (*self._callbacks, callback)

    def require_home(self) -> None:
        """Raises `SchedulerClosedError` in another thread or event loop: there nobody would hear of its end."""
        if running_loop() is not self.home:
            raise SchedulerClosedError(
                f"job {self.key} belongs to another thread or event loop; use it in its own (from threads and"
                " scripts: headway.sync.Scheduler)"
            )

    def resolve(self, outcome: Outcome[MessageT]) -> None:
        """Set the outcome, once. For the scheduler only."""
        assert self._outcome is None, "a job ends exactly once"
        self._outcome = outcome
        self.entry = (
            _SPENT  # its place in the queue pointed back here: without the cycle an ended job goes at once
        )
        if self._done is not None:
            self._done.set()
        callbacks, self._callbacks = self._callbacks, ()
        for callback in callbacks:
            self._tell(callback, outcome)

    def _tell(self, callback: Callable[[Outcome[MessageT]], None], outcome: Outcome[MessageT]) -> None:
        """A callback that fails must not keep this job, or the others that end with it, from their end."""
        try:
            callback(outcome)
        except Exception:
            log.exception("a done callback of job %s failed", outcome.key)

    def __repr__(self) -> str:
        return f"<Job {self.key} {self.state.value}>"

    def __del__(self) -> None:
        outcome = getattr(self, "_outcome", None)
        if outcome is not None and outcome.failure is not None and not self._observed:
            log.warning("job %s failed and nobody awaited it: %s", outcome.key, outcome.failure)


_SPENT: Final[Entry[Job[Message]]] = Entry(cast("Job[Message]", None))
"""Stands in for the queue entry of a job that has ended."""
