"""An event loop whose clock jumps over waits, but only while nothing is on the wire.

With real HTTP the plain virtual clock could jump while an answer is still in the kernel, and a timeout of minutes
would strike. This one asks first: while a request is under way it waits in earnest, otherwise it jumps.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Mapping
from typing import Any


class _AskingSelector(selectors.BaseSelector):
    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.loop: PatientLoop | None = None

    def register(self, fileobj: Any, events: int, data: object = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: object = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        loop = self.loop
        events = self._real.select(0)
        if events or loop is None or timeout == 0:
            return events
        if timeout is not None and loop.idle():
            loop.jump(timeout)
            return []
        began = time.monotonic()
        events = self._real.select(timeout)
        loop.jump(time.monotonic() - began)
        return events


class PatientLoop(asyncio.SelectorEventLoop):
    """Real time while `idle` says no (as it does at first), virtual time while it says yes."""

    def __init__(self) -> None:
        self._now = 0.0
        self.idle: Callable[[], bool] = lambda: False
        selector = _AskingSelector()
        super().__init__(selector)
        selector.loop = self

    def time(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        # A hair further than asked: rounding must not stop short of a timer for ever.
        self._now += seconds + 1e-9 * max(1.0, self._now)
