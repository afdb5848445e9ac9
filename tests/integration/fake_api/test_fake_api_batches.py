"""``/v1/messages/batches`` with the SDK as the client. The adapter's tests go through the same doors."""

from __future__ import annotations

import anthropic
import anyio
import httpx2
import pytest
from anthropic import AsyncAnthropic

from headway.testing.clock import virtual_loop
from headway.testing.fake_api import FakeAPI, FakeConfig, FaultKind, FaultRule
from headway.testing.fake_api import batch_rules as rules

pytestmark = pytest.mark.anyio
MODEL = "claude-sonnet-5-5"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return ("asyncio", {"loop_factory": virtual_loop})


def params(text: str = "Hello", **more: object) -> dict[str, object]:
    body = {"model": MODEL, "max_tokens": 20, "messages": [{"role": "user", "content": text}]}
    return {**body, **more}


def item(custom_id: object, **more: object) -> dict[str, object]:
    return {"custom_id": custom_id, "params": params(metadata={"user_id": str(custom_id)}, **more)}


async def post(api: FakeAPI, content: object, **headers: str) -> httpx2.Response:
    version = {"anthropic-version": "2026-10-21", "x-api-key": "k"}
    async with httpx2.AsyncClient(verify=False) as raw:
        return await raw.post(
            f"{api.base_url}/v1/messages/batches", json=content, headers={**version, **headers}
        )


REFUSED = [
    ({}, "requests: Field required"),
    ({"requests": {}}, "requests: Input should be a valid list"),
    ({"requests": []}, "requests: List should have at least 1 item"),
    ({"requests": [item("a")] * 4}, "requests: List should have at most 3 items"),
    ({"requests": [item("a")], "model": MODEL}, "model: Extra inputs are not permitted"),
    ({"requests": [item("a"), item("b"), item("a")]}, "requests: custom_id must be unique, a is there"),
    ({"requests": [item("a"), item("not ok")]}, "requests.1.custom_id: String should match pattern"),
    ({"requests": [item("a" * 65)]}, "requests.0.custom_id: String should match pattern"),
    ({"requests": [item("a\n")]}, "requests.0.custom_id: String should match pattern"),
    ({"requests": [item(7)]}, "requests.0.custom_id: Input should be a valid string"),
    ({"requests": [{"custom_id": "a"}]}, "requests.0.params: Input should be a valid dictionary"),
    ({"requests": [item("a", stream=True)]}, "requests.0.params.stream: "),
    ({"requests": [item("a"), item("b", speed="fast")]}, "requests.1.params.speed: "),
    ({"requests": [item("a", thread={"type": "create"})]}, "requests.0.params.thread: "),
    ({"requests": [item("a", max_tokens=0)]}, "requests.0.params.max_tokens: "),
]  # fmt: skip


async def test_what_is_refused_whole(start, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rules, "MOST_REQUESTS", 3)
    api, client = await start()
    for body, message in REFUSED:
        answer = await post(api, body)
        assert answer.status_code == 400, body
        error = answer.json()["error"]
        assert (error["type"], error["message"][: len(message)]) == ("invalid_request_error", message)
    assert (await post(api, {"requests": [item("a")]}, **{"anthropic-version": ""})).status_code == 400
    assert (await post(api, {"requests": [item("a")]}, **{"x-api-key": "invalid"})).status_code == 401
    monkeypatch.setattr("headway.testing.fake_api.batches.MOST_BYTES", 400)
    with pytest.raises(anthropic.APIStatusError) as caught:
        await client.messages.batches.create(requests=[item("a", system="x" * 400)])
    assert (caught.value.status_code, caught.value.type) == (413, "request_too_large")
    assert not api.stats.batches


async def test_the_life_of_a_batch(start):
    """Everything else that is wrong with params comes out as an errored result, as of the same request alone."""
    wrong = [item("hot", temperature=1.0), item("gone", model="claude-2"), item("cut", max_tokens="many")]
    api, client = await start(batch_seconds=3600.0)
    batches = client.messages.batches
    made = await batches.create(requests=[item("a"), *wrong])
    assert (made.processing_status, made.results_url, made.archived_at) == ("in_progress", None, None)
    await anyio.sleep(3599)
    assert (await batches.retrieve(made.id)).request_counts.to_dict() == {
        "processing": 4, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0,
    }  # fmt: skip
    with pytest.raises(anthropic.BadRequestError, match="cannot be deleted"):
        await batches.delete(made.id)
    assert api.stats.billed == {}
    await anyio.sleep(1)
    done = await batches.retrieve(made.id)
    assert (done.request_counts.succeeded, done.request_counts.errored) == (1, 3)
    assert done.results_url == f"{api.base_url}/v1/messages/batches/{made.id}/results"
    results = {line.custom_id: line.result async for line in await batches.results(made.id)}
    for name, message in (("hot", "temperature: "), ("gone", "model: claude-2"), ("cut", "max_tokens: ")):
        assert results[name].error.error.message.startswith(message)
    live = await client.messages.create(**params(metadata={"user_id": "a"}))
    assert results["a"].message.content == live.content, "the same request, the same reply"
    assert results["a"].message.usage.service_tier == "batch"
    stats = api.stats
    assert (stats.billed, stats.batch_billed, stats.prices) == ({"a": 2}, {"a": 1}, 1.5)
    assert stats.batch_output_tokens == live.usage.output_tokens
    (seen,) = stats.batches.values()
    assert (seen.status, seen.custom_ids, seen.reads) == ("ended", ("a", "hot", "gone", "cut"), 1)
    with pytest.raises(anthropic.BadRequestError, match="already ended"):
        await batches.cancel(made.id)
    assert (await batches.delete(made.id)).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        await batches.retrieve(made.id)
    assert set(api.stats.batches) == {made.id}, "the ledger forgets nothing"


