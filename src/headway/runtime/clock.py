"""The clocks: the loop's, and the wall's."""

from __future__ import annotations

import asyncio
import time


def loop_time() -> float:
    """Seconds of the running loop's clock, the one anyio's deadlines use too.

    ``anyio.current_time()`` works inside tasks only; ``submit``, ``cancel`` and ``abort`` are also called
    from loop callbacks: signal handlers, done callbacks, ``call_later``.
    """
    return asyncio.get_running_loop().time()


def wall_time() -> float:
    """Unix seconds: for what is about days and dates, and outlives the process."""
    return time.time()


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop of this thread, in tasks and in callbacks; ``None`` where none runs."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
