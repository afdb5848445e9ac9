"""What the runtime needs from outside, as Protocols. Adapters implement them; tests bring their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from headway.core.account_limits import ToldLimits
from headway.core.alert import Alert
from headway.core.amendment import Amendment
from headway.core.backlog import Backlog
from headway.core.budget import BudgetStatus, Cost, Refusal, Wait
from headway.core.budget_key import BudgetKey
from headway.core.events import JobEvent
from headway.core.failure import Failure
from headway.core.job import JobRecord
from headway.core.limits import NO_REPORT, LimitReport, OnHeaders
from headway.core.outcome import Ending
from headway.core.partial import Piece
from headway.core.request import Request
from headway.core.usage import Usage

if TYPE_CHECKING:
    from anthropic.lib.streaming import AsyncMessageStream
    from anthropic.types import Message

    from headway.runtime.handle import Job


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete message."""

    message: Message
    body: str
    """The message as JSON text."""
    usage: Usage
    report: LimitReport = NO_REPORT
    stop_reason: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """An attempt that brought no message."""

    failure: Failure
    report: LimitReport = NO_REPORT
    usage: Usage | None = None
    """What it is known to have used all the same: a stream that broke after its first events."""


class Transport(Protocol):
    """Sends one attempt. Every failure comes back as a value; only cancellation is raised."""

    @property
    def account(self) -> str:
        """Names the organisation's limits without revealing the key: a fingerprint and the base URL."""
        ...

    @property
    def connections(self) -> int | None:
        """How many requests may be open at a time; ``None``: unknown."""
        ...

    def prepare(self, request: Request) -> Request:
        """The request as sent and stored, its ``output_format`` written out. Raises `RequestError`."""
        ...

    async def send(
        self, request: Request, *, streamed: bool = False, on_headers: OnHeaders | None = None
    ) -> Reply | Rejection:
        """Send one attempt, without any retry of its own; ``streamed``: a plain answer ran into the API's time
        limit. ``on_headers`` (a scout's): call it once headers are there; stream if need be, give the same."""
        ...

    async def advise(self, failure: Failure, request: Request) -> Failure:
        """The failure with what else is known about it, such as the ids near an unknown model's. It may ask
        the API, within seconds; it raises nothing."""
        ...

    def revive(self, body: str, request: Request) -> Message:
        """The message of a stored body (a journalled result)."""
        ...

    async def aclose(self) -> None:
        """Close what this transport opened itself."""
        ...


class Visit(Protocol):
    """A call of the user's own, standing in the queue like a job; see `runtime/guest.py`."""

    def now(self) -> float:
        """Loop time, seconds."""
        ...

    async def turn(self) -> Grant:
        """Wait for the next attempt's grant. Raises `HeadwayError` when there will be none."""
        ...

    async def finish(self, result: Reply | Rejection, *, last: bool = False) -> bool:
        """End the attempt; true if there will be another turn. ``last``: there will not be, whatever failed."""
        ...

    async def leave(self, used: Usage | None = None, *, sent: bool = False) -> None:
        """Go away and give everything back."""
        ...


class StreamAttempt(Protocol):
    """One open stream. Failures come back as values; only cancellation is raised."""

    @property
    def report(self) -> LimitReport:
        """What its headers said of the limits."""
        ...

    @property
    def request_id(self) -> str | None:
        """Its ``request-id`` header."""
        ...

    @property
    def response(self) -> object:
        """The HTTP response, for those who want its headers."""
        ...

    async def next(self) -> Piece | Rejection | None:
        """The next event (pings are none); ``None`` at the end of the body."""
        ...

    async def aclose(self) -> None:
        """Give the connection back. Safe to call twice, and while cancelled."""
        ...


class StreamingTransport(Transport, Protocol):
    """A transport that can also stream."""

    async def open_stream(self, request: Request) -> StreamAttempt | Rejection:
        """Send one attempt and return when its headers have arrived."""
        ...

    def present(self, source: StreamSource, request: Request) -> AsyncMessageStream[Any]:
        """The SDK's own stream object over ``source``."""
        ...


