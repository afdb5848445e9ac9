"""``/headway``: a page that shows what the scheduler does now; ``/headway/status``: the same as JSON."""

from __future__ import annotations

import hashlib
import inspect
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from headway.web.life import scheduler
from headway.web.report import report_of

Allow = Callable[[Request], bool | Awaitable[bool]]
_INLINE: Final = re.compile(r"<(style|script)>(.*?)</\1>", re.DOTALL)


def status_routes(prefix: str = "/headway", *, allow: Allow | None = None) -> list[BaseRoute]:
    """Routes of a live page at ``prefix`` and of its JSON at ``prefix/status``: queue, in flight, budgets,
    refusals, cost, last failures; no prompt, no key. ``Starlette(routes=[*headway.web.status_routes()])``, in
    FastAPI ``app.routes.extend(headway.web.status_routes())``.

    They are open to everyone who can reach them unless ``allow(request)`` (plain or async) says who may look:
    false is 403, and it may raise ``HTTPException`` itself.
    """
    base = prefix.rstrip("/")
    if base and not base.startswith("/"):
        raise ValueError(f"prefix must begin with '/', not {prefix!r}")

    async def permitted(request: Request) -> bool:
        verdict = True if allow is None else allow(request)
        return await verdict if inspect.isawaitable(verdict) else verdict

    async def page(request: Request) -> Response:
        if not await permitted(request):
            return Response(status_code=403)
        text, policy = _page()
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
        return HTMLResponse(text, headers=headers)

    async def figures(request: Request) -> Response:
        if not await permitted(request):
            return Response(status_code=403)
        report = report_of((await scheduler(request)).status())
        return JSONResponse(report, headers={"Cache-Control": "no-store"})

    return [
        Route(base or "/", page, name="headway page", include_in_schema=False),
        Route(f"{base}/status", figures, name="headway status", include_in_schema=False),
    ]


@cache
def _page() -> tuple[str, str]:
    """The page, and the policy under which a browser runs nothing but its own script and style."""
    text = files("headway.web").joinpath("status.html").read_text(encoding="utf-8")
    hashes = {name: _hash(body) for name, body in _INLINE.findall(text)}
    return text, (
        f"default-src 'none'; connect-src 'self'; style-src '{hashes['style']}'; "
        f"script-src '{hashes['script']}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
