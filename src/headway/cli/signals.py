"""Ctrl-C and SIGTERM: the first drains, the second stops at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from headway.cli.exit_status import ExitStatus

SIGNALS: Final = {
    signal.SIGINT: ExitStatus.INTERRUPTED,
    signal.SIGTERM: ExitStatus.TERMINATED,
}
PATIENCE: Final = 3.0
"""Seconds that stopping at once may take before the process simply ends."""


class Interruption:
    """Inside ``with``: calls ``drain`` at the first signal and ``cut`` at the second, then ends by force."""

    def __init__(
        self, drain: Callable[[], None], cut: Callable[[], None], restore: Callable[[], None]
    ) -> None:
        self._drain = drain
        self._cut = cut
        self._restore = restore
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.status: ExitStatus | None = None
        """The exit status that the first signal asks for."""

    @property
    def at_once(self) -> bool:
        """A second signal came."""
        return self._count > 1

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number, status in SIGNALS.items():
            loop.add_signal_handler(number, self._received, status)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.remove_signal_handler(number)

    def _received(self, status: ExitStatus) -> None:
        self._count += 1
        self.status = self.status or status
        if self._count == 1:
            self._in_a_task(self._drain)
        elif self._count == 2:
            self.status = status
            asyncio.get_running_loop().call_later(PATIENCE, self._end)
            self._in_a_task(self._cut)
        else:
            self._end()

    def _in_a_task(self, action: Callable[[], None]) -> None:
        """A signal handler runs outside any task, where anyio does not know its loop."""

        async def act() -> None:
            action()

        task = asyncio.get_running_loop().create_task(act())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _end(self) -> None:
        self._restore()
        os._exit(self.status or ExitStatus.INTERRUPTED)
