"""Checks of requests, the other endpoints, keys, and who is told what."""

from __future__ import annotations

import anthropic
import httpx2
import pytest

pytestmark = pytest.mark.anyio
USER = {"role": "user", "content": "Hi"}
ASK = {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": [USER]}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sun"}
WRONG = [
    ({"model": None}, "model"),
    ({"max_tokens": None}, "max_tokens: Field required"),
    ({"messages": None}, "messages: Field required"),
    ({"max_tokens": "many"}, "max_tokens: Input should be a valid integer"),
    ({"max_tokens": 128_001}, "maximum allowed number of output tokens"),
    ({"messages": []}, "at least one message is required"),
    ({"messages": [{"role": "user", "content": ""}]}, "must be non-empty"),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": " \n"}]}]}, "non-whitespace text"),
    ({"messages": [{"role": "robot", "content": "Hi"}]}, "messages.0.role"),
    (
        {"messages": [USER, {"role": "assistant", "content": "{"}]},
        "does not support assistant message prefill",
    ),
    ({"messages": [USER, {"role": "assistant", "content": [CALL]}, USER]}, "without `tool_result` blocks"),
    ({"messages": [{"role": "user", "content": [RESULT]}]}, "unexpected `tool_use_id`"),
    ({"messages": [{"role": "user", "content": "x" * 4_000_000}]}, "prompt is too long"),
    ({"temperature": 0.5}, "temperature"),
    ({"prefill": "{"}, "prefill: Extra inputs are not permitted"),
    ({"stream": "yes"}, "stream: Input should be a valid boolean"),
    ({"tools": [{"name": "bad name", "input_schema": {"type": "object"}}]}, "tools.0.custom.name"),
    (
        {"tools": [{"name": "t", "input_schema": {"type": "object", "properties": 5}}]},
        "JSON schema is invalid",
    ),
    ({"output_config": 5}, "output_config: Input should be a valid dictionary"),
    ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "thinking.type"),
]


def post(api, body, **headers: str):
    """A raw request, for what the SDK would not send."""
    usual = {"x-api-key": "k", "anthropic-version": "2026-10-21"}
    with httpx2.Client() as client:
        return client.post(f"{api.base_url}/v1/messages", headers=usual | headers, **body)


def test_wrong_bodies_are_400(headway_fake_api):
    for change, words in WRONG:
        body = {name: value for name, value in (ASK | change).items() if value is not None}
        answer = post(headway_fake_api, {"json": body})
        assert answer.status_code == 400, (change, answer.text)
        error = answer.json()
        assert error["type"] == "error"
        assert error["error"]["type"] == "invalid_request_error"
        assert words in error["error"]["message"]
        assert error["request_id"] == answer.headers["request-id"]
    assert headway_fake_api.stats().served == 0


def test_what_is_right_is_accepted(headway_fake_api):
    right = [
        {"messages": [USER, {"role": "assistant", "content": [CALL]}, {"role": "user", "content": [RESULT]}]},
        {"messages": [USER, USER]},
        {"messages": [USER, {"role": "assistant", "content": "{"}], "model": "claude-haiku-4-5"},
        {"thinking": {"type": "adaptive"}},
        {"system": "Be brief.", "max_tokens": 0},
    ]
    for change in right:
        answer = post(headway_fake_api, {"json": ASK | change})
        assert answer.status_code == 200, answer.text


def test_broken_requests(headway_fake_api):
    api = headway_fake_api
    assert post(api, {"content": b"{oops"}).status_code == 400
    assert post(api, {"content": b"[]"}).status_code == 400
    assert (
        post(api, {"content": b"x" * (32 * 1024 * 1024 + 1)}).json()["error"]["type"] == "request_too_large"
    )
    assert "anthropic-version" in post(api, {"json": ASK}, **{"anthropic-version": ""}).text
    assert post(api, {"json": ASK | {"model": "claude-9"}}).json()["error"]["type"] == "not_found_error"
    old = post(
        api,
        {"json": ASK | {"temperature": 1, "model": "claude-haiku-4-5"}},
        **{"anthropic-version": "2023-06-01"},
    )
    assert old.status_code == 200


