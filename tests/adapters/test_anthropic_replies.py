"""Whole answers: parameters out, message, usage and parsed output in; clients of every kind."""

from __future__ import annotations

import asyncio
import gc
import json
from pathlib import Path

import anthropic
import httpx2
import pytest
from anthropic.types import Message
from anthropic.types.parsed_message import ParsedMessage
from anthropic_rig import MODEL, Start, client_of, json_answer, raw_server, request_of
from pydantic import BaseModel, Field

from headway import ErrorKind, Scheduler
from headway.adapters.anthropic import AnthropicTransport, make_client
from headway.adapters.anthropic.connect import RESERVED_FILES, CredentialError, open_file_limit
from headway.adapters.anthropic.transport import STREAM_FROM
from headway.core.request import Request
from headway.core.usage import Usage
from headway.ports import Rejection, Reply
from headway.testing.fake_api import INSTANT, FakeAPI, FakeConfig, FakeLimits

pytestmark = pytest.mark.anyio
SIZES = pytest.mark.parametrize("max_tokens", [64, STREAM_FROM], ids=["plain", "streamed"])


class City(BaseModel):
    name: str
    people: int


def reply_of(result: object) -> Reply:
    assert isinstance(result, Reply), result
    return result


def body_of(text: str = "x", **change: object) -> dict[str, object]:
    usage = {"input_tokens": 3, "output_tokens": 2}
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "stop_reason": "end_turn",
        "content": [{"type": "text", "text": text}], "stop_sequence": None, "usage": usage,
    } | change  # fmt: skip


async def answered(body: dict[str, object], request: Request | None = None) -> Reply | Rejection:
    async with raw_server(json_answer(json.dumps(body).encode())) as url, client_of("aiohttp", url) as client:
        return await AnthropicTransport(client).send(request or request_of())


class Seen:
    """A client that never leaves the process and remembers what it was asked."""

    def __init__(self, body: dict[str, object] | None = None) -> None:
        self.requests: list[httpx2.Request] = []
        self.body = body or body_of()
        http_client = httpx2.AsyncClient(transport=httpx2.MockTransport(self.answer))
        self.client = anthropic.AsyncAnthropic(
            api_key="sk-test", base_url="http://fake", http_client=http_client
        )
        self.transport = AnthropicTransport(self.client)

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return httpx2.Response(200, json=self.body)

    def sent(self) -> tuple[dict[str, object], httpx2.Headers]:
        return json.loads(self.requests[-1].content), self.requests[-1].headers


# Messages


@SIZES
async def test_a_whole_answer(start: Start, max_tokens: int) -> None:
    rig = await start(limits=FakeLimits(requests=60))
    reply = reply_of(await rig.send(request_of(max_tokens=max_tokens)))
    assert isinstance(reply.message, Message)
    assert reply.message.content[0].type == "text"
    assert reply.stop_reason == reply.message.stop_reason is not None
    used = reply.message.usage
    assert reply.usage == Usage(used.input_tokens, used.output_tokens, service_tier="standard")
    assert reply.request_id == reply.message._request_id == "req_011C00000000000000000001"
    assert reply.report
    revived = rig.transport.revive(reply.body, request_of())
    assert revived.to_dict() == Message.construct(**reply.message.to_dict()).to_dict()
    assert (rig.api.stats.arrivals, rig.api.stats.served) == (1, 1)


async def test_usage_with_caches() -> None:
    usage = {
        "input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
    }  # fmt: skip
    reply = reply_of(await answered(body_of(usage=usage)))
    assert reply.usage == Usage(input=10, output=5, cache_write=20, cache_write_1h=10, cache_read=7)
    assert reply.usage.limited_input == 40


@pytest.mark.parametrize(("model", "weight"), [("claude-opus-4-8", 1.1), ("claude-opus-4-5-20251101", 1.0)])
async def test_the_tier_and_what_the_region_weighs_in_it(model: str, weight: float) -> None:
    usage = {"input_tokens": 10, "output_tokens": 5, "service_tier": "priority", "inference_geo": "us"}
    reply = reply_of(await answered(body_of(usage=usage, model=model)))
    assert reply.usage == Usage(10, 5, service_tier="priority", region_weight=weight)


@pytest.mark.parametrize(
    "garbled",
    [
        {"cache_read_input_tokens": None, "cache_creation_input_tokens": None, "cache_creation": None},
        {"cache_read_input_tokens": "many", "cache_creation_input_tokens": -1, "cache_creation": "x"},
        {"cache_creation": {"ephemeral_1h_input_tokens": 10}},  # more than the total of 0
        {"service_tier": 5, "inference_geo": ["us"]},
    ],
)
async def test_optional_counts_that_are_garbled_are_nothing(garbled: dict[str, object]) -> None:
    body = body_of(usage={"input_tokens": 3, "output_tokens": 2, **garbled})
    assert reply_of(await answered(body)).usage == Usage(3, 2)


