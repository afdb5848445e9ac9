"""A scheduler that lives as long as the application."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from headway.errors import SchedulerClosedError
from headway.scheduler import Scheduler

GRACE: Final = 20.0
"""Seconds; Kubernetes kills 30 s after it asked a process to end, and the server has work of its own."""


def lifespan(
    make: Callable[[], Scheduler], *, grace: float | None = GRACE
) -> Callable[[Starlette], AbstractAsyncContextManager[dict[str, Any]]]:
    """For ``Starlette(lifespan=…)`` and ``FastAPI(lifespan=…)``: a scheduler from ``make`` is opened when the
    application starts, and found as ``app.state.headway``, ``request.state.headway`` or by `scheduler`.

    On shutdown it takes no new jobs and finishes what it has; what is not finished after ``grace`` seconds
    (``None``: however long) ends resumably, and stays queued in a journal. Inside a lifespan of your own:
    ``async with headway.web.lifespan(make)(app) as state: yield state``.
    """
    if not callable(make):
        raise TypeError("lifespan() takes what makes a Scheduler: lifespan(lambda: Scheduler(...))")
    if grace is not None and not grace >= 0:
        raise ValueError(f"grace must be at least 0 seconds or None, not {grace!r}")

    @asynccontextmanager
    async def living(app: Starlette) -> AsyncGenerator[dict[str, Any]]:
        opened = await make().open()
        app.state.headway = opened
        try:
            yield {"headway": opened}
        finally:
            await opened.aclose(grace)

    return living


async def scheduler(connection: HTTPConnection) -> Scheduler:
    """The application's scheduler: ``Depends(headway.web.scheduler)`` in FastAPI, in Starlette
    ``await headway.web.scheduler(request)``. For websockets as well.

    Raises `SchedulerClosedError` when there is no `lifespan`, or it has not run.
    """
    found: object = connection.scope.get("state", {}).get("headway")
    if found is None and "app" in connection.scope:
        found = getattr(connection.app.state, "headway", None)
    if not isinstance(found, Scheduler):
        raise SchedulerClosedError(
            "the application has no scheduler: pass lifespan=headway.web.lifespan(...) to it, and run it in a"
            " server (or test client) that runs lifespans"
        )
    return found
