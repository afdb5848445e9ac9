"""What sends requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from headway.core.failure import Failure
from headway.core.limits import OnHeaders
from headway.core.request import Request
from headway.ports.answer import Rejection, Reply
from headway.ports.stream import StreamAttempt, StreamSource

if TYPE_CHECKING:
    from anthropic.lib.streaming import AsyncMessageStream
    from anthropic.types import Message


class Transport(Protocol):
    """Sends one attempt. Every failure comes back as a value; only cancellation is raised. One that can count the
    input tokens of a request also has ``async def count_tokens(self, request) -> int | None``."""

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


class StreamingTransport(Transport, Protocol):
    """A transport that can also stream."""

    async def open_stream(self, request: Request) -> StreamAttempt | Rejection:
        """Send one attempt and return when its headers have arrived."""
        ...

    def present(self, source: StreamSource, request: Request) -> AsyncMessageStream[Any]:
        """The SDK's own stream object over ``source``."""
        ...
