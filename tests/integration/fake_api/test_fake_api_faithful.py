"""Every row of "What arises when" (the SDK's behaviour), reproduced with the SDK as the client."""

from __future__ import annotations

import json

import anthropic
import httpx2
import pytest
from anthropic.types import Message

from headway.testing.fake_api import FaultKind, FaultRule

pytestmark = pytest.mark.anyio
ASK = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 300,
    "messages": [{"role": "user", "content": "How deep is the bucket?"}],
}


async def collect(client: anthropic.AsyncAnthropic) -> list[str]:
    """Event types of a raw stream."""
    stream = await client.messages.create(**ASK, stream=True)
    return [event.type async for event in stream]


async def final(client: anthropic.AsyncAnthropic, **more: object) -> Message:
    async with client.messages.stream(**ASK, **more) as stream:
        return await stream.get_final_message()


async def test_a_message_has_every_field(start, backend):
    api, client = await start(backend=backend)
    message = await client.messages.create(**ASK)
    assert isinstance(message, Message)
    assert message.id.startswith("msg_01")
    assert (message.role, message.type, message.model) == ("assistant", "message", "claude-sonnet-5-5")
    assert message.stop_reason == "end_turn"
    assert message.content[0].type == "text"
    assert message.usage.input_tokens > 0
    assert message.usage.output_tokens > 0
    assert message.usage.service_tier == "standard"
    assert message.usage.cache_read_input_tokens == 0
    assert api.stats.served == 1


