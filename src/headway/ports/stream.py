"""An answer as it comes: from the API, and to whoever reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from headway.core.limits import LimitReport
from headway.core.partial import Piece
from headway.ports.answer import Rejection

if TYPE_CHECKING:
    from anthropic.types import Message

    from headway.runtime.handle import Job


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


class StreamSource(Protocol):
    """The events of one answer, over as many attempts as it takes, for a transport to present."""

    job: Job[Message]
    """The job whose answer it is."""
    snapshot: Callable[[], Message | None]
    """Set by the transport: the message as far as it was shown."""
    misfit: Callable[[], str | None]
    """Set by the transport: why the whole answer is not what was asked for, if so."""

    @property
    def response(self) -> object:
        """The HTTP response of the attempt under way."""
        ...

    async def next(self) -> Piece | None:
        """The next event to show; ``None`` at the end. A piece of type `DISCARD` takes back all blocks from
        its index on. Raises `JobFailedError` and `JobCancelledError`."""
        ...

    async def refuse(self, fault: str) -> None:
        """What `next` gave makes no message: the attempt has failed with it, and another one may go on."""
        ...

    async def aclose(self) -> None:
        """Nobody reads on."""
        ...
