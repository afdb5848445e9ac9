"""A pytest plugin for the SDK's own suite: every asynchronous client gets one more middleware, next to the wire.

``HEADWAY_SUITE_MODE``: ``pass`` for one that only hands on, ``headway`` for ``headway.middleware(retry=None)``.
Used by test_sdk_suite.py; it runs where the suite's dependencies are, not here.
"""

from __future__ import annotations

import os
from typing import Any

import anthropic
from anthropic import _base_client


class HandOn(anthropic.Middleware):
    """The least that a middleware can do."""

    async def handle_async(self, request: Any, call_next: Any) -> Any:
        return await call_next(request)


def _middleware() -> anthropic.Middleware:
    if os.environ["HEADWAY_SUITE_MODE"] == "pass":
        return HandOn()
    import headway

    return headway.middleware(retry=None)


_SHARED = _middleware()
_plain_init = _base_client.AsyncAPIClient.__init__


def _init(self: Any, *args: Any, **options: Any) -> None:
    given = tuple(options.get("middleware") or ())
    if not any(middleware is _SHARED for middleware in given):
        options["middleware"] = (*given, _SHARED)
    _plain_init(self, *args, **options)


_base_client.AsyncAPIClient.__init__ = _init  # type: ignore[method-assign]
