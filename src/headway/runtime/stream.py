"""A streamed answer that survives: attempt after attempt, joined into one.

Before anything was shown a failure is retried like any job's. After that the answer is resumed where it
stopped, or made anew from its last text on. The caller's own task reads and waits; nothing runs ahead of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import anyio

from headway.core.catalog import Catalog
from headway.core.error_kind import ErrorKind
from headway.core.event_order import EventOrder
from headway.core.failure import failure_of
from headway.core.limits import NO_REPORT
from headway.core.partial import DISCARD, Partial, Piece
from headway.core.request import Request
from headway.core.resume import interrupted, resumed
from headway.core.splice import Splice, is_visible
from headway.core.tokens import CHARS_PER_TOKEN
from headway.core.usage import NO_USAGE
from headway.errors import (
    HeadwayError,
    JobExpiredError,
    JobFailedError,
    StoppedError,
    StreamInterruptedError,
)
from headway.ports import Rejection, StreamAttempt, StreamingTransport
from headway.runtime.clock import loop_time
from headway.runtime.flow import Flow
from headway.runtime.guest import Guest
from headway.runtime.handle import Job
from headway.runtime.stream_verdict import judged

if TYPE_CHECKING:
    from anthropic.types import Message

T = TypeVar("T")


class AnswerStream:
    """A `StreamSource`: the events of one job's answer."""

    def __init__(
        self, guest: Guest, transport: StreamingTransport, flow: Flow, catalog: Catalog, *, resume: bool
    ) -> None:
        self.job: Job[Message] = guest.job
        self.snapshot: Callable[[], Message | None] = lambda: None
        self.misfit: Callable[[], str | None] = lambda: None
        self._guest = guest
        self._transport = transport
        self._flow = flow
        self._catalog = catalog
        self._resume = resume
        self._continuation: Request | None = None
        self._attempt: StreamAttempt | None = None
        self._partial = Partial()
        self._splice = Splice()
        self._order = EventOrder()
        self._earlier = NO_USAGE
        self._ready: deque[Piece] = deque()
        self._over = False
        self._reading = False
        self._sent = False
        """The attempt under way has left for the API."""
        self._fruitless: float | None = None
        """Seconds waited for the attempt's first content; ``None`` once it has come. The reader's absences are
        not waiting."""
        self._response: object = None
        guest.when_interrupted = self._interrupted_unread

    @property
    def response(self) -> object:
        """The HTTP response of the newest attempt."""
        return self._response

    async def open(self) -> None:
        """Wait for a turn and for the headers of a good response, over as many attempts as that takes."""
        with self._alone():
            await self._open()
            if self._over:
                await self._raise_end()

    async def next(self) -> Piece | None:
        """The next event to show; ``None`` at the end, and the same error again after one."""
        with self._alone():
            while not self._over and not self._ready:
                await self._advance()
            if self._over:
                await self._raise_end()
                return None
            piece = self._ready.popleft()
            if piece.type == "message_stop":
                await self._complete()
            return piece

    async def refuse(self, fault: str) -> None:
        """What was shown last makes no message: the attempt is treated as one that broke there."""
        with self._alone():
            await self._recover(Rejection(failure_of(ErrorKind.MALFORMED, fault)))

    async def aclose(self) -> None:
        """Nobody reads on: what is not finished ends as cancelled, and is paid for as far as it came."""
        if self._over:
            return
        if self.job.scope is not None:
            self.job.scope.cancel()  # somebody is reading still
        if self._attempt is not None and self._partial.stop_reason is not None and not self._ready:
            await self._complete()  # only the formalities were missing
        else:
            await self._leave()

    @contextmanager
    def _alone(self) -> Generator[None]:
        """Two readers would each get half of the answer."""
        if self._reading:
            raise RuntimeError("another task is reading this stream")
        self._reading = True
        try:
            yield
        finally:
            self._reading = False

    async def _interrupted_unread(self) -> None:
        """The job was cut off: a reader notices by itself, but nobody may be reading."""
        if not self._reading and not self._over:
            await self._leave()

    async def _open(self) -> None:
        while self._attempt is None and not self._over:
            self._sent, self._fruitless = False, 0.0
            try:
                grant = await self._guest.turn()
            except HeadwayError:  # the job ended in the queue
                self._over = True
                return
            try:
                opened = await self._within(self._send)
            except BaseException:
                await self._leave()
                raise
            if isinstance(opened, Rejection):
                await self._recover(opened)
            elif self._over:  # it was closed at this very moment
                await opened.aclose()
            else:
                self._attempt, self._response, self._order = opened, opened.response, EventOrder()
                grant.observe(opened.report, loop_time())

    async def _send(self) -> StreamAttempt | Rejection:
        self._sent = True
        return await self._transport.open_stream(self._continuation or self.job.record.sending)

    async def _advance(self) -> None:
        await self._open()
        attempt = self._attempt
        if self._over or attempt is None:
            return
        piece = await self._within(attempt.next)
        if self._over:
            return
        if isinstance(piece, Piece) and (fault := self._order.fault(piece)):
            piece = Rejection(failure_of(ErrorKind.MALFORMED, fault))
        elif isinstance(piece, Piece) and piece.type == "message_stop" and self._partial.stop_reason is None:
            piece = None  # it was cut off upstream
        if isinstance(piece, Piece):
            self._show(piece)
        elif self._partial.stop_reason is not None:  # complete is what has a stop reason
            self._show(Piece("message_stop"))
        elif piece is None:
            await self._recover(Rejection(failure_of(ErrorKind.STREAM_CUT, "it ended without a stop reason")))
        else:
            await self._recover(replace(piece, report=NO_REPORT))  # its headers were heard when it opened

    def _show(self, piece: Piece) -> None:
        if is_visible(piece):
            self._fruitless = None
        self._partial.bill(piece)
        for shown in self._splice.show(piece):
            self._partial.add(shown)
            self._ready.append(shown)

    async def _within(self, step: Callable[[], Awaitable[T]]) -> T | Rejection:
        """Do a step, but no longer than the server may be silent, the job's deadline, or until the job is
        interrupted; after the last two, and when it was closed meanwhile, the stream is over."""
        job, began = self.job, loop_time()
        deadline = float("inf") if job.record.deadline is None else job.record.deadline
        if self._fruitless is None:
            bound, seconds = self._flow.idle_timeout, self._flow.idle_timeout
        else:
            bound = self._flow.first_token_timeout
            seconds = max(0.0, bound - self._fruitless)
        if job.interrupt is None and began < deadline:
            with anyio.CancelScope(deadline=min(began + seconds, deadline)) as scope:
                job.scope = scope
                try:
                    return await step()
                finally:
                    job.scope = None
                    if self._fruitless is not None:
                        self._fruitless += loop_time() - began
        if not self._over and (job.interrupt is not None or loop_time() >= deadline):
            await self._leave()
        return Rejection(
            failure_of(ErrorKind.STREAM_STALL, f"no content for {bound:g} s (pings do not count)")
        )

    async def _leave(self) -> None:
        self._over = True
        self._ready.clear()
        attempt, self._attempt = self._attempt, None
        try:
            if attempt is not None:
                await attempt.aclose()
        finally:
            await self._guest.leave(self._partial.settle() if attempt else None, sent=self._sent)

    async def _complete(self) -> None:
        self._over = True
        attempt, self._attempt = self._attempt, None
        message = self.snapshot()
        assert attempt is not None
        assert message is not None
        try:
            await attempt.aclose()
        finally:
            result = judged(message, self._partial, self.misfit(), attempt.request_id)
            await self._guest.finish(result, continued=self._earlier != NO_USAGE, last=True)

    async def _recover(self, rejection: Rejection) -> None:
        """An attempt failed: another one will go on from what was shown, or the stream is over."""
        if self._over:
            return
        if self._attempt is not None:
            await self._attempt.aclose()
            self._attempt = None
            used = self._partial.settle()
            if used != NO_USAGE:
                self._earlier += used
                rejection = replace(rejection, usage=used)
        reason = self._plan() if self._partial.visible else self._afresh()
        if reason is not None:
            rejection = replace(rejection, failure=interrupted(rejection.failure, reason))
        if not await self._guest.finish(rejection):
            self._over = True
            self._ready.clear()

    def _afresh(self) -> None:
        """Nothing was shown: the next attempt starts from the beginning, unseen."""
        self._partial = Partial()
        self._splice = Splice(earlier=self._earlier)

    def _plan(self) -> str | None:
        """Prepare the next attempt after something was shown; or why there cannot be one."""
        if not self._resume:
            return "resuming is switched off"
        request = self.job.record.sending
        shown = len(self._partial.blocks)
        kept = self._partial.keep()
        fresh = not any(text.strip() for text in kept.texts)
        if not fresh:
            facts = self._catalog.find(request.model)
            produced = round(sum(map(len, kept.texts)) / CHARS_PER_TOKEN)
            self._continuation = resumed(request, kept, produced, prefill=facts is not None and facts.prefill)
            if self._continuation is None:
                return "a structured output cannot be resumed"
        if kept.blocks < shown:
            self._ready.append(Piece(DISCARD, kept.blocks))
        self._splice = Splice(kept, self._earlier, fresh=fresh)
        return None

    async def _raise_end(self) -> None:
        """What the job's end means to whoever reads, with the part that was shown; nothing after a success."""
        outcome = await self.job.outcome()
        try:
            outcome.result()
        except JobFailedError as error:
            if not self._partial.visible:
                raise
            told = error
            whole = error.failure.kind is ErrorKind.MISFIT
            if not (whole or isinstance(error, JobExpiredError | StoppedError)):
                told = StreamInterruptedError(error.failure, error.attempts, error.resumable)
            told.partial = self.snapshot()
            raise told from None
