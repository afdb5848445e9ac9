"""The fake API as a program: serve until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import threading
from collections.abc import Callable

from headway.testing.fake_api.config import FakeConfig
from headway.testing.fake_api.server import FakeAPI


def serve(
    config: FakeConfig,
    host: str = "127.0.0.1",
    port: int = 0,
    ready: Callable[[str], None] | None = None,
    stop_with_stdin: bool = False,
) -> None:
    """Serve until SIGINT or SIGTERM; blocks. ``ready`` is called once with the base URL.

    ``stop_with_stdin`` also stops when standard input is closed, so that no server outlives the
    process that started it.
    """
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(config, host, port, ready, stop_with_stdin))


async def _serve(
    config: FakeConfig, host: str, port: int, ready: Callable[[str], None] | None, stop_with_stdin: bool
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):  # Windows
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
    async with FakeAPI(config, host, port) as api:
        if ready is not None:
            ready(api.base_url)
        if stop_with_stdin:
            _watch_stdin(loop, stop)
        await stop.wait()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    def wait() -> None:
        while sys.stdin.read(4096):
            pass
        with contextlib.suppress(RuntimeError):  # the loop has gone
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait, name="headway-stdin", daemon=True).start()
