"""What arises when, over real HTTP and with both backends: every failure is a value of the right kind."""

from __future__ import annotations

import json
import socket
from dataclasses import replace

import httpx2
import pytest
from anthropic_rig import Start, client_of, json_answer, raw_server, request_of

from headway.adapters.anthropic import AnthropicTransport
from headway.adapters.anthropic.transport import STREAM_FROM
from headway.core.dimension import Dimension
from headway.core.error_kind import ErrorKind
from headway.core.failure import Failure
from headway.ports import Rejection
from headway.testing.fake_api import FakeLimits, FaultKind, FaultRule

pytestmark = pytest.mark.anyio
K, F = ErrorKind, FaultKind
LONG = request_of(max_tokens=STREAM_FROM)
"""Is streamed inside."""


def failure_of(result: object) -> Failure:
    assert isinstance(result, Rejection), f"not a rejection: {result!r}"
    return result.failure


def status(code: int, **fields: object) -> FaultRule:
    return FaultRule(F.STATUS, status=code, **fields)  # type: ignore[arg-type]


# Error responses

STATUSES = [
    (status(400), K.INVALID_REQUEST),
    (status(400, message="prompt is too long: 208310 tokens > 200000 maximum"), K.CONTEXT_OVERFLOW),
    (status(400, error_code="image_dimensions_too_large"), K.IMAGE_TOO_LARGE),
    (status(400, message="Your credit balance is too low to access the Anthropic API."), K.BILLING),
    (status(400, message="You have reached your specified API usage limits. Wait."), K.BILLING),
    (status(400, error_code="organization_on_hold"), K.ACCOUNT_HOLD),
    (status(400, error_code="cmek_key_disabled"), K.ACCOUNT_HOLD),
    (status(401), K.AUTHENTICATION),
    (status(402), K.BILLING),
    (status(403), K.PERMISSION),
    (status(403, error_code="user_profile_not_billable"), K.PROFILE),
    (status(404), K.NOT_FOUND),
    (status(408, error_type="no_such_type"), K.REQUEST_TIMEOUT),
    (status(409), K.CONFLICT),
    (status(409, error_code="skill_read_blocked_undecryptable"), K.CONFLICT_FINAL),
    (status(412, error_type="no_such_type"), K.CLIENT_ERROR),
    (status(413), K.REQUEST_TOO_LARGE),
    (status(413, html=True), K.REQUEST_TOO_LARGE),
    (status(422, error_type="no_such_type"), K.UNPROCESSABLE),
    (status(429), K.RATE_LIMIT),
    (status(429, error_code="ramp_limit_exceeded"), K.RAMP_LIMIT),
    (status(429, error_code="enforced_spend_limit_reached"), K.BILLING),
    (status(429, error_code="contract_spend_limit_reached"), K.BILLING),
    (
        status(429, message="Number of concurrent connections has exceeded your rate limit"),
        K.CONCURRENCY_LIMIT,
    ),
    (status(429, error_code="code_of_tomorrow"), K.RATE_LIMIT),
    (status(500), K.API_ERROR),
    (status(502), K.BAD_GATEWAY),
    (status(503), K.UNAVAILABLE),
    (status(503, error_code="cmek_key_unreachable"), K.UNAVAILABLE),
    (status(504), K.SERVER_TIMEOUT),
    (status(520), K.BAD_GATEWAY),
    (status(529), K.OVERLOADED),
    (status(529, html=True), K.OVERLOADED),
    (status(500, body=""), K.API_ERROR),
    (status(500, body="[1, 2]"), K.API_ERROR),
    (status(500, body='{"error": "plain text"}'), K.API_ERROR),
    (status(400, body='{"error": {"type": 5, "message": ["x"], "details": "y"}}'), K.INVALID_REQUEST),
    (status(429, body='{"error": {"type": {}, "message": {}, "details": {"error_code": 1}}}'), K.RATE_LIMIT),
]


@pytest.mark.parametrize(("rule", "kind"), STATUSES, ids=lambda x: getattr(x, "value", None) or f"{x.status}")
async def test_error_responses(start: Start, rule: FaultRule, kind: ErrorKind) -> None:
    rig = await start(rule)
    failure = failure_of(await rig.send())
    assert failure.kind is kind
    assert failure.status == rule.status
    assert failure.message and isinstance(failure.message, str)
    assert failure.type is None or isinstance(failure.type, str)
    assert rig.api.stats.arrivals == 1, "the client's own max_retries=5 is off"
    streamed = failure_of(await rig.send(LONG))
    assert (streamed.kind, streamed.status) == (kind, rule.status)
    assert rig.api.stats.arrivals == 2