async def test_what_a_newer_api_adds_passes_and_can_be_revived() -> None:
    """The SDK does not validate answers; a journal must not either, or it could not be opened again."""
    body = body_of(
        stop_reason="stop_of_tomorrow", content=[{"type": "block_of_tomorrow", "x": 1}], field_of_tomorrow=[1]
    )
    reply = reply_of(await answered(body))
    assert reply.stop_reason == "stop_of_tomorrow"
    revived = AnthropicTransport(client_of("httpx2", "http://x")).revive(reply.body, request_of())
    assert revived.content[0].type == "block_of_tomorrow"
    assert revived.stop_reason == "stop_of_tomorrow"


async def test_an_empty_answer_is_whole() -> None:
    """``max_tokens=0`` warms a cache: no content, but a stop_reason."""
    assert reply_of(await answered(body_of(content=[], stop_reason="max_tokens"))).message.content == []


# Parameters


@pytest.mark.parametrize("output_format", [None, City])
async def test_unknown_parameters_travel_in_the_body(output_format: type | None) -> None:
    seen = Seen(body_of('{"name": "Prague", "people": 1}'))
    request = request_of(
        temperature=0.5, field_of_tomorrow={"a": 1}, extra_body={"mine": 2}, cache_control={"type": "ephemeral"},
        container="c", inference_geo="eu", output_format=output_format,
    )  # fmt: skip
    reply_of(await seen.transport.send(request))
    body, _ = seen.sent()
    assert {"temperature": 0.5, "field_of_tomorrow": {"a": 1}, "mine": 2}.items() <= body.items()
    assert {
        "container": "c",
        "inference_geo": "eu",
        "cache_control": {"type": "ephemeral"},
    }.items() <= body.items()


async def test_extra_body_wins_as_in_the_sdk() -> None:
    seen = Seen()
    await seen.transport.send(request_of(top_k=5, extra_body={"top_k": 7}))
    assert seen.sent()[0]["top_k"] == 7


@pytest.mark.parametrize("output_format", [None, City])
async def test_parameters_that_are_headers(output_format: type | None) -> None:
    seen = Seen(body_of('{"name": "Prague", "people": 1}'))
    await seen.transport.send(
        request_of(
            workspace_id="w", user_profile_id="u", output_format=output_format, extra_headers={"x-a": "b"}
        )
    )
    body, headers = seen.sent()
    assert (headers["anthropic-workspace-id"], headers["anthropic-user-profile-id"]) == ("w", "u")
    assert headers["x-a"] == "b"
    assert "workspace_id" not in body


@pytest.mark.parametrize(
    ("betas", "given", "header"),
    [
        (["one-2026", "two-2026"], {}, "one-2026,two-2026"),
        ("one-2026", {}, "one-2026"),
        (["one-2026"], {"Anthropic-Beta": "mine-2026", "x-a": "b"}, "one-2026,mine-2026"),
        ([], {"anthropic-beta": "mine-2026"}, "mine-2026"),
    ],
)
async def test_betas_are_a_header(betas: object, given: dict[str, str], header: str) -> None:
    seen = Seen()
    await seen.transport.send(request_of(betas=betas, extra_headers=given))
    body, headers = seen.sent()
    assert headers.get_list("anthropic-beta") == [header]
    assert "betas" not in body


async def test_a_middleware_that_answers_by_itself() -> None:
    async def cached(request: object, call_next: object) -> Message:
        return Message.construct(**body_of("from the cache"))

    seen = Seen()
    client = seen.client.with_options(middleware=[cached])  # type: ignore[list-item]
    reply = reply_of(await AnthropicTransport(client).send(request_of()))
    assert json.loads(reply.body)["content"][0]["text"] == "from the cache"
    assert not seen.requests


async def test_models_that_the_sdk_will_not_send_unstreamed(start: Start) -> None:
    """The SDK refuses these from 8,192 tokens on unless they are streamed; the fake API does not know the model."""
    rig = await start()
    result = await rig.send(request_of(model="claude-opus-4-1@20250805", max_tokens=9000))
    assert isinstance(result, Rejection)
    assert result.failure.kind is ErrorKind.NOT_FOUND, "it was sent"


# Structured output


@SIZES
async def test_parsed_output_through_the_scheduler(start: Start, max_tokens: int) -> None:
    rig = await start()
    async with Scheduler(rig.client, model=MODEL, max_tokens=max_tokens) as scheduler:
        message = await scheduler.submit("A city, please", output_format=City)
        assert isinstance(message, ParsedMessage)
        assert isinstance(message.parsed_output, City)
        assert isinstance(message, Message)
        assert message.content[0].type == "text"
    assert rig.api.stats.arrivals == 1