async def test_a_stream_ends_as_the_same_message(start, backend):
    _, client = await start(backend=backend)
    types = await collect(client)
    assert types[:2] == ["message_start", "content_block_start"]
    assert types[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    message = await final(client)
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens > 1
    assert message.content[0].text.startswith(message.content[0].text.strip()[:3])


ERRORS = [
    (400, anthropic.BadRequestError, "invalid_request_error", None),
    (400, anthropic.BadRequestError, "invalid_request_error", "organization_on_hold"),
    (401, anthropic.AuthenticationError, "authentication_error", None),
    (402, anthropic.APIStatusError, "billing_error", None),
    (403, anthropic.PermissionDeniedError, "permission_error", None),
    (404, anthropic.NotFoundError, "not_found_error", None),
    (408, anthropic.APIStatusError, "timeout_error", None),
    (409, anthropic.ConflictError, "conflict_error", None),
    (413, anthropic.APIStatusError, "request_too_large", None),
    (422, anthropic.UnprocessableEntityError, "invalid_request_error", None),
    (429, anthropic.RateLimitError, "rate_limit_error", None),
    (429, anthropic.RateLimitError, "rate_limit_error", "ramp_limit_exceeded"),
    (429, anthropic.RateLimitError, "rate_limit_error", "enforced_spend_limit_reached"),
    (500, anthropic.InternalServerError, "api_error", None),
    (503, anthropic.InternalServerError, "api_error", "cmek_key_unreachable"),
    (504, anthropic.InternalServerError, "timeout_error", None),
    (529, anthropic.InternalServerError, "overloaded_error", None),
]


async def test_status_errors(start, backend):
    api, client = await start(backend=backend)
    for status, kind, error_type, code in ERRORS:
        api.set_faults((FaultRule(FaultKind.STATUS, status=status, error_code=code),))
        with pytest.raises(kind) as caught:
            await client.messages.create(**ASK)
        error = caught.value
        assert (error.status_code, error.type, error.error_code) == (status, error_type, code)
        assert error.request_id == error.body["request_id"]
        assert set(error.body) == {"type", "error", "request_id"}
    assert api.stats.statuses[429] == 3


@pytest.mark.parametrize("status", [502, 503, 520])
async def test_a_gateway_answers_html(start, backend, status):
    _, client = await start(FaultRule(FaultKind.STATUS, status=status), backend=backend)
    with pytest.raises(anthropic.InternalServerError) as caught:
        await client.messages.create(**ASK)
    assert caught.value.type is None
    assert caught.value.request_id is None
    assert "<html>" in caught.value.body


async def test_error_event_in_a_stream_has_status_200(start, backend):
    _, client = await start(FaultRule(FaultKind.STREAM_ERROR, after_events=4), backend=backend)
    with pytest.raises(anthropic.APIStatusError) as caught:
        await collect(client)
    assert caught.value.status_code == 200
    assert caught.value.type == "overloaded_error"
    assert not isinstance(caught.value, anthropic.InternalServerError)
    assert caught.value.response.headers["request-id"].startswith("req_")


async def test_api_error_event(start):
    _, client = await start(
        FaultRule(FaultKind.STREAM_ERROR, error_type="api_error", error_code="compaction_unavailable")
    )
    with pytest.raises(anthropic.APIStatusError) as caught:
        await collect(client)
    assert (caught.value.type, caught.value.error_code) == ("api_error", "compaction_unavailable")


@pytest.mark.parametrize("how", ["fin", "rst"])
async def test_connection_dropped_in_mid_stream_is_a_raw_error(start, backend, how):
    api, client = await start(FaultRule(FaultKind.STREAM_CUT, after_events=4, how=how), backend=backend)
    with pytest.raises(httpx2.TransportError) as caught:
        await collect(client)
    if how == "fin":  # the aiohttp backend words it otherwise
        kind = httpx2.RemoteProtocolError if backend == "httpx2" else httpx2.ReadError
        assert isinstance(caught.value, kind)
    assert api.stats.served == 0
    assert sum(api.stats.billed.values()) == 1


async def test_clean_end_without_message_stop_is_no_error(start, backend):
    _, client = await start(FaultRule(FaultKind.STREAM_EOF, after_events=5), backend=backend)
    assert "message_stop" not in await collect(client)
    message = await final(client)
    assert message.stop_reason is None


async def test_half_a_tool_use_looks_whole(start):
    _, client = await start(FaultRule(FaultKind.STREAM_EOF, after_events=3))
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = {"name": "weather", "input_schema": schema}
    choice = {"type": "tool", "name": "weather"}
    ask = ASK | {"model": "claude-sonnet-5", "tools": [tool], "tool_choice": choice}
    async with client.messages.stream(**ask) as stream:
        message = await stream.get_final_message()
    assert message.content[0].type == "tool_use"
    assert message.content[0].input == {}


@pytest.mark.parametrize("kind", [FaultKind.STREAM_EMPTY, FaultKind.STREAM_JSON])
async def test_no_events_at_all(start, backend, kind):
    _, client = await start(FaultRule(kind), backend=backend)
    assert await collect(client) == []
    with pytest.raises(AssertionError):
        await final(client)


async def test_bad_json_in_an_event(start, backend):
    _, client = await start(FaultRule(FaultKind.STREAM_BAD_JSON), backend=backend)
    with pytest.raises(json.JSONDecodeError):
        await collect(client)


@pytest.mark.parametrize("kind", [FaultKind.BODY_MALFORMED, FaultKind.BODY_TRUNCATED])
async def test_malformed_json(start, backend, kind):
    _, client = await start(FaultRule(kind), backend=backend)
    with pytest.raises(json.JSONDecodeError):
        await client.messages.create(**ASK)


async def test_html_with_200_is_a_str(start, backend):
    _, client = await start(FaultRule(FaultKind.BODY_HTML), backend=backend)
    assert isinstance(await client.messages.create(**ASK), str)


async def test_wrong_shape_gives_none_everywhere(start, backend):
    _, client = await start(FaultRule(FaultKind.BODY_SHAPE), backend=backend)
    message = await client.messages.create(**ASK)
    assert isinstance(message, Message)
    assert message.id is None
    assert message.content is None


@pytest.mark.parametrize("kind", [FaultKind.BODY_HTML, FaultKind.BODY_SHAPE])
async def test_strict_validation_notices(start, kind):
    api, _ = await start(FaultRule(kind))
    async with anthropic.AsyncAnthropic(
        base_url=api.base_url, api_key="k", max_retries=0, _strict_response_validation=True
    ) as strict:
        with pytest.raises(anthropic.APIResponseValidationError):
            await strict.messages.create(**ASK)


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("kind", [FaultKind.RESET, FaultKind.BODY_CUT])
async def test_connection_lost_before_or_in_the_answer(start, backend, kind, how):
    api, client = await start(FaultRule(kind, how=how), backend=backend)
    with pytest.raises(anthropic.APIConnectionError):
        await client.messages.create(**ASK)
    assert api.stats.served == 0


async def test_read_timeout_before_headers(start, backend):
    api, client = await start(FaultRule(FaultKind.HANG, seconds=60), backend=backend)
    with pytest.raises(anthropic.APITimeoutError):
        await client.messages.create(**ASK, timeout=0.05)
    assert api.stats.served == 0


async def test_read_timeout_in_mid_stream_is_raw(start, backend):
    _, client = await start(FaultRule(FaultKind.STREAM_STALL, seconds=60), backend=backend)
    with pytest.raises(httpx2.ReadTimeout):
        async for _ in await client.messages.create(**ASK, stream=True, timeout=0.2):
            pass


async def test_a_stall_ends_and_the_stream_is_whole(start):
    api, client = await start(FaultRule(FaultKind.STREAM_STALL, seconds=0.02))
    assert (await final(client)).stop_reason == "end_turn"
    assert api.stats.served == 1


async def test_slow_headers(start):
    api, client = await start(FaultRule(FaultKind.SLOW_HEADERS, seconds=0.03))
    await client.messages.create(**ASK)
    assert api.stats.shortest_latency >= 0.03
