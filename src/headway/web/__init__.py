"""headway inside a web application: Starlette, FastAPI, or any ASGI app (``pip install 'headway[web]'``).

::

    app = FastAPI(
        lifespan=headway.web.lifespan(lambda: Scheduler(model="claude-sonnet-5-5", max_tokens=1024)),
        exception_handlers=headway.web.exception_handlers,
        routes=headway.web.status_routes(),
    )

    @app.get("/chat")
    async def chat(prompt: str, scheduler: Annotated[Scheduler, Depends(headway.web.scheduler)]):
        return headway.web.sse(scheduler.stream(prompt, priority=Priority.INTERACTIVE))

A tutorial is in ``docs/web.md``.
"""

from __future__ import annotations

try:
    import starlette
except ModuleNotFoundError as error:
    if error.name != "starlette":
        raise
    raise ImportError("headway.web needs Starlette: pip install 'headway[web]'") from None

from headway.web.answer import exception_handlers, handle_error
from headway.web.departure import CancelOnDisconnect, until_disconnect
from headway.web.life import lifespan, scheduler
from headway.web.server_sent import EventStream, sse
from headway.web.status_page import status_routes

__all__ = [
    "CancelOnDisconnect",
    "EventStream",
    "exception_handlers",
    "handle_error",
    "lifespan",
    "scheduler",
    "sse",
    "status_routes",
    "until_disconnect",
]

del starlette
