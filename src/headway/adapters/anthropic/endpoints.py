"""Endpoints with limits of their own: fixed, published rates that need no learning."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import anyio
from aiolimiter import AsyncLimiter

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class EndpointLimits:
    """Requests per minute of the endpoints that do not generate; ``None`` leaves one unpaced.

    The defaults are those of the lowest tier (https://platform.claude.com/docs/en/api/rate-limits).
    """

    count_tokens: float | None = 2000.0
    batches: float | None = 1000.0
    files: float | None = 500.0

    def __post_init__(self) -> None:
        for name in ("count_tokens", "batches", "files"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"EndpointLimits.{name} must be above 0 a minute or None, not {value!r}")


class EndpointPace:
    """Paces calls by endpoint, first come first served. What it keeps belongs to one event loop; a new loop gets
    new limiters."""

    def __init__(self, limits: EndpointLimits | None = None) -> None:
        self._limits = limits or EndpointLimits()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lines: dict[str, _Line] = {}

    async def wait(self, method: str, path: str) -> None:
        """Wait for the turn of a call; at once for endpoints without a rate."""
        name = endpoint_of(method, path)
        rate: float | None = None if name is None else getattr(self._limits, name)
        if name is None or rate is None:
            return
        if self._loop is not (here := asyncio.get_running_loop()):
            self._loop, self._lines = here, {}
        line = self._lines.get(name)
        if line is None:
            line = self._lines[name] = _Line(rate)
        await line.turn()


class _Line:
    """Those who wait for one endpoint. Only the first of them looks at the limiter, once for each call's worth of
    time: aiolimiter's own waiting wakes the smallest first and may spin on the rounding of its clock."""

    def __init__(self, per_minute: float) -> None:
        # A burst of two seconds, then the rate: the API may enforce a minute's limit by the second.
        self._limiter = AsyncLimiter(max(1.0, per_minute / 30), max(2.0, MINUTE / per_minute))
        self._each = MINUTE / per_minute * (1 + 1e-6)
        self._first = anyio.Lock()

    async def turn(self) -> None:
        """Wait for room, and take it."""
        async with self._first:
            while not self._limiter.has_capacity():  # noqa: ASYNC110 - the limiter has no event to wait for
                await anyio.sleep(self._each)
            await self._limiter.acquire()


def endpoint_of(method: str, path: str) -> str | None:
    """Which fixed limit a call counts against."""
    path = path.split("?", maxsplit=1)[0].rstrip("/")
    if path.endswith("/v1/messages/count_tokens"):
        return "count_tokens"
    if "/v1/messages/batches" in path:
        return "batches"
    if "/v1/files" in path:
        return "files"
    return None


def generates(method: str, path: str) -> bool:
    """Whether a call is a Messages request: what the budgets are for."""
    return method.lower() == "post" and path.split("?", maxsplit=1)[0].rstrip("/").endswith("/v1/messages")
