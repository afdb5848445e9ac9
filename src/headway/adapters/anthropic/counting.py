"""How many input tokens a request has, by the API's own count: free, with a limit of its own, and never a must.

https://platform.claude.com/docs/en/build-with-claude/token-counting
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import anyio

from headway.adapters.anthropic.endpoints import EndpointPace
from headway.adapters.anthropic.failures import rejection_of
from headway.adapters.anthropic.headers import limit_report
from headway.core.error_kind import ErrorKind, Scope
from headway.core.failure import Failure
from headway.core.limits import NO_REPORT, LimitReport
from headway.core.overflow import overflow_of
from headway.core.request import Request

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

log: Final = logging.getLogger("headway")
PATH: Final = "/v1/messages/count_tokens"
PAUSE: Final = 60.0
"""Seconds after a failure of the endpoint itself in which it is not asked again: others wait behind it too."""
AT_ONCE: Final = 8
"""Calls for a sample that are open at a time."""
_EDITED: Final = ("context_management", "compaction", "thread", "mcp_servers")
"""Parameters by which the server makes another prompt of the request than can be counted here."""
_THE_REQUESTS: Final = frozenset(
    {
        ErrorKind.INVALID_REQUEST,
        ErrorKind.IMAGE_TOO_LARGE,
        ErrorKind.THINKING_REFUSED,
        ErrorKind.UNPROCESSABLE,
        ErrorKind.REQUEST_TOO_LARGE,
        ErrorKind.CONTEXT_OVERFLOW,
    }
)
"""Failures that say nothing of the endpoint: another request may be counted."""


@dataclass(frozen=True, slots=True)
class Count:
    """What the API said of one request."""

    tokens: int | None = None
    """``None``: it was not counted."""
    failure: Failure | None = None
    """Why the API refused to count it."""
    report: LimitReport = NO_REPORT
    """What the response's headers said of limits."""


class TokenCounter:
    """Counts through one client, no faster than the endpoint's lowest tier allows."""

    def __init__(
        self,
        client: AsyncAnthropic,
        pace: EndpointPace | None = None,
        ready: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """``ready`` is awaited before the client is used."""
        self._ready = ready
        self._client = client
        self._pace = pace or EndpointPace()
        self._ask_from = 0.0
        self._known = frozenset(inspect.signature(client.messages.count_tokens).parameters)

    async def count(self, request: Request) -> int | None:
        """Input tokens of a request; ``None`` where they cannot be counted, or the endpoint has just failed. Raises
        nothing but cancellation."""
        if anyio.current_time() < self._ask_from:
            return None
        found = await self.look(request)
        if (failure := found.failure) is not None:
            if failure.kind not in _THE_REQUESTS and failure.scope is not Scope.MODEL:
                self._ask_from = anyio.current_time() + PAUSE
            log.debug("tokens were not counted: %s", failure.kind.value)
        return found.tokens

    async def look(self, request: Request) -> Count:
        """The same once, with all that the response says. Raises nothing but cancellation."""
        if any(name in request.params for name in _EDITED):
            return Count()
        await self._pace.wait("post", PATH)
        if self._ready is not None:
            await self._ready()
        try:
            raw = await self._client.messages.with_raw_response.count_tokens(**self._arguments(request))
            return Count(_tokens(await raw.parse()), report=limit_report(raw.headers))
        except Exception as error:  # noqa: BLE001 - whatever breaks here, the estimate serves
            return _uncounted(rejection_of(error, request=request).failure)

    async def sample(self, requests: Sequence[Request], patience: float) -> list[Count]:
        """Look at some, a few at a time, for ``patience`` seconds at most; what took longer is not counted."""
        found = [Count()] * len(requests)
        room = anyio.CapacityLimiter(AT_ONCE)

        async def ask(place: int) -> None:
            async with room:
                found[place] = await self.look(requests[place])

        with anyio.move_on_after(patience):
            async with anyio.create_task_group() as group:
                for place in range(len(requests)):
                    group.start_soon(ask, place)
        return found

    def _arguments(self, request: Request) -> dict[str, Any]:
        """What of a request counts; the rest (``max_tokens``, ``metadata``, …) the endpoint does not take."""
        given: Mapping[str, object] = {**request.params, **request.options}
        return {name: given[name] for name in given.keys() & (self._known - {"extra_body", "output_format"})}


def _uncounted(failure: Failure) -> Count:
    """A refusal for the size of the prompt may say how large it is."""
    overflow = overflow_of(failure.message) if failure.kind is ErrorKind.CONTEXT_OVERFLOW else None
    return Count(None if overflow is None else overflow.input, failure)


def _tokens(counted: object) -> int | None:
    """Of the SDK's answer; a gateway may have sent anything."""
    tokens: object = getattr(counted, "input_tokens", None)
    return tokens if isinstance(tokens, int) and not isinstance(tokens, bool) and tokens >= 0 else None
