"""Counting the tokens of a few requests by the API: free, and the yardstick for an estimate of many.

https://platform.claude.com/docs/en/build-with-claude/token-counting
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import anyio

from headway.adapters.anthropic.failures import rejection_of
from headway.adapters.anthropic.headers import limit_report
from headway.core.failure import Failure
from headway.core.limits import NO_REPORT, LimitReport
from headway.core.request import Request

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

AT_ONCE: Final = 8
COUNTED: Final = (
    "messages",
    "model",
    "output_config",
    "system",
    "thinking",
    "tool_choice",
    "tools",
)
"""The parameters of ``count_tokens`` (SDK 2.12) that change the count."""


@dataclass(frozen=True, slots=True)
class Count:
    """What the API said of the requests it was asked about."""

    tokens: tuple[int | None, ...]
    """By request; ``None``: it was not counted."""
    failure: Failure | None = None
    """Why one was not."""
    report: LimitReport = NO_REPORT
    """What the newest response's headers said of limits."""


async def count_inputs(client: AsyncAnthropic, requests: Sequence[Request], patience: float) -> Count:
    """Ask, a few at a time, for ``patience`` seconds at most. Never raises."""
    counting = _Counting(client, len(requests))
    with anyio.move_on_after(patience):
        async with anyio.create_task_group() as group:
            for place, request in enumerate(requests):
                group.start_soon(counting.ask, place, request)
    return Count(tuple(counting.tokens), counting.failure, counting.report)


class _Counting:
    def __init__(self, client: AsyncAnthropic, size: int) -> None:
        self._client = client
        self._room = anyio.CapacityLimiter(AT_ONCE)
        self.tokens: list[int | None] = [None] * size
        self.failure: Failure | None = None
        self.report = NO_REPORT

    async def ask(self, place: int, request: Request) -> None:
        body: dict[str, Any] = {name: request.params[name] for name in COUNTED if name in request.params}
        async with self._room:
            try:
                raw = await self._client.messages.with_raw_response.count_tokens(**body)
                self.tokens[place] = (await raw.parse()).input_tokens
                self.report = limit_report(raw.headers) or self.report
            except Exception as error:  # noqa: BLE001 - every failure becomes a value
                self.failure = rejection_of(error).failure
