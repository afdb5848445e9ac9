"""Virtual time: hours pass in milliseconds and nothing is flaky.

::

    anyio.run(main, backend_options={"loop_factory": virtual_loop})

The loop is asyncio's own with a selector that, instead of waiting for the next timer, moves the clock to it.
It moves *exactly* to it: a clock that is rounded stops short of a deadline, and anyio's cancel scopes then
ask for the same deadline for ever.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

_T = TypeVar("_T")


class _JumpingSelector(selectors.BaseSelector):
    """Looks at the files without waiting; if nothing is ready, lets the clock jump."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.loop: VirtualLoop | None = None

    def register(
        self, fileobj: FileDescriptorLike, events: int, data: object = None
    ) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: FileDescriptorLike, events: int, data: object = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[FileDescriptorLike, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # Without any timer only a thread or a socket can go on: then, and while a thread is at work for the loop
        # (whose answer must not come hours late in virtual time), wait in earnest.
        wait = timeout is None or (timeout > 0 and self.loop is not None and self.loop.has_threads)
        events = self._real.select(None if wait else 0)
        if not events and not wait and timeout and self.loop is not None:
            self.loop.jump(timeout)
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock starts at 0 and jumps from timer to timer."""

    def __init__(self) -> None:
        selector = _JumpingSelector()
        self._now = 0.0
        self.threads = 0
        """Calls that are out in an executor, and what else is not to be overtaken."""
        super().__init__(selector)
        selector.loop = self

    @property
    def has_threads(self) -> bool:
        """Whether threads are at work whose end this loop waits for: of its executor, or of `anyio.to_thread`."""
        return self.threads > 0 or any(_works_for(self, thread) for thread in threading.enumerate())

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def run_in_executor(  # type: ignore[override]  # as typeshed writes it, with a type variable per argument
        self, executor: Executor | None, func: Callable[..., _T], *args: object
    ) -> asyncio.Future[_T]:
        """As asyncio's; time stands still until the call has answered."""
        future = super().run_in_executor(executor, func, *args)
        self.threads += 1
        future.add_done_callback(self._answered)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """As asyncio's; no time passes while the threads end (before 3.12 there was no ``timeout``)."""
        self.threads += 1
        try:
            await super().shutdown_default_executor(*(() if timeout is None else (timeout,)))
        finally:
            self.threads -= 1

    def _answered(self, _: asyncio.Future[_T]) -> None:
        self.threads -= 1

    def jump(self, seconds: float) -> None:
        """Move the clock to the next timer, at most ``seconds`` ahead."""
        self._now = max(self._now + seconds, min(self._next_timer(), self._now + seconds * (1 + 1e-9)))

    def _next_timer(self) -> float:
        scheduled: list[asyncio.TimerHandle] = getattr(self, "_scheduled", [])  # private, stable since 3.4
        return scheduled[0].when() if scheduled else 0.0


def _works_for(loop: VirtualLoop, thread: threading.Thread) -> bool:
    """Whether anyio's worker thread is busy: nothing public says so; without these names all is as before."""
    idle: Collection[object] | None = getattr(thread, "idle_workers", None)
    return idle is not None and getattr(thread, "loop", None) is loop and thread not in idle


def virtual_loop() -> asyncio.AbstractEventLoop:
    """A new `VirtualLoop`, as ``loop_factory`` wants it."""
    return VirtualLoop()
