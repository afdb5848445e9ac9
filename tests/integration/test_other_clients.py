"""The SDK's other asynchronous clients through a scheduler: their URLs change below the middleware, their budgets
and retries do not."""

from __future__ import annotations

import base64
import gzip
import json
import struct
import zlib
from collections.abc import AsyncIterator, Callable

import anthropic
import httpx2
import pytest
from anthropic import AsyncAnthropic, AsyncAnthropicFoundry
from anthropic.lib.aws import AsyncAnthropicAWS
from anthropic.lib.bedrock import AsyncAnthropicBedrock, AsyncAnthropicBedrockMantle
from anthropic.lib.vertex import AsyncAnthropicVertex

import headway
from headway import Scheduler
from headway.core.retry import RetryPolicy

pytestmark = pytest.mark.anyio
MODEL = "claude-sonnet-4-6"
USAGE = {"input_tokens": 12, "output_tokens": 5}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": MODEL,
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": USAGE,
}
ASK = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}]}
EVENTS = [
    {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
]
SSE = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in EVENTS).encode()
THROTTLED = {"message": "Too many requests, please wait before trying again."}
Answer = Callable[[httpx2.Request], httpx2.Response]


def overloaded_once(answer: Answer) -> tuple[httpx2.MockTransport, list[httpx2.Request]]:
    """A service that refuses the first request."""
    seen: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(503, json=THROTTLED) if len(seen) == 1 else answer(request)

    return httpx2.MockTransport(handle), seen


def whole(request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, json=MESSAGE)


def clients(transport: httpx2.MockTransport) -> dict[str, object]:
    http = {"http_client": httpx2.AsyncClient(transport=transport)}
    return {
        "bedrock": lambda: AsyncAnthropicBedrock(aws_region="eu-west-1", api_key="k", **http),
        "mantle": lambda: AsyncAnthropicBedrockMantle(aws_region="eu-west-1", api_key="k", **http),
        "aws": lambda: AsyncAnthropicAWS(aws_region="eu-west-1", workspace_id="w", api_key="k", **http),
        "vertex": lambda: AsyncAnthropicVertex(region="eu", project_id="p", access_token="t", **http),
        "foundry": lambda: AsyncAnthropicFoundry(resource="r", api_key="k", **http),
        "entra": lambda: AsyncAnthropicFoundry(resource="r", azure_ad_token_provider=lambda: "t", **http),
        "token": lambda: AsyncAnthropic(auth_token="t", base_url="http://a.test", **http),
        "rotating": lambda: Rotating(api_key="k", base_url="http://a.test", **http),
    }


class Rotating(AsyncAnthropic):
    """A client that signs each request."""

    signed = 0

    @property
    def custom_auth(self) -> httpx2.Auth:
        return Signature(self)


class Signature(httpx2.Auth):
    def __init__(self, client: Rotating) -> None:
        self.client = client

    def auth_flow(self, request: httpx2.Request):  # type: ignore[no-untyped-def]
        Rotating.signed += 1
        request.headers["x-signature"] = str(Rotating.signed)
        yield request


class Soon(RetryPolicy):
    """Retries at once."""

    def decide(self, failure, history, now, **rest):  # type: ignore[no-untyped-def, override]
        decision = RetryPolicy.decide(self, failure, history, now, **rest)
        return headway.core.retry.Retry(now) if hasattr(decision, "not_before") else decision


PATHS = {
    "bedrock": f"/model/{MODEL}/invoke",
    "mantle": "/anthropic/v1/messages",
    "aws": "/v1/messages",
    "vertex": f"/v1/projects/p/locations/eu/publishers/anthropic/models/{MODEL}:rawPredict",
    "foundry": "/anthropic/v1/messages",
    "entra": "/anthropic/v1/messages",
    "token": "/v1/messages",
    "rotating": "/v1/messages",
}


@pytest.mark.parametrize("name", PATHS)
async def test_every_client_is_budgeted_and_retried(name: str) -> None:
    transport, seen = overloaded_once(whole)
    own = clients(transport)[name]()  # type: ignore[operator]
    async with own, Scheduler(own, retry=Soon()) as scheduler:
        client = scheduler.wrap(own, tenant=name)
        assert type(client) is type(own)
        message = await client.messages.create(**ASK)
        assert message.content[0].text == "Hello"
        assert [request.url.path for request in seen] == [PATHS[name]] * 2
        status = scheduler.status()
        assert (status.sends, status.succeeded, status.in_flight) == (2, 1, 0)
        assert status.usage.output == 5
        assert list(status.budgets) == ["sonnet-4"], "the model is known although it is in the URL"
        if name != "mantle":
            assert (await client.beta.messages.create(**ASK)).stop_reason == "end_turn"
            assert scheduler.status().succeeded == 2
        if name == "rotating":
            assert [request.headers["x-signature"] for request in seen] == ["1", "2", "3"]


