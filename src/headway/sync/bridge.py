"""The way from any thread into the scheduler's event loop."""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import ParamSpec, TypeVar

import anyio
from anyio.from_thread import BlockingPortal

from headway.errors import SchedulerClosedError

P = ParamSpec("P")
T = TypeVar("T")


class Bridge:
    """A thread with an event loop, and calls into it from all others.

    Calls raise `SchedulerClosedError` when the loop is gone, in a forked process, and in the loop's own thread,
    which would wait for itself.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._gate = threading.Lock()
        opened: Future[BlockingPortal] = Future()
        # A daemon: it never keeps an interpreter from ending. Not anyio's `start_blocking_portal`, whose generator
        # is finalised when the interpreter ends, and then waits for a thread that does not run any more.
        self._thread = threading.Thread(
            target=anyio.run, args=(_live, opened), name="headway scheduler", daemon=True
        )
        self._thread.start()
        self._portal: BlockingPortal | None = opened.result()

    def call(self, function: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """Call a plain function in the loop; the result is handed back as it is, awaitable or not."""

        async def called() -> T:
            return function(*args, **named)

        return self.wait(called)

    def wait(self, function: Callable[P, Awaitable[T]], *args: P.args, **named: P.kwargs) -> T:
        """Await an async function in the loop. Interrupted here (Ctrl-C), it is cancelled there."""
        future = self.start(function, *args, **named)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def start(self, function: Callable[P, Awaitable[T]], *args: P.args, **named: P.kwargs) -> Future[T]:
        """Run an async function in the loop; cancelling the future cancels it."""

        async def started() -> T:
            return await function(*args, **named)

        with self._gate:  # a call that came after the loop's last turn would never be answered
            portal = self._here()
            try:
                return portal.start_task_soon(started)
            except RuntimeError as error:
                raise SchedulerClosedError(_reason(error)) from None

    def require_process(self) -> None:
        """Raises in a forked process: the loop's thread is not there."""
        if self._process != os.getpid():
            raise SchedulerClosedError("the scheduler was opened before the fork; open one after the fork")

    def close(self) -> None:
        """End the loop and its thread, once everything in it has ended."""
        with self._gate:
            portal, self._portal = self._portal, None
        if portal is not None:
            portal.call(portal.stop, False)
            self._thread.join()

    def _here(self) -> BlockingPortal:
        self.require_process()
        if self._portal is None:
            raise SchedulerClosedError("the scheduler is closed; make a new one")
        return self._portal


async def _live(opened: Future[BlockingPortal]) -> None:
    try:
        async with BlockingPortal() as portal:
            opened.set_result(portal)
            await portal.sleep_until_stopped()
    except BaseException as error:
        if not opened.done():
            opened.set_exception(error)
        raise


def _reason(error: RuntimeError) -> str:
    if "event loop thread" in str(error):
        return "headway.sync cannot be called from the scheduler's own thread (a sink or callback)"
    return "the scheduler is closed; make a new one"
