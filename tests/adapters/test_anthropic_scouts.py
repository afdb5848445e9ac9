"""A scout is sent as a stream: its headers come first, its message is the same."""

from __future__ import annotations

import asyncio
import json

import pytest
from anthropic import AsyncAnthropicFoundry, DefaultAsyncHttpxClient
from anthropic.types import Message
from anthropic_rig import BOUND, MODEL, Start, client_of, json_answer, raw_server, request_of

from headway.adapters.anthropic import AnthropicTransport
from headway.adapters.anthropic.transport import STREAM_FROM
from headway.core.error_kind import ErrorKind
from headway.core.limits import LimitReport
from headway.core.request import Request
from headway.ports import Rejection, Reply
from headway.testing.fake_api import Latency

pytestmark = pytest.mark.anyio


class Ear:
    """Remembers what it heard, and that it did."""

    def __init__(self) -> None:
        self.reports: list[LimitReport] = []
        self.heard = asyncio.Event()

    def __call__(self, report: LimitReport) -> None:
        self.reports.append(report)
        self.heard.set()


async def sent(transport: AnthropicTransport, ear: Ear, request: Request | None = None) -> Reply:
    async with asyncio.timeout(BOUND):
        result = await transport.send(request or request_of(), on_headers=ear)
    assert isinstance(result, Reply), result
    return result


async def test_headers_are_heard_before_the_answer_is_there(start: Start) -> None:
    rig = await start(latency=Latency(ttft=0.0, speed=2.0, jitter=0.0))
    ear = Ear()
    attempt = asyncio.create_task(sent(rig.transport, ear, request_of(max_tokens=4000)))
    async with asyncio.timeout(BOUND):
        await ear.heard.wait()
    assert not attempt.done()
    assert ear.reports[0]
    attempt.cancel()


async def test_the_message_is_as_that_of_a_plain_answer(start: Start) -> None:
    rig = await start()
    plain, scout = await rig.send(), await sent(rig.transport, Ear())
    assert isinstance(plain, Reply)
    assert type(scout.message) is Message
    assert _shape(json.loads(scout.body)) == _shape(json.loads(plain.body))
    assert _shape(scout.message.to_dict()) == _shape(plain.message.to_dict())
    assert scout.report
    assert scout.request_id == scout.message._request_id is not None


def _shape(value: object) -> object:
    """What is there, whatever its values: two answers of the fake API differ in their words."""
    if isinstance(value, dict):
        return {str(name): _shape(part) for name, part in value.items()}
    return [_shape(part) for part in value] if isinstance(value, list) else type(value)


async def test_one_who_does_not_stream_may_answer_as_a_whole() -> None:
    body = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "all at once"}], "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }  # fmt: skip
    async with raw_server(json_answer(json.dumps(body).encode())) as url, client_of("httpx2", url) as client:
        reply = await sent(AnthropicTransport(client), Ear())
        long = await AnthropicTransport(client).send(request_of(max_tokens=STREAM_FROM))
    assert json.loads(reply.body) == body
    assert reply.usage.output == 2
    assert isinstance(long, Reply)
    assert json.loads(long.body) == body


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b'{"type": "message"}', b"\xff"])
async def test_a_whole_answer_that_is_none_is_a_failure(body: bytes) -> None:
    async with raw_server(json_answer(body)) as url, client_of("httpx2", url) as client:
        result = await AnthropicTransport(client).send(request_of(), on_headers=Ear())
    assert isinstance(result, Rejection)
    assert result.failure.kind is ErrorKind.MALFORMED


async def test_a_client_with_a_middleware_is_sent_plain_calls_only(start: Start) -> None:
    streamed: list[bool] = []

    async def watch(request, call_next):
        streamed.append(request.stream)
        return await call_next(request)

    rig, ear = await start(client={"middleware": [watch]}), Ear()
    await sent(rig.transport, ear)
    assert streamed == [False]
    assert not ear.reports


async def test_other_clouds_are_sent_plain_calls_only(start: Start) -> None:
    """A stream may need a permission of its own there."""
    rig, ear = await start(), Ear()
    async with AsyncAnthropicFoundry(
        api_key="sk-test", base_url=rig.api.base_url, http_client=DefaultAsyncHttpxClient()
    ) as client:
        await sent(AnthropicTransport(client), ear)
    assert not ear.reports