async def test_pages_in_both_directions(start):
    _, client = await start()
    batches = client.messages.batches
    made = [(await batches.create(requests=[item("a")])).id for _ in range(5)][::-1]
    assert [batch.id async for batch in batches.list(limit=2)] == made
    assert [batch.id async for batch in batches.list(limit=2, before_id=made[4])] == [*made[2:4], *made[:2]]
    with pytest.raises(anthropic.BadRequestError, match="limit"):
        await batches.list(limit=1001)


async def test_limits_of_its_own(start):
    """Live requests and batches do not take from each other."""
    _, client = await start(batches_per_minute=3.0, batch_queue=5, batch_seconds=60.0)
    batches = client.messages.batches
    await batches.create(requests=[item(name) for name in "abcd"])
    with pytest.raises(anthropic.RateLimitError, match="5 requests waiting") as caught:
        await batches.create(requests=[item("e"), item("f")])
    assert caught.value.response.headers["retry-after"] == "60"
    await client.messages.create(**params())
    await batches.list()
    with pytest.raises(anthropic.RateLimitError, match="3 batch requests per minute") as caught:
        await batches.list()
    await anyio.sleep(float(caught.value.response.headers["retry-after"]) + 60)
    await batches.create(requests=[item(name) for name in "abcde"])


async def test_faults_of_single_requests(start):
    rules = [
        FaultRule(FaultKind.STATUS, endpoint="batch_item", job="busy", status=529, attempts="first"),
        FaultRule(FaultKind.EXPIRED, endpoint="batch_item", job="late"),
        FaultRule(FaultKind.LOST, endpoint="batch_item", job="lost"),
        FaultRule(FaultKind.STRANGER, endpoint="batch_item", job="other"),
    ]
    api, client = await start(*rules, batch_seconds=0.0)
    batches = client.messages.batches
    names = ("busy", "late", "lost", "other")
    for expected in ("errored", "succeeded"):
        made = await batches.create(requests=[item(name) for name in names])
        lines = {line.custom_id: line.result.type async for line in await batches.results(made.id)}
        assert lines == {"busy": expected, "late": "expired", "stranger-other": "succeeded"}
    assert api.stats.billed == {"busy": 1, "lost": 2, "other": 2}
    assert (await client.messages.create(**params(metadata={"user_id": "busy"}))).id, "live ones are spared"
    for kind, endpoint in ((FaultKind.LOST, "messages"), (FaultKind.STREAM_CUT, "batch_item")):
        with pytest.raises(ValueError, match="does not happen to"):
            FaultRule(kind, endpoint=endpoint)  # type: ignore[arg-type]


def test_a_day_over_http_in_no_time():
    """The knobs for real clocks: a scale, and the remote control."""

    async def main(base_url: str) -> None:
        async with AsyncAnthropic(base_url=base_url, api_key="k", max_retries=0) as client:
            batches = client.messages.batches
            made = await batches.create(requests=[item(f"j{number}") for number in range(30)])
            with anyio.fail_after(10):
                while (done := await batches.retrieve(made.id)).processing_status != "ended":
                    await anyio.sleep(0.005)
            assert (done.ended_at, done.expires_at) == (made.expires_at, made.expires_at)
            assert 0 < done.request_counts.expired < 30
            api.pass_time(29 * 86_400)
            assert (await batches.retrieve(made.id)).archived_at is not None
            with pytest.raises(anthropic.AnthropicError):
                await batches.results(made.id)

    config = FakeConfig(batch_seconds=2 * 86_400.0, batch_time_scale=86_400.0 / 0.05)
    with FakeAPI.in_thread(config) as api:
        anyio.run(main, api.base_url)
        (seen,) = api.stats().batches.values()
        assert seen.counts["expired"] + seen.counts["succeeded"] == len(seen.custom_ids) == 30