async def test_a_gateways_page_is_not_quoted(start: Start) -> None:
    failure = failure_of(await (await start(status(502))).send())
    assert failure.message == "HTTP status 502 with a body of text/html in place of an API error"
    assert (failure.type, failure.request_id) == (None, None)


async def test_a_book_of_an_error_message_is_cut(start: Start) -> None:
    assert len(failure_of(await (await start(status(400, message="x" * 100_000))).send()).message) == 2000


async def test_facts_of_an_error_response(start: Start) -> None:
    rig = await start(
        status(429, retry_after="7", error_code="ramp_limit_exceeded"), limits=FakeLimits(requests=60)
    )
    result = await rig.send()
    failure = failure_of(result)
    assert failure.retry_after == 7.0
    assert failure.error_code == "ramp_limit_exceeded"
    assert failure.type == "rate_limit_error"
    assert failure.request_id is not None and failure.request_id.startswith("req_")
    assert [dimension for dimension, _ in result.report.buckets] == [Dimension.REQUESTS]


async def test_retry_after_as_a_date(start: Start) -> None:
    failure = failure_of(await (await start(status(429, retry_after="date+20"))).send())
    assert failure.retry_after == 20.0


async def test_the_request_id_of_the_body_serves_when_there_is_no_header(start: Start) -> None:
    body = json.dumps({"type": "error", "error": {"type": "api_error"}, "request_id": "req_body"})
    rig = await start(status(500, headers={"request-id": None}, body=body))
    assert failure_of(await rig.send()).request_id == "req_body"


# On the way

LOST = [
    (FaultRule(F.RESET, how="rst"), K.DISCONNECTED),
    (FaultRule(F.RESET, how="fin"), K.DISCONNECTED),
    (FaultRule(F.BODY_CUT, how="rst"), K.DISCONNECTED),
    (FaultRule(F.BODY_CUT, how="fin"), K.DISCONNECTED),
    (FaultRule(F.BODY_TRUNCATED), K.MALFORMED),
    (FaultRule(F.BODY_MALFORMED), K.MALFORMED),
    (FaultRule(F.BODY_HTML), K.MALFORMED),
    (FaultRule(F.BODY_SHAPE), K.MALFORMED),
]


@pytest.mark.parametrize(
    ("rule", "kind"), LOST, ids=lambda x: f"{x.kind.value}-{x.how}" if hasattr(x, "how") else ""
)
@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
async def test_lost_or_unreadable_answers(
    start: Start, rule: FaultRule, kind: ErrorKind, strict: bool
) -> None:
    rig = await start(rule, client={"_strict_response_validation": strict})
    failure = failure_of(await rig.send())
    assert failure.kind is kind
    assert failure.row.maybe_billed, "it reached the API, which may have answered"
    assert rig.api.stats.arrivals == 1


async def test_no_connection_is_not_billed(backend: str) -> None:
    with socket.socket() as bound:  # reserves the port, does not listen
        bound.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{bound.getsockname()[1]}"
        for base_url in (nobody, "http://nowhere.invalid"):
            async with client_of(backend, base_url) as client:
                for request in (request_of(), LONG):
                    failure = failure_of(await AnthropicTransport(client).send(request))
                    assert failure.kind is K.CONNECTION, base_url
                    assert not failure.row.maybe_billed


async def test_an_impossible_base_url(backend: str) -> None:
    for base_url in ("ftp://example.com", "http://"):
        async with client_of(backend, base_url) as client:
            failure = failure_of(await AnthropicTransport(client).send(request_of()))
            assert failure.kind is K.CLIENT_ERROR
            assert failure.row.attempts == 1


async def test_read_timeout(start: Start) -> None:
    rig = await start(FaultRule(F.HANG, seconds=30))
    for request in (request_of(timeout=0.03), replace(LONG, options={"timeout": 0.03})):
        failure = failure_of(await rig.send(request))
        assert failure.kind is K.ATTEMPT_TIMEOUT
        assert failure.row.maybe_billed


