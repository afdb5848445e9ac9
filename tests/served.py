"""An application in a real server, in this event loop: uvicorn over real HTTP."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import uvicorn

BOUND = 20.0
"""Seconds within which what takes milliseconds must happen."""


@asynccontextmanager
async def served(app: Any, **options: Any) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the running application; leaving shuts both down in order."""
    listener = socket.create_server(("127.0.0.1", 0))
    settings = {"log_level": "warning", "ws": "none", "lifespan": "on", "http": "h11"} | options
    config = uvicorn.Config(app, **settings)
    server = Quiet(config)
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started:
        assert not serving.done(), serving
        await asyncio.sleep(0.002)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(BOUND)) as client:
            yield client
    finally:
        server.should_exit = True
        await asyncio.wait_for(serving, BOUND)
        listener.close()


class Quiet(uvicorn.Server):
    """Leaves the signal handlers of the test's process alone, and ends when it is told to, not a tick later."""

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await until(lambda: self.should_exit, bound=math.inf)

    def capture_signals(self) -> Any:
        from contextlib import nullcontext

        return nullcontext()


async def until(condition: Any, bound: float = BOUND) -> None:
    """Wait for it, at most for the bound (seconds)."""
    async with asyncio.timeout(bound):
        while not condition():
            await asyncio.sleep(0.002)


def events(text: str) -> list[tuple[str, str]]:
    """Name and data of server-sent events."""
    found: list[tuple[str, str]] = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if fields:
            found.append((fields["event"], fields["data"]))
    return found