class StreamSource(Protocol):
    """The events of one answer, over as many attempts as it takes, for a transport to present."""

    job: Job[Message]
    """The job whose answer it is."""
    snapshot: Callable[[], Message | None]
    """Set by the transport: the message as far as it was shown."""

    @property
    def response(self) -> object:
        """The HTTP response of the attempt under way."""
        ...

    async def next(self) -> Piece | None:
        """The next event to show; ``None`` at the end. A piece of type `DISCARD` takes back all blocks from
        its index on. Raises `JobFailedError` and `JobCancelledError`."""
        ...

    async def aclose(self) -> None:
        """Nobody reads on."""
        ...


class Grant(Protocol):
    """One job's share of a budget, taken at the moment of sending. It ends exactly once and says how:
    a second ending does nothing."""

    @property
    def scout(self) -> bool:
        """Whether the headers of this job's response are wanted as soon as they come."""
        ...

    def observe(self, report: LimitReport, now: float) -> None:
        """Learn from the limit headers of its response; does not end it."""
        ...

    def settle(self, usage: Usage, now: float) -> None:
        """The job succeeded and used this much."""
        ...

    def release(self, now: float) -> None:
        """Refused or failed before any work: nothing was used."""
        ...

    def forfeit(self, now: float) -> None:
        """The outcome is unknown: what was reserved counts as used."""
        ...

    def refuse(self, refusal: Refusal, now: float, jitter: float) -> float:
        """A 429 or 529 came: learn from it and release. Returns the seconds this job should wait at least."""
        ...


class BudgetStore(Protocol):
    """Where budgets live. The local one answers at once; one shared between processes takes a round trip."""

    async def reserve(
        self, key: BudgetKey, cost: Cost, now: float, *, interactive: bool, backlog: Backlog, jitter: float
    ) -> Grant | Wait:
        """Take what a job needs, or say when to ask again. ``backlog``: what is queued behind it.

        It may take a round trip. When it is cancelled, the store gives back what it had taken: nobody else can.
        """
        ...

    def status(self, now: float) -> Mapping[BudgetKey, BudgetStatus]:
        """Every budget in use, for people and dashboards."""
        ...

    def set_limits(self, limits: ToldLimits, now: float) -> None:
        """Tell new limits to every budget, present and future: to each those of its group (`told_for`)."""
        ...


@runtime_checkable
class EventSink(Protocol):
    """Sees every event after it is decided; must not block and must not raise."""

    def emit(self, record: JobRecord, event: JobEvent) -> None:
        """``record`` is the job after the event."""
        ...


@runtime_checkable
class AlertSink(Protocol):
    """Hears what stops more than one job; must not block and must not raise. A sink may be both."""

    def alert(self, alert: Alert) -> None:
        """A scope has died: once, until ``scheduler.resume()``."""
        ...


@dataclass(frozen=True, slots=True)
class Stored:
    """What a journal already knew of a job that was handed to it."""

    same_request: bool
    """The stored request has the same content; if not, the key was used for another request."""
    sends: int = 0
    maybe_billed: int = 0
    ending: Ending | None = None
    """Its ending if it is finished."""
    amendment: Amendment | None = None
    """What repairs after a refusal and follow-ups had made of its request when the process ended."""


class Journal(Protocol):
    """Durable record of jobs. Times are stored as wall time; the methods must run in the loop that opened it."""

    @property
    def recovered(self) -> int:
        """Jobs that were in flight when the last process died."""
        ...

    async def open(self) -> None:
        """Open or create, take the lock, recover what was in flight. Raises `JournalError` subclasses."""
        ...

    async def aclose(self) -> None:
        """Commit what is pending, release the lock."""
        ...

    async def admit(
        self, records: Sequence[JobRecord], *, reopen_failed: bool = False
    ) -> Sequence[Stored | None]:
        """Enter new jobs (committed on return); for known keys say what is known instead.

        With ``reopen_failed`` jobs stored as failed, expired or cancelled are queued again.
        """
        ...

    async def write(self, record: JobRecord, event: JobEvent, ending: Ending | None) -> None:
        """Store a job after an event; returns when it is committed. Raises `JournalError`."""
        ...

    def append(self, record: JobRecord, event: JobEvent, ending: Ending | None) -> None:
        """Store a job after an event without waiting; an error surfaces at the next `write`."""
        ...

    def unfinished(self) -> AsyncIterator[tuple[str, Request]]:
        """Keys and requests of jobs without an ending, oldest first."""
        ...

    def endings(self, after: int = 0) -> AsyncIterator[tuple[int, Ending]]:
        """Endings in the order they were committed, with their sequence numbers."""
        ...
