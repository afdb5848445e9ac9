"""Telling whoever waits that something has changed."""

from __future__ import annotations

import anyio


class Bell:
    """Each waiter hears the next ring after it began to wait. A ring that nobody waits for costs nothing: there are
    several for every job."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event: anyio.Event | None = None

    def ring(self) -> None:
        """Wake all who wait."""
        if self._event is not None:
            self._event.set()
            self._event = None

    async def wait(self) -> None:
        """Wait for the next ring."""
        if self._event is None:
            self._event = anyio.Event()
        await self._event.wait()