async def test_what_is_sent_and_parsed_is_what_the_sdk_would() -> None:
    seen = Seen(body_of('{"name": "Prague", "people": 1300000}'))
    theirs = await seen.client.messages.parse(
        model=MODEL, max_tokens=64, messages=[{"role": "user", "content": "Hello"}], output_format=City,
        output_config={"effort": "low"},
    )  # fmt: skip
    expected, _ = seen.sent()
    ours = reply_of(
        await seen.transport.send(request_of(output_format=City, output_config={"effort": "low"}))
    )
    assert seen.sent()[0] == expected
    assert isinstance(ours.message, ParsedMessage)
    assert ours.message.parsed_output == theirs.parsed_output == City(name="Prague", people=1_300_000)
    assert ours.message.to_dict() == theirs.to_dict()


@pytest.mark.parametrize("shape", [list[int], int | None, dict[str, City]], ids=str)
async def test_types_that_are_not_models(shape: object) -> None:
    text = {"list": "[1, 2]", "int": "5", "dict": '{"a": {"name": "P", "people": 1}}'}[
        str(shape).split("[")[0].split(" ")[0]
    ]
    message = reply_of(await answered(body_of(text), request_of(output_format=shape))).message
    assert isinstance(message, ParsedMessage)
    assert message.parsed_output in ([1, 2], 5, {"a": City(name="P", people=1)})


async def test_an_answer_that_does_not_fit_is_tried_again_and_stays_private() -> None:
    class Small(BaseModel):
        name: str = Field(max_length=3)
        people: int

    result = await answered(body_of('{"name": "a secret", "people": "x"}'), request_of(output_format=Small))
    assert isinstance(result, Rejection)
    assert result.failure.kind is ErrorKind.MISFIT
    assert result.failure.message == (
        "the answer does not fit output_format Small: name (string_too_long), people (int_parsing)"
    )


@pytest.mark.parametrize("stop_reason", ["max_tokens", "refusal", "tool_use"])
async def test_an_answer_cut_short_is_handed_over_unparsed(stop_reason: str) -> None:
    """It was paid for and asking again would not help: its stop_reason says why there is no parsed output."""
    reply = reply_of(
        await answered(body_of('{"name": "Pra', stop_reason=stop_reason), request_of(output_format=City))
    )
    assert isinstance(reply.message, ParsedMessage)
    assert reply.message.parsed_output is None
    assert reply.message.content[0].type == "text"


async def test_a_stored_answer_comes_back_parsed() -> None:
    transport = Seen().transport
    body = json.dumps(body_of('{"name": "Prague", "people": 1}'))
    message = transport.revive(body, request_of(output_format=City))
    assert isinstance(message, ParsedMessage)
    assert message.parsed_output == City(name="Prague", people=1)
    assert (
        transport.revive(json.dumps(body_of("no city")), request_of(output_format=City)).parsed_output is None
    )  # type: ignore[attr-defined]


# Clients


def test_clients_of_every_provider() -> None:
    a = anthropic
    clients = {
        "bedrock": a.AsyncAnthropicBedrock(aws_access_key="a", aws_secret_key="b", aws_region="us-east-1"),
        "bedrock2": a.AsyncAnthropicBedrock(aws_access_key="c", aws_secret_key="b", aws_region="us-east-1"),
        "vertex": a.AsyncAnthropicVertex(region="global", project_id="p", access_token="t"),
        "foundry": a.AsyncAnthropicFoundry(api_key="canary", resource="r"),
    }
    accounts = {name: AnthropicTransport(client).account for name, client in clients.items()}  # type: ignore[arg-type]
    assert len(set(accounts.values())) == 4
    assert "canary" not in "".join(accounts.values())


def test_the_account_names_key_and_base_url_without_the_key() -> None:
    accounts = {
        AnthropicTransport(client_of("httpx2", url, api_key=key)).account
        for url in ("http://a", "http://b/")
        for key in ("sk-canary-1", "sk-canary-2", "sk-canary-…")
    }
    assert len(accounts) == 6
    assert "canary" not in "".join(accounts)


@pytest.mark.parametrize("size", [7, 100, None])
def test_connections_follow_the_pool(backend: str, size: int | None) -> None:
    client = client_of(backend, "http://a", limits=httpx2.Limits(max_connections=size))
    files = max(8, open_file_limit() - RESERVED_FILES)
    unlimited = 100 if backend == "aiohttp" else files  # aiohttp has a default of its own
    assert AnthropicTransport(client).connections == min(size or unlimited, files)


def test_the_users_own_client_is_not_changed() -> None:
    client = client_of("httpx2", "http://a", max_retries=5)
    AnthropicTransport(client)
    assert client.max_retries == 5