async def test_keys(start):
    api, _ = await start(accepted_keys=frozenset({"good", "invalid"}))
    for key, message in (("bad", "invalid bearer token"), ("invalid", "invalid bearer token")):
        async with anthropic.AsyncAnthropic(base_url=api.base_url, api_key=key, max_retries=0) as client:
            with pytest.raises(anthropic.AuthenticationError, match=message):
                await client.messages.create(**ASK)
    async with anthropic.AsyncAnthropic(base_url=api.base_url, api_key="good", max_retries=0) as client:
        assert (await client.messages.create(**ASK)).stop_reason
    async with httpx2.AsyncClient() as raw:
        answer = await raw.post(f"{api.base_url}/v1/messages", json=ASK)
        assert answer.status_code == 401
        assert answer.json()["error"] == {
            "type": "authentication_error",
            "message": "x-api-key header is required",
        }


async def test_models(start):
    _, client = await start()
    models = [model async for model in client.models.list(limit=5)]
    assert len(models) == len({model.id for model in models}) == 19
    assert models == sorted(models, key=lambda model: model.created_at, reverse=True)
    haiku = await client.models.retrieve("claude-haiku-4-5")
    assert haiku.id == "claude-haiku-4-5-20251001"
    assert (haiku.max_input_tokens, haiku.max_tokens, haiku.line) == (200_000, 64_000, "haiku")
    assert haiku.capabilities.thinking.types.adaptive.supported is False
    active = [model.id async for model in client.models.list(lifecycle=["active"])]
    retired = [model async for model in client.models.list(lifecycle=["retired"])]
    assert "claude-opus-4-1-20250805" in {model.id for model in retired}
    assert not {model.id for model in retired} & {model.id for model in models}
    assert all(model.retires_at and model.deprecated_at < model.retires_at for model in retired)
    assert "claude-mythos-preview" not in active
    first = await client.models.list(limit=2)
    second = await client.models.list(limit=2, after_id=first.last_id)
    back = await client.models.list(limit=2, before_id=second.first_id)
    assert [model.id for model in back.data] == [model.id for model in first.data]
    with pytest.raises(anthropic.NotFoundError):
        await client.models.retrieve("claude-9")


async def test_counting_tells_what_a_message_is_charged(start):
    api, client = await start(count_tokens_per_minute=1)
    counted = await client.messages.count_tokens(
        model=ASK["model"], messages=ASK["messages"], system="Be brief."
    )
    message = await client.messages.create(**ASK, system="Be brief.")
    assert message.usage.input_tokens == counted.input_tokens
    with pytest.raises(anthropic.RateLimitError):
        await client.messages.count_tokens(model=ASK["model"], messages=ASK["messages"])
    assert api.stats.arrivals == 1


async def test_unknown_routes(start):
    api, client = await start()
    with pytest.raises(anthropic.NotFoundError):
        await client.get("/v1/nothing", cast_to=object)
    with pytest.raises(anthropic.APIStatusError) as caught:
        await client.get("/v1/messages", cast_to=object)
    assert caught.value.status_code == 405
    assert api.stats.other_calls["GET /v1/nothing"] == 1


async def test_structured_output_and_tools(start):
    _, client = await start()
    schema = {
        "type": "object",
        "properties": {
            "mood": {"enum": ["good", "bad"]},
            "score": {"$ref": "#/$defs/n"},
            "tags": {"type": "array"},
        },
        "$defs": {"n": {"type": "integer"}},
    }
    tool = {"name": "rate", "input_schema": schema}
    message = await client.messages.create(
        **ASK | {"model": "claude-sonnet-5"}, tools=[tool], tool_choice={"type": "any"}
    )
    assert message.stop_reason == "tool_use"
    assert message.content[0].input == {"mood": "good", "score": 1, "tags": []}
    text = await client.messages.create(
        **ASK, output_config={"format": {"type": "json_schema", "schema": schema}}
    )
    assert text.content[0].text == '{"mood": "good", "score": 1, "tags": []}'


async def test_replies_depend_on_seed_and_request_only(start):
    texts = []
    for seed in (1, 1, 2):
        _, client = await start(seed=seed)
        texts.append((await client.messages.create(**ASK)).usage.output_tokens)
    assert texts[0] == texts[1]
    _, client = await start()
    short = await client.messages.create(**ASK | {"max_tokens": 1})
    assert (short.stop_reason, short.usage.output_tokens) == ("max_tokens", 1)
