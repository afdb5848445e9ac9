"""A context manager kept open in a task of its own, so that whoever opens it may go."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any


class Resident:
    """Enters ``manager`` in a task, and leaves it there: a task group must be left by the task that entered it,
    which two cells of a notebook, or two calls from another thread, are not."""

    def __init__(self, manager: AbstractAsyncContextManager[Any], name: str) -> None:
        self._manager = manager
        self._name = name
        self._task: asyncio.Task[None] | None = None
        self._leave = asyncio.Event()

    @property
    def alive(self) -> bool:
        """It was opened and is not closed yet."""
        return self._task is not None and not self._task.done()

    async def open(self) -> None:
        """Enter. Raises what entering raises."""
        loop = asyncio.get_running_loop()
        entered = loop.create_future()
        self._task = loop.create_task(self._live(entered), name=self._name)
        try:
            await entered
        except asyncio.CancelledError:
            self._task.cancel()
            await asyncio.wait([self._task])
            raise

    async def _live(self, entered: asyncio.Future[None]) -> None:
        try:
            await self._manager.__aenter__()
        except Exception as error:  # noqa: BLE001 - belongs to whoever opens
            if not entered.done():
                entered.set_exception(error)
            return
        try:
            if not entered.done():
                entered.set_result(None)
            await self._leave.wait()
        except BaseException as error:
            await self._manager.__aexit__(type(error), error, error.__traceback__)
            raise
        await self._manager.__aexit__(None, None, None)

    async def close(self) -> None:
        """Leave. Raises what leaving raises."""
        self._leave.set()
        if self._task is not None:
            await self._task