async def test_only_a_client_of_our_own_is_closed() -> None:
    client = client_of("httpx2", "http://a")
    await AnthropicTransport(client).aclose()
    assert not client.is_closed()
    await AnthropicTransport(client, owned=True).aclose()
    assert client.is_closed()


# Credentials from the environment


@pytest.mark.parametrize(
    ("environment", "api_key", "auth_token"),
    [
        ({"ANTHROPIC_API_KEY": "sk-ant-1"}, "sk-ant-1", None),
        ({"ANTHROPIC_API_KEY": ' "sk-ant-1"\n'}, "sk-ant-1", None),
        ({"ANTHROPIC_AUTH_TOKEN": "token\r\n"}, None, "token"),
        ({"ANTHROPIC_API_KEY": "sk-ant-1", "ANTHROPIC_AUTH_TOKEN": "token"}, "sk-ant-1", None),
        ({"ANTHROPIC_API_KEY": "", "ANTHROPIC_AUTH_TOKEN": "token"}, None, "token"),
        ({"ANTHROPIC_API_KEY": "  ", "ANTHROPIC_AUTH_TOKEN": "token"}, None, "token"),
        ({"ANTHROPIC_API_KEY": "sk-ant-1", "ANTHROPIC_AUTH_TOKEN": "to ken"}, "sk-ant-1", None),
    ],
)
def test_keys_are_cleaned(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], api_key: str | None, auth_token: str | None
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    client = make_client()
    assert (client.api_key, client.auth_token, client.max_retries) == (api_key, auth_token, 0)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ANTHROPIC_API_KEY", "   ", "placeholder"),
        ("ANTHROPIC_API_KEY", "your-api-key", "placeholder"),
        ("ANTHROPIC_API_KEY", "<canary>", "placeholder"),
        ("ANTHROPIC_API_KEY", "sk-canary 1", "white space"),
        ("ANTHROPIC_AUTH_TOKEN", "canary\nx", "white space"),
        ("ANTHROPIC_BASE_URL", "user:canary@gateway", "is no address"),
        ("ANTHROPIC_API_KEY", "sk-canary…", "non-ASCII"),
    ],
)
def test_keys_that_cannot_work_are_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    import traceback

    monkeypatch.setenv(variable, value)
    try:
        make_client()
    except CredentialError as error:
        assert variable in str(error) and words in str(error)
        (_, *inner) = traceback.TracebackException.from_exception(error, capture_locals=True).stack
        assert "canary" not in str(error) + "".join(str(frame.locals) for frame in inner)
    else:
        pytest.fail("accepted")


@pytest.mark.parametrize(
    ("variable", "value", "base_url", "said"),
    [
        ("ANTHROPIC_API_KEY", "sk-ant-api03-canary", None, None),
        ("ANTHROPIC_AUTH_TOKEN", "sk-ant-oat01-canary", "https://api.anthropic.com/", None),
        ("ANTHROPIC_API_KEY", "canary", "https://gateway.example", None),
        ("ANTHROPIC_API_KEY", "canary", None, "ANTHROPIC_API_KEY is set, but does not begin with sk-ant-api"),
        ("ANTHROPIC_API_KEY", "sk-ant-admin01-canary", None, "holds an Admin key: it cannot send messages"),
        ("ANTHROPIC_API_KEY", "sk-ant-oat01-canary", None, "Put it into ANTHROPIC_AUTH_TOKEN instead"),
    ],
)
def test_an_unusual_key_is_warned_about_and_used(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    variable: str,
    value: str,
    base_url: str | None,
    said: str | None,
) -> None:
    monkeypatch.setenv(variable, value)
    if base_url is not None:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", base_url)
    client = make_client()
    assert value in {client.api_key, client.auth_token}
    assert (said in caplog.text) if said else not caplog.text
    assert "canary" not in caplog.text


def test_no_key_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(CredentialError, match="set ANTHROPIC_API_KEY"):
        make_client()
    monkeypatch.setenv("ANTHROPIC_PROFILE", "missing")
    with pytest.raises(CredentialError, match="missing"):
        make_client()


# Event loops


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_client_in_a_second_event_loop(backend: str) -> None:
    """Its idle connections belong to a loop that is gone: requests over them would be billed and lost.
    (The warnings are about those connections, which only the first loop could have closed.)"""
    with FakeAPI.in_thread(FakeConfig(latency=INSTANT)) as api:
        in_three_loops(client_of(backend, api.base_url))
        assert api.stats().arrivals == 16
    gc.collect()


def in_three_loops(client: anthropic.AsyncAnthropic) -> None:
    async def run(count: int) -> None:
        transport = AnthropicTransport(client)
        for result in await asyncio.gather(*(transport.send(request_of(str(i))) for i in range(count))):
            reply_of(result)

    async def run_and_close() -> None:
        await run(3)
        await client.close()

    asyncio.run(run(12))
    asyncio.run(run(1))
    asyncio.run(run_and_close())
