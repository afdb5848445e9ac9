"""A streamed answer that survives: attempt after attempt, joined into one.

Before anything was shown a failure is retried like any job's. After that the answer is resumed where it
stopped, or made anew from its last text on. The caller's own task reads and waits; nothing runs ahead of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import anyio

from headway.core.catalog import facts_of
from headway.core.error_kind import ErrorKind
from headway.core.failure import Failure, failure_of
from headway.core.limits import NO_REPORT
from headway.core.partial import DISCARD, Partial, Piece
from headway.core.request import Request
from headway.core.resume import resumed
from headway.core.splice import Splice
from headway.core.tokens import CHARS_PER_TOKEN
from headway.core.usage import NO_USAGE
from headway.errors import JobFailedError, StreamInterruptedError
from headway.ports import Rejection, Reply, StreamAttempt, StreamingTransport
from headway.runtime.clock import loop_time
from headway.runtime.flow import Flow
from headway.runtime.guest import Guest
from headway.runtime.handle import Job

if TYPE_CHECKING:
    from anthropic.types import Message

T = TypeVar("T")


class AnswerStream:
    """A `StreamSource`: the events of one job's answer."""

    def __init__(self, guest: Guest, transport: StreamingTransport, flow: Flow, *, resume: bool) -> None:
        self.job: Job[Message] = guest.job
        self.snapshot: Callable[[], Message | None] = lambda: None
        self._guest = guest
        self._transport = transport
        self._flow = flow
        self._resume = resume
        self._continuation: Request | None = None
        self._attempt: StreamAttempt | None = None
        self._partial = Partial()
        self._splice = Splice()
        self._earlier = NO_USAGE
        self._ready: deque[Piece] = deque()
        self._over = False
        self._sent = 0.0
        self._response: object = None

    @property
    def response(self) -> object:
        """The HTTP response of the newest attempt."""
        return self._response

    async def open(self) -> None:
        """Wait for a turn and for the headers of a good response, over as many attempts as that takes."""
        while self._attempt is None:
            grant = await self._guest.turn()
            self._sent = loop_time()
            opened = await self._within(self._send, self._patience())
            if isinstance(opened, Rejection):
                await self._recover(opened)
            else:
                self._attempt, self._response = opened, opened.response
                grant.observe(opened.report, loop_time())

    async def _send(self) -> StreamAttempt | Rejection:
        return await self._transport.open_stream(self._continuation or self.job.record.sending)

    async def next(self) -> Piece | None:
        """The next event to show; ``None`` at the end."""
        while not self._ready:
            if self._over:
                return None
            await self._advance()
        piece = self._ready.popleft()
        if piece.type == "message_stop":
            await self._complete()
        return piece

    async def aclose(self) -> None:
        """Nobody reads on: what is not finished ends as cancelled, and is paid for as far as it came."""
        if self._over:
            return
        if self._attempt is not None and self._partial.stop_reason is not None:
            await self._complete()  # only the formalities were missing
        else:
            await self._leave()

    async def _advance(self) -> None:
        if self._attempt is None:
            await self.open()
        attempt = self._attempt
        assert attempt is not None
        seconds = self._flow.idle_timeout if self._partial.visible else self._patience()
        piece = await self._within(attempt.next, seconds)
        if piece is None:
            self._ended()
            if not self._ready:
                await self._recover(
                    Rejection(failure_of(ErrorKind.STREAM_CUT, "it ended before message_stop"))
                )
        elif isinstance(piece, Rejection):
            await self._recover(replace(piece, report=NO_REPORT))  # its headers were heard when it opened
        else:
            self._show(piece)

    def _show(self, piece: Piece) -> None:
        self._partial.bill(piece)
        for shown in self._splice.show(piece):
            self._partial.add(shown)
            self._ready.append(shown)

    def _ended(self) -> None:
        """The body is over: complete is only what had a stop reason."""
        if self._partial.stop_reason is not None:
            self._show(Piece("message_stop"))

    def _patience(self) -> float:
        """Seconds left for the first event with content."""
        return max(0.0, self._sent + self._flow.first_token_timeout - loop_time())

    async def _within(self, step: Callable[[], Awaitable[T]], seconds: float) -> T | Rejection:
        """Do a step, but no longer than this, the job's deadline, or until the job is interrupted."""
        job = self.job
        deadline = float("inf") if job.record.deadline is None else job.record.deadline
        with anyio.CancelScope(deadline=min(loop_time() + seconds, deadline)) as scope:
            job.scope = scope
            try:
                if job.interrupt is not None:
                    scope.cancel()
                return await step()
            finally:
                job.scope = None
        if job.interrupt is not None or loop_time() >= deadline:
            await self._leave()
            raise self._error()
        quiet = self._flow.idle_timeout if self._partial.visible else self._flow.first_token_timeout
        return Rejection(
            failure_of(ErrorKind.STREAM_STALL, f"no content for {quiet:g} s (pings do not count)")
        )

    async def _leave(self) -> None:
        self._over = True
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            await attempt.aclose()
        await self._guest.leave(self._partial.settle() if attempt else None, sent=self._sent > 0)

    async def _complete(self) -> None:
        self._over = True
        attempt, self._attempt = self._attempt, None
        message = self.snapshot()
        assert attempt is not None
        assert message is not None
        await attempt.aclose()
        usage = self._partial.settle()
        reply = Reply(message, "", usage, NO_REPORT, self._partial.stop_reason, attempt.request_id)
        await self._guest.finish(reply, self._earlier)

    async def _recover(self, rejection: Rejection) -> None:
        """An attempt failed: another one will go on from what was shown, or the stream ends with an error."""
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            await attempt.aclose()
            used = self._partial.settle()
            if used != NO_USAGE:
                self._earlier += used
                rejection = replace(rejection, usage=used)
        reason = self._plan() if self._partial.visible else self._afresh()
        if reason is not None:
            rejection = replace(rejection, failure=_interrupted(rejection.failure, reason))
        if not await self._guest.finish(rejection):
            self._over = True
            self._ready.clear()
            raise self._error()

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
            facts = facts_of(request.model)
            produced = round(sum(map(len, kept.texts)) / CHARS_PER_TOKEN)
            continuation = resumed(request, kept, produced, prefill=facts is not None and facts.prefill)
            if continuation is None:
                return "a structured output cannot be resumed"
            self._continuation = continuation
        if kept.blocks < shown:
            self._ready.append(Piece(DISCARD, kept.blocks))
        self._splice = Splice(kept, self._earlier, fresh=fresh)
        return None

    def _error(self) -> Exception:
        """What the job's end means to whoever reads; with the part that was shown."""
        outcome = self.job.peek()
        assert outcome is not None
        try:
            outcome.result()
        except JobFailedError as error:
            if not self._partial.visible:
                return error
            broken = StreamInterruptedError(error.failure, error.attempts, error.resumable)
            broken.partial = self.snapshot()
            return broken
        except Exception as error:  # noqa: BLE001 - cancelled: handed on as it is
            return error
        raise AssertionError("a stream that ended early did not succeed")


def _interrupted(failure: Failure, reason: str) -> Failure:
    """No further attempt, whatever the failure was."""
    if failure.row.attempts == 1 and not failure.row.throttle:
        return failure
    late = failure_of(ErrorKind.STREAM_INTERRUPTED, f"{failure.kind.value}: {failure.message}; {reason}")
    return replace(late, status=failure.status, type=failure.type, request_id=failure.request_id)
