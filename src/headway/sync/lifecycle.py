"""The life of a blocking scheduler: opened, watched, steered, drained, closed."""

from __future__ import annotations

import atexit
import logging
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from headway.errors import SchedulerClosedError
from headway.scheduler import Scheduler as AsyncScheduler
from headway.sync.bridge import Bridge

if TYPE_CHECKING:
    from headway.core.limits import Limits
    from headway.core.spend import SpendCap
    from headway.runtime.status import Status

log: Final = logging.getLogger("headway")
EXIT_PATIENCE: Final = 5.0
"""Seconds for which the end of the interpreter waits for a scheduler that was left open."""


class Lifecycle:
    """Everything about a blocking scheduler but the asking: `headway.sync.Scheduler` adds that."""

    def __init__(self, scheduler: AsyncScheduler) -> None:
        self._scheduler = scheduler
        self._bridge: Bridge | None = None
        self._used = False

    def open(self) -> Self:
        """Open without ``with``: at the Python prompt. `close` it at the end; an interpreter that ends before
        cuts it off."""
        if self._used:
            raise SchedulerClosedError("this scheduler is open or was used already; make a new one")
        self._used = True
        bridge = Bridge()
        try:
            bridge.wait(self._scheduler.open)
        except BaseException:
            bridge.close()
            raise
        self._bridge = bridge
        atexit.register(self._exit)
        return self

    def close(self, grace: float | None = None) -> None:
        """Finish what was submitted, and end. What is not finished after ``grace`` seconds (``None``: however
        long) ends resumably, and so it does at once when this is interrupted. Does nothing the second time."""
        bridge, self._bridge = self._bridge, None
        if bridge is None:
            return
        atexit.unregister(self._exit)
        try:
            bridge.wait(self._scheduler.aclose, grace)
        finally:
            bridge.close()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(None if error is None else 0.0)

    def status(self) -> Status:
        """Queue, in flight, rates, spend and budgets, now."""
        return self._open_bridge.call(self._scheduler.status)

    def set_limits(self, limits: Limits) -> None:
        """Tell other limits while running; what the API's headers say still wins."""
        self._open_bridge.call(self._scheduler.set_limits, limits)

    def set_spend_cap(self, cap: SpendCap) -> None:
        """Another cap while running; see `headway.Scheduler.set_spend_cap`."""
        self._open_bridge.call(self._scheduler.set_spend_cap, cap)

    def drain(self, timeout: float | None = None) -> bool:
        """Accept no new jobs and wait until the others have ended; after ``timeout`` seconds the rest ends
        resumably. True if everything was finished in time."""
        return self._open_bridge.wait(self._scheduler.drain, timeout)

    def stop(self, grace: float | None = None) -> None:
        """Send nothing new; what is in flight may finish within ``grace`` seconds. Queued jobs end resumably."""
        self._open_bridge.wait(self._scheduler.stop, grace)

    def abort(self) -> None:
        """Cut off everything at once; unfinished jobs end resumably."""
        self._open_bridge.call(self._scheduler.abort)

    def resume(self) -> None:
        """Send again after the cause of ``status().halted`` is mended."""
        self._open_bridge.call(self._scheduler.resume)

    @property
    def _open_bridge(self) -> Bridge:
        if self._bridge is None:
            state = "closed; make a new one" if self._used else "not open: use it in 'with' or call open()"
            raise SchedulerClosedError(f"the scheduler is {state}")
        return self._bridge

    def _exit(self) -> None:
        """The interpreter ends: cut off what is left, so that connections and journal are closed in order."""
        bridge, self._bridge = self._bridge, None
        if bridge is None:
            return
        try:
            bridge.start(self._scheduler.aclose, 0.0).result(EXIT_PATIENCE)
        except Exception as error:  # noqa: BLE001 - nobody is left to raise it to
            log.warning("a scheduler left open at the end was not closed: %s", type(error).__name__)
