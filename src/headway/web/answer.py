"""headway's errors as HTTP answers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from headway.core.faults import HeadwayError
from headway.web.problem import problem_of


async def handle_error(request: Request, error: Exception) -> Response:
    """An exception handler: a full queue is 503 with ``Retry-After``, a deadline 504, a request that cannot be
    sent 422, one that the API refuses 400. ``app.add_exception_handler(HeadwayError, headway.web.handle_error)``.
    """
    problem = problem_of(error)
    headers = {} if problem.retry_after is None else {"Retry-After": str(problem.seconds)}
    return JSONResponse(problem.body(), problem.status, headers)


exception_handlers: Final[dict[Any, Callable[[Request, Any], Coroutine[Any, Any, Response]]]] = {
    HeadwayError: handle_error
}
"""For ``FastAPI(exception_handlers=…)`` and ``Starlette(exception_handlers=…)``."""