def frame(payload: dict[str, object], **headers: str) -> bytes:
    """One message of AWS's event stream, as Bedrock sends it."""
    named = {":message-type": "event", ":event-type": "chunk", ":content-type": "application/json"} | headers
    head = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value)) + value.encode()
        for name, value in named.items()
    )
    head += struct.pack(">B", 4) + b"flag" + b"\x00" + struct.pack(">B", 5) + b"count" + b"\x04" + b"\0\0\0\7"
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", len(head) + len(body) + 16, len(head))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + body
    return message + struct.pack(">I", zlib.crc32(message))


def chunk(event: dict[str, object]) -> bytes:
    return frame({"bytes": base64.b64encode(json.dumps(event).encode()).decode(), "p": "abc"})


FRAMES = b"".join(map(chunk, EVENTS))


class Dribble(httpx2.AsyncByteStream):
    """A body that comes in pieces of any size."""

    def __init__(self, body: bytes, size: int) -> None:
        self.body, self.size = body, size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.body), self.size):
            yield self.body[start : start + self.size]


def streamed(body: bytes, size: int, content_type: str, **headers: str) -> Answer:
    all_headers = {"content-type": content_type} | headers
    return lambda request: httpx2.Response(200, headers=all_headers, stream=Dribble(body, size))


FRAMED = "application/vnd.amazon.eventstream"
EVENT_STREAM = "text/event-stream; charset=utf-8"


async def read(client: AsyncAnthropic) -> bytes:
    """The bytes of a stream as they are, without the SDK's decoder."""
    streaming = client.messages.with_streaming_response.create(**ASK, stream=True)
    async with streaming as response:
        return b"".join([part async for part in response.iter_bytes()])


@pytest.mark.parametrize("size", [1, 7, 200, 100_000])
async def test_a_stream_of_bedrock_is_read_along(size: int) -> None:
    transport, seen = overloaded_once(streamed(FRAMES, size, FRAMED))
    own = clients(transport)["bedrock"]()  # type: ignore[operator]
    async with own, Scheduler(own, retry=Soon()) as scheduler:
        assert await read(scheduler.wrap(own)) == FRAMES
        assert seen[-1].url.path.endswith("/invoke-with-response-stream")
        status = scheduler.status()
        assert (status.sends, status.succeeded, status.in_flight) == (2, 1, 0)
        assert (status.usage.input, status.usage.output) == (12, 5)


EXCEPTION = frame(
    {"message": "wait"}, **{":message-type": "exception", ":exception-type": "throttlingException"}
)


TORN = struct.pack(">III", 12 + 5 + 4, 5, 0) + b"\x09name" + b"\0\0\0\0"
"""A frame with a header that says it is longer than all of them."""


@pytest.mark.parametrize(
    "body",
    [FRAMES[: len(FRAMES) // 2], chunk(EVENTS[0]) + EXCEPTION, b"no frames" * 9, chunk(EVENTS[0]) + TORN],
)
async def test_a_stream_of_bedrock_that_fails_is_known_as_such(body: bytes) -> None:
    transport, _ = overloaded_once(streamed(body, 100, FRAMED))
    own = clients(transport)["bedrock"]()  # type: ignore[operator]
    async with own, Scheduler(own, retry=Soon()) as scheduler:
        assert await read(scheduler.wrap(own)) == body
        status = scheduler.status()
        assert (status.succeeded, status.failed, status.in_flight) == (0, 1, 0)
        assert sum(budget.in_flight for budget in status.budgets.values()) == 0


@pytest.mark.parametrize("size", [1, 50, 100_000])
@pytest.mark.parametrize(("encoding", "squeeze"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_compressed_stream_is_read_along(
    encoding: str, squeeze: Callable[[bytes], bytes], size: int
) -> None:
    body = streamed(squeeze(SSE), size, EVENT_STREAM, **{"content-encoding": encoding})
    transport, _ = overloaded_once(body)
    own = clients(transport)["token"]()  # type: ignore[operator]
    async with own, Scheduler(own, retry=Soon()) as scheduler:
        stream = await scheduler.wrap(own).messages.create(**ASK, stream=True)
        assert [event.type async for event in stream] == [event["type"] for event in EVENTS]
        status = scheduler.status()
        assert (status.succeeded, status.usage.input, status.usage.output) == (1, 12, 5)


async def test_what_is_no_asynchronous_client_is_refused() -> None:
    own = AsyncAnthropic(api_key="k", http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(whole)))
    async with own, Scheduler(own) as scheduler:
        for wrong in (anthropic.Anthropic(api_key="k"), object(), None):
            with pytest.raises(TypeError, match="asynchronous client"):
                scheduler.wrap(wrong)  # type: ignore[type-var]
