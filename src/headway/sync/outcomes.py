"""``map`` without async: input read in the caller's thread, as much as the window holds; outcomes handed back."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, cast

import anyio

from headway.errors import SchedulerClosedError
from headway.runtime.handle import Outcome
from headway.runtime.outcomes import Outcomes as AsyncOutcomes
from headway.sync.bridge import Bridge

if TYPE_CHECKING:
    from anthropic.types import Message

CHUNK: Final = 64
"""Requests handed over at a time at most."""
HASTE: Final = 0.005
"""Seconds after which what was read of a slow input is handed over."""


class _Channel:
    """What the reader and the loop share. It does not know the reader, so that dropping it ends the work."""

    def __init__(self) -> None:
        self.ready: SimpleQueue[Outcome[Message] | Exception | None] = SimpleQueue()
        """Outcomes; then perhaps an error; then ``None``, which stays."""
        self._inputs: deque[object] = deque()
        self._complete = False
        self._news = anyio.Event()

    async def supply(self, chunk: list[object], complete: bool) -> None:
        """More input, in the loop."""
        self._inputs.extend(chunk)
        self._complete = complete
        self._news.set()

    async def run(self, begin: Callable[[AsyncIterable[object]], AsyncOutcomes]) -> None:
        """Map the input, in the loop."""
        try:
            async with begin(self._feed()) as outcomes:
                async for outcome in outcomes:
                    self.ready.put(outcome)
        except Exception as error:  # noqa: BLE001 - raised where the outcomes are read
            self.ready.put(error)
        finally:
            self.ready.put(None)

    async def _feed(self) -> AsyncIterator[object]:
        while True:
            self._news = anyio.Event()
            while self._inputs:
                yield self._inputs.popleft()
            if self._complete:
                return
            await self._news.wait()


class Outcomes(Iterator["Outcome[Message]"]):
    """The outcomes of many requests, as they end or in input order; see `headway.Outcomes`.

    Leaving the loop early cancels what is left: at once inside ``with``, else when the iterator is dropped.
    """

    def __init__(
        self,
        bridge: Bridge,
        requests: Iterable[object],
        begin: Callable[[AsyncIterable[object]], AsyncOutcomes],
        *,
        window: int,
    ) -> None:
        self._requests = iter(requests)
        self._bridge = bridge
        self._window = window
        self._held = 0
        self._exhausted = False
        self._error: Exception | None = None
        self._reading = threading.Lock()
        self._channel = channel = _Channel()
        self._work: Future[None] = bridge.start(channel.run, begin)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Outcome[Message]:
        ready = self._channel.ready
        self._read_on()
        while ready.empty() and self._read_on():
            pass
        item = ready.get()
        if item is None:
            ready.put(None)  # whoever asks again, in whatever thread
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            raise StopIteration
        if isinstance(item, Exception):
            self._exhausted = True
            if isinstance(self._error, SchedulerClosedError):
                self._error = None  # the same, seen from here
            raise item
        with self._reading:
            self._held -= 1
        return item

    def close(self) -> None:
        """Read no further, and take back the jobs that have not ended."""
        with self._reading:
            self._exhausted = True
        self._work.cancel()
        self._channel.ready.put(None)  # work that had not begun says nothing any more

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        work: Future[None] | None = getattr(self, "_work", None)
        if work is not None:
            work.cancel()

    def _read_on(self) -> bool:
        """Hand over some more input, if there is any and the window has room; else false."""
        with self._reading:
            room = min(CHUNK, self._window - self._held)
            if self._exhausted or room <= 0:
                return False
            chunk: list[object] = []
            begun = time.monotonic()
            try:
                while len(chunk) < room and time.monotonic() - begun < HASTE:
                    chunk.append(next(self._requests))
            except StopIteration:
                self._exhausted = True
            except Exception as error:  # noqa: BLE001 - the input's own: raised after the outcomes before it
                self._exhausted, self._error = True, error
            self._held += len(chunk)
            try:
                self._bridge.start(self._channel.supply, chunk, self._exhausted)
            except SchedulerClosedError as error:
                self._exhausted = True
                self._error = self._error or error
            return True


def input_of(requests: object) -> Iterable[object]:
    """The requests of a blocking ``map``; TypeError for what only a loop can read."""
    if isinstance(requests, AsyncIterable):
        raise TypeError("headway.sync reads plain iterables; for an async one use headway.Scheduler")
    if isinstance(requests, str):
        raise TypeError("map() takes many requests; for one use submit() or run()")
    return cast("Iterable[object]", requests)
