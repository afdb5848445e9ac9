"""A stream as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

::

    event: text    data: {"text": "…"}                                          as the model writes
    event: done    data: {"id", "model", "stop_reason", "usage", "attempts"}    and "tool_use" when it wants tools
    event: error   data: {"type": "error", "error": {"type", "message"}, "request_id"}
    : keep-alive                                                                while there is nothing else to say

After ``done`` or ``error`` the stream ends. A browser's ``EventSource`` would ask again then, and the answer be
paid again: whoever comes back with a ``Last-Event-ID`` gets 204, which tells it to stay away.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Final

import anyio
from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from headway.core.faults import HeadwayError
from headway.web.problem import problem_of

if TYPE_CHECKING:
    from headway.adapters.anthropic.message_stream import HeadwayMessageStream
    from headway.runtime.stream_manager import StreamManager

log: Final = logging.getLogger("headway")
KEEP_ALIVE: Final = 15.0
"""Seconds; proxies close a silent connection after 30 to 60."""


def sse(stream: StreamManager[Any], *, keep_alive: float = KEEP_ALIVE) -> EventStream:
    """Answer a request with ``scheduler.stream(…)``: text as it comes, then usage, or an error that quotes
    neither keys nor prompts. When the client leaves, the job is cancelled, queued or running.

    ``keep_alive``: seconds without an event after which a comment is sent.
    """
    return EventStream(stream, keep_alive=keep_alive)


class EventStream(Response):
    """The response that `sse` makes; it opens the stream when it is served, not before."""

    media_type = "text/event-stream"

    def __init__(
        self,
        stream: AbstractAsyncContextManager[HeadwayMessageStream[Any]],
        *,
        keep_alive: float = KEEP_ALIVE,
        headers: Mapping[str, str] | None = None,
        background: BackgroundTask | None = None,
    ) -> None:
        if not keep_alive > 0:
            raise ValueError(f"keep_alive must be above 0 seconds, not {keep_alive!r}")
        self.status_code = 200
        self.background = background
        # nginx and others would hold the events back otherwise
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no", **(headers or {})})
        self._stream = stream
        self._keep_alive = keep_alive

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it."""
        if any(name == b"last-event-id" for name, _ in scope["headers"]):
            await Response(status_code=204)(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with anyio.create_task_group() as group:
            line = _Line(send, group.cancel_scope)
            group.start_soon(line.watch, receive)
            group.start_soon(line.keep_alive, self._keep_alive)
            await self._pump(line)
            await line.end()
            group.cancel_scope.cancel()
        if self.background is not None:
            await self.background()

    async def _pump(self, line: _Line) -> None:
        try:
            async with self._stream as stream:
                async for event in stream:
                    if event.type == "text":
                        await line.event("text", {"text": event.text})
                await line.event("done", _summary(stream))
        except HeadwayError as error:
            await line.event("error", problem_of(error).body())
        except Exception as error:  # noqa: BLE001 - the client must not wait for ever
            # Without the traceback, which may hold prompts.
            log.error("a stream to a client broke: %s", type(error).__name__)  # noqa: TRY400
            await line.event("error", problem_of(error).body())


class _Line:
    """The connection to one client; whole events, one after the other."""

    def __init__(self, send: Send, answer: anyio.CancelScope) -> None:
        self._send = send
        self._answer = answer
        self._turn = anyio.Lock()
        self._said = anyio.current_time()
        self._events = 0

    async def event(self, name: str, data: object) -> None:
        """Send an event."""
        self._events += 1
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        await self._write(f"id: {self._events}\nevent: {name}\ndata: {text}\n\n")

    async def keep_alive(self, seconds: float) -> None:
        """Say something whenever nothing else was said for so long."""
        while True:
            await anyio.sleep_until(self._said + seconds)
            if anyio.current_time() >= self._said + seconds:
                await self._write(": keep-alive\n\n")

    async def watch(self, receive: Receive) -> None:
        """End everything when the client leaves."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._answer.cancel()

    async def end(self) -> None:
        """Nothing more comes."""
        await self._write("", more=False)

    async def _write(self, text: str, *, more: bool = True) -> None:
        async with self._turn:
            self._said = anyio.current_time()
            body = text.encode(errors="replace")
            try:
                await self._send({"type": "http.response.body", "body": body, "more_body": more})
            except OSError:  # how servers of ASGI 2.4 say that the client has left
                self._answer.cancel()


def _summary(stream: HeadwayMessageStream[Any]) -> dict[str, object]:
    message = stream.current_message_snapshot
    done: dict[str, object] = {
        "id": message.id,
        "model": message.model,
        "stop_reason": message.stop_reason,
        "usage": message.usage.model_dump(mode="json", exclude_none=True),
        "attempts": len(stream.job.attempts),
    }
    wanted = [
        {"id": block.id, "name": block.name, "input": block.input}
        for block in message.content
        if block.type == "tool_use"
    ]
    return {**done, "tool_use": wanted} if wanted else done
