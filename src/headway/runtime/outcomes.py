"""``scheduler.map``: a lazy input in, outcomes out, a bounded window between them."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

import anyio
import anyio.abc
from anyio.lowlevel import checkpoint

from headway.errors import SchedulerClosedError
from headway.runtime.bell import Bell
from headway.runtime.clock import running_loop
from headway.runtime.fault import is_fault
from headway.runtime.handle import Job, Outcome

if TYPE_CHECKING:
    from anthropic.types import Message

Submit = Callable[[object], "Job[Message]"]


async def _always() -> None:
    return


class _Window:
    """What feeder and reader share; it does not know the reader, so that dropping the reader ends the work."""

    def __init__(
        self, size: int, *, ordered: bool, ended: Callable[[], None], room: Callable[[], Awaitable[None]]
    ) -> None:
        self.size = size
        self.at_end = ended
        self.room = room
        self.ordered = ordered
        self.jobs: deque[Job[Message]] = deque()
        self.pending: set[Job[Message]] = set()
        self.ready: deque[Outcome[Message]] = deque()
        self.held = 0
        """Jobs submitted whose outcome has not been taken yet."""
        self.exhausted = False
        self.closed = False
        self.error: Exception | None = None
        self.home = running_loop()
        self.scope = anyio.CancelScope()
        self._bell = Bell()
        self.notify = self._bell.ring
        self.wait = self._bell.wait

    def add(self, job: Job[Message]) -> None:
        self.held += 1
        if self.ordered:
            self.jobs.append(job)
        self.pending.add(job)
        job.add_done_callback(_Seat(self, job))

    def took(self, job: Job[Message], outcome: Outcome[Message]) -> None:
        self.pending.discard(job)
        if not self.ordered:
            self.ready.append(outcome)
        self.notify()

    def take(self) -> Outcome[Message] | None:
        if self.ready:
            return self.ready.popleft()
        if self.jobs and self.jobs[0] not in self.pending:
            return self.jobs.popleft().peek()
        return None

    def close(self) -> None:
        """Nobody reads on: stop feeding, take the jobs back."""
        self.closed = True
        self.scope.cancel()
        for job in list(self.pending):
            job.cancel()
        self.pending.clear()
        self.notify()


class _Seat:
    """A job's place in a window; a million may be taken, so it is small."""

    __slots__ = ("_job", "_window")

    def __init__(self, window: _Window, job: Job[Message]) -> None:
        self._window = window
        self._job = job

    def __call__(self, outcome: Outcome[Message]) -> None:
        self._window.took(self._job, outcome)


class Outcomes(AsyncIterator["Outcome[Message]"]):
    """The outcomes of many requests, as they end or in input order. A failed job is an outcome, not an
    exception; only an exception of the input itself is raised, after the outcomes that came before it.

    Leaving the loop early cancels what is left: at once inside ``async with``, else when the iterator is
    dropped.
    """

    def __init__(
        self,
        requests: Iterable[object] | AsyncIterable[object],
        submit: Submit,
        group: anyio.abc.TaskGroup,
        *,
        window: int,
        ordered: bool,
        ended: Callable[[], None] = lambda: None,
        room: Callable[[], Awaitable[None]] = _always,
    ) -> None:
        """``ended`` is called when the input has been read to its end; ``room`` waits until it may be read on."""
        self._window = _Window(window, ordered=ordered, ended=ended, room=room)
        group.start_soon(_feed, requests, submit, self._window, name="headway map")

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Outcome[Message]:
        window = self._window
        while True:
            if (outcome := window.take()) is not None:
                window.held -= 1
                window.notify()
                return outcome
            if window.closed or (window.exhausted and not window.held):
                if window.error is not None:
                    error, window.error = window.error, None
                    raise error
                raise StopAsyncIteration
            if running_loop() is not window.home:
                raise SchedulerClosedError("these outcomes belong to another thread or event loop")
            await window.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._window.close()

    def __del__(self) -> None:
        window = getattr(self, "_window", None)
        if window is not None and not (window.exhausted and not window.pending):
            try:
                window.close()
            except RuntimeError:
                return  # the loop is gone, and the jobs with it


async def _feed(requests: Iterable[object] | AsyncIterable[object], submit: Submit, window: _Window) -> None:
    """Take from the input only as much as the window holds."""
    try:
        with window.scope:
            try:
                if isinstance(requests, AsyncIterable):
                    async for request in requests:
                        window.add(submit(request))
                        await _room(window)
                else:
                    for count, request in enumerate(requests, 1):
                        window.add(submit(request))
                        await _room(window)
                        if count % 64 == 0:
                            await checkpoint()
            except BaseException as error:
                if not is_fault(error):
                    raise
                # The input's own error belongs to the reader; who is not cancelled is not told to be.
                own = isinstance(error, Exception)
                window.error = error if own else RuntimeError("what the input waited for was cancelled")
    except BaseException:  # the scheduler was closed around it, and somebody may still be reading
        window.error = SchedulerClosedError("the scheduler was closed before map() had read all of its input")
        raise
    finally:
        window.exhausted = True
        window.at_end()
        window.notify()


async def _room(window: _Window) -> None:
    await window.room()
    while window.held >= window.size:
        await window.wait()