async def test_pool_timeout_is_not_billed(start: Start, backend: str) -> None:
    import asyncio

    rig = await start(FaultRule(F.HANG, seconds=30), client={"limits": httpx2.Limits(max_connections=1)})
    request = request_of(timeout=httpx2.Timeout(30, pool=0.03))
    first = asyncio.create_task(rig.send(request))
    while not rig.api.stats.arrivals:
        await asyncio.sleep(0.001)
    failure = failure_of(await rig.send(request))
    assert failure.kind is K.POOL_TIMEOUT
    assert not failure.row.maybe_billed
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert rig.api.stats.arrivals == 1


async def test_a_client_that_was_closed(start: Start) -> None:
    rig = await start()
    await rig.client.close()
    for request in (request_of(), LONG):
        failure = failure_of(await rig.send(request))
        assert failure.kind is K.STOPPED
        assert failure.resumable, "the job is good"
        assert not failure.row.maybe_billed


async def test_a_client_closed_under_way(start: Start) -> None:
    import asyncio

    rig = await start(FaultRule(F.HANG, seconds=30))
    sending = asyncio.create_task(rig.send())
    while not rig.api.stats.arrivals:
        await asyncio.sleep(0.001)
    await rig.client.close()
    assert failure_of(await sending).kind is K.DISCONNECTED


