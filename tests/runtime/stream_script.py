"""A transport whose streams follow a script in virtual time: events, pauses (numbers, seconds) and failures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import anyio
from anthropic.types import RawMessageStreamEvent
from anyio.lowlevel import checkpoint
from pydantic import TypeAdapter

from headway.adapters.anthropic.message_stream import HeadwayMessageStream
from headway.adapters.anthropic.stream_attempt import piece_of
from headway.core.limits import NO_REPORT, LimitReport
from headway.core.partial import Piece
from headway.core.request import Request
from headway.ports import Rejection, StreamSource
from headway.testing.transport import ScriptedTransport

Step = dict[str, Any] | float | Rejection
_EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)


class ScriptedStream:
    """One open stream."""

    report: LimitReport = NO_REPORT
    response: object = None
    request_id = "req_script"

    def __init__(self, steps: Iterable[Step]) -> None:
        self._steps = iter(steps)
        self._reading = False
        self.closed = 0

    async def next(self) -> Piece | Rejection | None:
        assert not self._reading, "two readers"
        self._reading = True
        try:
            for step in self._steps:
                if isinstance(step, Rejection):
                    return step
                if isinstance(step, dict):
                    return piece_of(_event(step))
                await anyio.sleep(step)
            return None
        except BaseException:  # the SDK's stream, too, is at its end after a cancelled read
            self._steps = iter(())
            raise
        finally:
            self._reading = False

    async def aclose(self) -> None:
        """Closing takes a moment in which a cancellation can strike."""
        self.closed += 1
        await checkpoint()


class StreamScript(ScriptedTransport):
    """``plays(attempt, request)``: the steps of an attempt (from 1), or why it is refused."""

    def __init__(
        self, plays: Callable[[int, Request], Iterable[Step] | Rejection], *, latency: float = 1.0
    ) -> None:
        super().__init__(latency=latency)
        self._plays = plays
        self._seconds = latency
        self.requests: list[Request] = []
        self.streams: list[ScriptedStream] = []

    async def open_stream(self, request: Request) -> ScriptedStream | Rejection:
        self.requests.append(request)
        number = len(self.requests)
        await anyio.sleep(self._seconds)
        play = self._plays(number, request)
        if isinstance(play, Rejection):
            return play
        self.streams.append(ScriptedStream(play))
        return self.streams[-1]

    def present(self, source: StreamSource, request: Request) -> HeadwayMessageStream[Any]:
        return HeadwayMessageStream(source, request.output_format)


def _event(fields: dict[str, Any]) -> RawMessageStreamEvent:
    if fields["type"] == "novelty":
        from anthropic.types import RawMessageStopEvent

        return RawMessageStopEvent.construct(**fields)
    return _EVENT.validate_python(fields)


def start(tokens: int = 10) -> dict[str, Any]:
    return {
        "type": "message_start",
        "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-5-5", "content": [],
            "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": tokens, "output_tokens": 1},
        },
    }  # fmt: skip


BLOCKS: dict[str, dict[str, Any]] = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
    "redacted_thinking": {"type": "redacted_thinking", "data": "x"},
    "tool_use": {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {}},
    "server_tool_use": {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
    "result": {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
}


def block(index: int, kind: str = "text") -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": dict(BLOCKS[kind])}


def delta(text: str, index: int = 0, kind: str = "text") -> dict[str, Any]:
    name = {"text": "text", "thinking": "thinking", "input_json": "partial_json"}[kind]
    return {"type": "content_block_delta", "index": index, "delta": {"type": f"{kind}_delta", name: text}}


def end_block(index: int = 0) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def end(tokens: int = 5, reason: str = "end_turn") -> list[Step]:
    return [
        {
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": None},
            "usage": {"output_tokens": tokens},
        },
        {"type": "message_stop"},
    ]


def whole(*texts: str, reason: str = "end_turn") -> list[Step]:
    return [start(), block(0), *(delta(text) for text in texts), end_block(), *end(reason=reason)]
