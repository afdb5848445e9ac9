"""The face of ``headway.middleware(…)`` towards the SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from anthropic import Middleware

from headway.adapters.anthropic.middleware import SchedulerMiddleware

if TYPE_CHECKING:
    from anthropic import AsyncAPIResponse
    from anthropic._middleware import AsyncCallNext
    from anthropic._request import APIRequest

    from headway.scheduler import Scheduler


class Behind(Protocol):
    """The schedulers behind it, one for each event loop."""

    async def gate(self) -> SchedulerMiddleware:
        """The middleware of the running event loop."""
        ...

    async def scheduler(self) -> Scheduler:
        """The scheduler of the running event loop."""
        ...

    async def aclose(self) -> None:
        """End it."""
        ...


class HeadwayMiddleware(Middleware):
    """A middleware that brings its own scheduler, made on first use in the running event loop."""

    def __init__(self, behind: Behind) -> None:
        self._behind = behind

    async def handle_async(self, request: APIRequest, call_next: AsyncCallNext) -> AsyncAPIResponse[Any]:
        """One call of the SDK."""
        return await (await self._behind.gate()).handle_async(request, call_next)

    async def scheduler(self) -> Scheduler:
        """The scheduler of the running event loop: for ``status()`` and ``set_limits()``."""
        return await self._behind.scheduler()

    async def aclose(self) -> None:
        """End the scheduler of this event loop now; calls in flight are cut off."""
        await self._behind.aclose()