RAW = [
    (b"garbage\r\n\r\n", K.DISCONNECTED),
    (b"", K.DISCONNECTED),
    (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", K.DISCONNECTED),
    (json_answer(b"abcd", headers=b"content-encoding: gzip\r\n"), K.MALFORMED),
    (json_answer(b"\xff\xfe\xfd\xfc"), K.MALFORMED),
    (json_answer(b"[" * 200_000), K.MALFORMED),
    (json_answer(b""), K.MALFORMED),
    (json_answer(b"null"), K.MALFORMED),
    (json_answer(b"[]"), K.MALFORMED),
    (json_answer(b'"text"'), K.MALFORMED),
    (json_answer(b"event: ping\n\n", kind=b"text/event-stream"), K.MALFORMED),
    (b"HTTP/1.1 204 No Content\r\n\r\n", K.MALFORMED),
    (b"HTTP/1.1 304 Not Modified\r\n\r\n", K.API_ERROR),
]


@pytest.mark.parametrize(("answer", "kind"), RAW, ids=[f"{a[:24]!r}{len(a)}" for a, _ in RAW])
async def test_answers_that_are_not_the_apis(backend: str, answer: bytes, kind: ErrorKind) -> None:
    async with raw_server(answer) as base_url, client_of(backend, base_url) as client:
        failure = failure_of(await AnthropicTransport(client).send(request_of()))
        assert failure.kind is kind
        assert failure.row.maybe_billed
        streamed = failure_of(await AnthropicTransport(client).send(LONG))
        assert streamed.kind in (kind, K.STREAM_CUT)
        assert streamed.row.maybe_billed


WHOLE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "x"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


@pytest.mark.parametrize(
    "change",
    [
        {"stop_reason": None},
        {"stop_reason": 5},
        {"id": None},
        {"id": ""},
        {"type": "error"},
        {"content": None},
        {"content": "text"},
        {"content": [1]},
        {"content": [None]},
        {"usage": None},
        {"usage": {}},
        {"usage": {"input_tokens": 1}},
        {"usage": {"input_tokens": "1", "output_tokens": 1}},
        {"usage": {"input_tokens": 1, "output_tokens": -1}},
        {"usage": {"input_tokens": True, "output_tokens": 1}},
    ],
    ids=str,
)
async def test_a_message_that_is_not_whole(change: dict[str, object]) -> None:
    body = json.dumps(WHOLE | change).encode()
    async with raw_server(json_answer(body)) as base_url, client_of("aiohttp", base_url) as client:
        failure = failure_of(await AnthropicTransport(client).send(request_of()))
        assert failure.kind is K.MALFORMED
        assert (failure.status, failure.request_id) == (200, "req_raw")


# What cannot be sent


@pytest.mark.parametrize("key", ["sk-ant-canary\nx", "sk-ant-canary\r\n", "sk-ant-canary\x00"], ids=repr)
async def test_a_key_that_cannot_be_a_header_is_not_shown(start: Start, key: str) -> None:
    rig = await start(client={"api_key": key})
    for request in (request_of(), LONG):
        failure = failure_of(await rig.send(request))
        assert failure.kind is K.CLIENT_ERROR
        assert failure.row.attempts == 1, "trying again does not help"
        assert "canary" not in str(failure)
        assert "API key" in failure.message


async def test_no_credentials(start: Start) -> None:
    rig = await start(client={"api_key": None})
    for request in (request_of(), LONG):
        failure = failure_of(await rig.send(request))
        assert failure.kind is K.AUTHENTICATION
    assert rig.api.stats.arrivals == 0


@pytest.mark.parametrize(
    "params",
    [
        {"messages": [{"role": "user", "content": object()}]},
        {"metadata": {"user_id": object()}},
        {"temperature": float("nan")},
        {"extra_headers": {"x": 5}},
        {"extra_headers": 5},
        {"extra_body": [1], "unknown": 1},
        {"betas": 5},
        {"timeout": "soon"},
        {"output_format": socket.socket},
        {"output_format": object},
    ],
    ids=",".join,
)
async def test_parameters_of_the_wrong_type(start: Start, params: dict[str, object]) -> None:
    rig = await start()
    for size in (64, STREAM_FROM):
        failure = failure_of(await rig.send(request_of(max_tokens=size, **params)))
        assert failure.kind is K.INVALID_REQUEST, failure
        assert failure.row.attempts == 1
    assert rig.api.stats.arrivals == 0


# Streams inside: in-stream failures come with status 200


STREAMS = [
    (FaultRule(F.STREAM_ERROR), K.OVERLOADED, 200),
    (FaultRule(F.STREAM_ERROR, after_events=0), K.OVERLOADED, 200),
    (FaultRule(F.STREAM_ERROR, error_type="api_error"), K.API_ERROR, 200),
    (FaultRule(F.STREAM_ERROR, error_type="rate_limit_error"), K.RATE_LIMIT, 200),
    (FaultRule(F.STREAM_ERROR, error_type="billing_error"), K.BILLING, 200),
    (FaultRule(F.STREAM_ERROR, error_type="error_of_tomorrow"), K.API_ERROR, 200),
    (FaultRule(F.STREAM_CUT, how="fin"), K.DISCONNECTED, 200),
    (FaultRule(F.STREAM_CUT, how="rst"), K.DISCONNECTED, 200),
    (FaultRule(F.STREAM_CUT, how="fin", after_events=0), K.DISCONNECTED, 200),
    (FaultRule(F.STREAM_EOF), K.STREAM_CUT, 200),
    (FaultRule(F.STREAM_EOF, after_events=0), K.STREAM_CUT, 200),
    (FaultRule(F.STREAM_EOF, after_events=10_000), K.STREAM_CUT, 200),  # all but message_stop
    (FaultRule(F.STREAM_EMPTY), K.STREAM_CUT, 200),
    (FaultRule(F.STREAM_BAD_JSON), K.MALFORMED, 200),
    (FaultRule(F.STREAM_BAD_JSON, after_events=0), K.MALFORMED, 200),
    (FaultRule(F.BODY_HTML), K.STREAM_CUT, 200),
    (FaultRule(F.RESET, how="rst"), K.DISCONNECTED, None),
]


@pytest.mark.parametrize(
    ("rule", "kind", "code"),
    STREAMS,
    ids=[f"{r.kind.value}-{r.error_type}-{r.after_events}-{r.how}" for r, _, _ in STREAMS],
)
async def test_broken_streams(start: Start, rule: FaultRule, kind: ErrorKind, code: int | None) -> None:
    rig = await start(rule, limits=FakeLimits(requests=60))
    result = await rig.send(LONG)
    failure = failure_of(result)
    assert (failure.kind, failure.status) == (kind, code)
    assert rig.api.stats.arrivals == 1
    if code == 200:
        assert failure.request_id is not None
        assert result.report, "the limits were in the headers, whatever became of the stream"


async def test_a_stream_that_falls_silent_times_out(start: Start) -> None:
    rig = await start(FaultRule(F.HANG, seconds=30, after_work=True))
    failure = failure_of(await rig.send(replace(LONG, options={"timeout": 0.03})))
    assert failure.kind is K.ATTEMPT_TIMEOUT


async def test_events_in_an_impossible_order(backend: str) -> None:
    delta = {"type": "content_block_delta", "index": 7, "delta": {"type": "text_delta", "text": "secret"}}
    started = {"type": "message_start", "message": WHOLE | {"content": []}}
    for events in ([delta, {"type": "message_stop"}], [started, delta], [{"type": "message_stop"}]):
        lines = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
        answer = json_answer(lines.encode(), kind=b"text/event-stream")
        async with raw_server(answer) as base_url, client_of(backend, base_url) as client:
            failure = failure_of(await AnthropicTransport(client).send(LONG))
            assert failure.kind is K.MALFORMED
            assert "secret" not in failure.message
