"""How many input tokens a request has, by the API's own count: free, with a limit of its own, and never a must.

https://platform.claude.com/docs/en/build-with-claude/token-counting
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import anyio

from headway.adapters.anthropic.endpoints import EndpointPace
from headway.adapters.anthropic.failures import rejection_of
from headway.core.error_kind import ErrorKind, Scope
from headway.core.failure import Failure
from headway.core.overflow import overflow_of
from headway.core.request import Request

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

log: Final = logging.getLogger("headway")
PATH: Final = "/v1/messages/count_tokens"
PAUSE: Final = 60.0
"""Seconds after a failure of the endpoint itself in which it is not asked again: others wait behind it too."""
_EDITED: Final = ("context_management", "compaction", "thread", "mcp_servers")
"""Parameters by which the server makes another prompt of the request than can be counted here."""
_THE_REQUESTS: Final = frozenset(
    {
        ErrorKind.INVALID_REQUEST,
        ErrorKind.IMAGE_TOO_LARGE,
        ErrorKind.THINKING_REFUSED,
        ErrorKind.UNPROCESSABLE,
        ErrorKind.REQUEST_TOO_LARGE,
    }
)
"""Failures that say nothing of the endpoint: another request may be counted."""


class TokenCounter:
    """Counts through one client, no faster than the endpoint's lowest tier allows."""

    def __init__(
        self, client: AsyncAnthropic, pace: EndpointPace, ready: Callable[[], Awaitable[None]]
    ) -> None:
        """``ready`` is awaited before the client is used."""
        self._ready = ready
        self._client = client
        self._pace = pace
        self._ask_from = 0.0
        self._known = frozenset(inspect.signature(client.messages.count_tokens).parameters)

    async def count(self, request: Request) -> int | None:
        """Input tokens of a request; ``None`` where they cannot be counted. Raises nothing but cancellation."""
        if anyio.current_time() < self._ask_from or any(name in request.params for name in _EDITED):
            return None
        await self._pace.wait("post", PATH)
        await self._ready()
        try:
            counted = await self._client.messages.count_tokens(**self._arguments(request))
            return _tokens(counted)
        except Exception as error:  # noqa: BLE001 - whatever breaks here, the estimate serves
            return self._uncounted(rejection_of(error, request=request).failure)

    def _uncounted(self, failure: Failure) -> int | None:
        """A refusal for the size of the prompt may say how large it is."""
        if failure.kind is ErrorKind.CONTEXT_OVERFLOW:
            overflow = overflow_of(failure.message)
            return None if overflow is None else overflow.input
        if failure.kind not in _THE_REQUESTS and failure.scope is not Scope.MODEL:
            self._ask_from = anyio.current_time() + PAUSE
        log.debug("tokens were not counted: %s", failure.kind.value)
        return None

    def _arguments(self, request: Request) -> dict[str, Any]:
        """What of a request counts; the rest (``max_tokens``, ``metadata``, …) the endpoint does not take."""
        given: Mapping[str, object] = {**request.params, **request.options}
        return {name: given[name] for name in given.keys() & (self._known - {"extra_body", "output_format"})}


def _tokens(counted: object) -> int | None:
    """Of the SDK's answer; a gateway may have sent anything."""
    tokens: object = getattr(counted, "input_tokens", None)
    return tokens if isinstance(tokens, int) and not isinstance(tokens, bool) and tokens >= 0 else None
