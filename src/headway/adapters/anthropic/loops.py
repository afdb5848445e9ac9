"""A client that was used in an earlier ``asyncio.run``: its idle connections belong to a loop that is gone.

Writing to one still works (the socket is open) and reading does not, so a request would be sent, billed and
lost, once for every such connection. They are dropped before the first send in the new loop.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

_LAST_LOOP: Final[weakref.WeakKeyDictionary[object, weakref.ref[asyncio.AbstractEventLoop]]] = (
    weakref.WeakKeyDictionary()
)
"""Where headway used an HTTP client last."""


async def move_to_this_loop(client: AsyncAnthropic) -> None:
    """Drop connections of a closed loop; those of a loop that still runs are left alone."""
    http_client = getattr(client, "_client", None)
    if http_client is None:
        return
    here = asyncio.get_running_loop()
    last = _LAST_LOOP.get(http_client)
    _LAST_LOOP[http_client] = weakref.ref(here)
    transport = getattr(http_client, "_transport", None)
    session_loop = getattr(getattr(transport, "client", None), "_loop", None)  # aiohttp backend
    if transport is not None and session_loop is not None and session_loop.is_closed():
        transport.client = None  # the SDK's bridge makes a new session
    before = None if last is None else last()
    if last is None or before is here or (before is not None and not before.is_closed()):
        return
    if (pool := getattr(transport, "_pool", None)) is not None:  # httpx2 backend
        try:
            await pool.aclose()  # forgets all connections first, then fails to close them
        except RuntimeError:
            return
