"""Buckets, headers and statistics over HTTP."""

from __future__ import annotations

import asyncio
import time
from email.utils import parsedate_to_datetime

import anthropic
import pytest

from headway.testing.fake_api import FakeLimits, FaultKind, FaultRule, HeaderPolicy, Latency, OutputLength

pytestmark = pytest.mark.anyio
SLOW = FakeLimits(requests=2, burst=60)  # two at once, then one in 30 s


def ask(text: str = "Hi", **more: object) -> dict[str, object]:
    return {
        "model": "claude-sonnet-5-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": text}],
    } | more


async def headers_of(client, text: str = "Hi"):
    return (await client.messages.with_raw_response.create(**ask(text))).headers


async def test_requests_beyond_the_bucket_are_refused(start):
    api, client = await start(limits=SLOW)
    first, second = await headers_of(client), await headers_of(client)
    assert first["anthropic-ratelimit-requests-limit"] == "2"
    assert [h["anthropic-ratelimit-requests-remaining"] for h in (first, second)] == ["1", "0"]
    assert "anthropic-ratelimit-tokens-limit" not in first
    with pytest.raises(anthropic.RateLimitError) as caught:
        await client.messages.create(**ask())
    response = caught.value.response
    assert 25 <= int(response.headers["retry-after"]) <= 30
    assert response.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert "2 requests per minute" in str(caught.value)
    stats = api.stats
    assert stats.refused == {"requests": 1}
    assert stats.statuses == {200: 2, 429: 1}
    assert stats.groups["claude-sonnet-5-5"].buckets["requests"].consumed == 2


async def test_token_headers(start):
    limits = FakeLimits(requests=1000, input=600_000, output=120_400)
    _, client = await start(limits=limits, output=OutputLength(mean=100, sigma=0))
    headers = await headers_of(client, "word " * 36_000)
    assert headers["anthropic-ratelimit-input-tokens-limit"] == "600000"
    assert headers["anthropic-ratelimit-input-tokens-remaining"] == "535000"
    assert headers["anthropic-ratelimit-output-tokens-remaining"] == "120000"
    assert headers["anthropic-ratelimit-tokens-limit"] == "720400"
    assert headers["anthropic-ratelimit-input-tokens-reset"].endswith("Z")
    assert abs(parsedate_to_datetime(headers["date"]).timestamp() - time.time()) < 5


async def test_groups_share_a_bucket(start):
    _, client = await start(limits=FakeLimits(requests=1))
    await client.messages.create(**ask(model="claude-opus-4-5"))
    with pytest.raises(anthropic.RateLimitError):
        await client.messages.create(**ask(model="claude-opus-4-8"))
    await client.messages.create(**ask(model="claude-opus-5"))


async def test_output_is_charged_while_it_is_generated(start):
    limits = FakeLimits(output=60, burst=10)  # 10 tokens deep, one a second
    slow = Latency(ttft=0.0, speed=1000, jitter=0, refusal=0)
    api, client = await start(limits=limits, latency=slow, output=OutputLength(mean=50, sigma=0))
    message = await client.messages.create(**ask(max_tokens=4000))  # max_tokens reserves nothing
    assert message.usage.output_tokens == 50
    with pytest.raises(anthropic.RateLimitError) as caught:
        await client.messages.create(**ask("again"))
    assert 30 <= int(caught.value.response.headers["retry-after"]) <= 40
    assert caught.value.response.headers["anthropic-ratelimit-output-tokens-remaining"] == "0"
    bucket = api.stats.groups["claude-sonnet-5-5"].buckets["output"]
    assert bucket.consumed == pytest.approx(50)
    assert bucket.level is not None
    assert bucket.level < -30
    assert api.stats.refused == {"output": 1}


async def test_headers_may_describe_the_end(start):
    limits = FakeLimits(output=60_000)
    latency = Latency(ttft=0, speed=1_000_000, jitter=0)
    for describe, remaining in (("admission", "60000"), ("end", "50000")):
        _, client = await start(
            limits=limits,
            latency=latency,
            output=OutputLength(mean=10_000, sigma=0),
            headers=HeaderPolicy(describe=describe),
        )
        raw = await client.messages.with_raw_response.create(**ask(max_tokens=20_000))
        assert raw.headers["anthropic-ratelimit-output-tokens-remaining"] == remaining


async def test_headers_can_be_left_out_stale_or_skewed(start):
    _, client = await start(limits=SLOW, headers=HeaderPolicy(omit="errors", retry_after=False))
    assert "anthropic-ratelimit-requests-limit" in await headers_of(client)
    await headers_of(client)
    with pytest.raises(anthropic.RateLimitError) as caught:
        await client.messages.create(**ask())
    assert not [
        name for name in caught.value.response.headers if name.startswith(("anthropic-rate", "retry"))
    ]
    _, client = await start(limits=SLOW, headers=HeaderPolicy(omit="always"))
    assert "anthropic-ratelimit-requests-limit" not in await headers_of(client)
    _, client = await start(limits=SLOW, headers=HeaderPolicy(stale=60, clock_skew=300))
    await headers_of(client)
    late = await headers_of(client)
    assert late["anthropic-ratelimit-requests-remaining"] == "1"
    assert 295 < parsedate_to_datetime(late["date"]).timestamp() - time.time() < 305


async def test_refused_requests_may_count(start):
    api, client = await start(limits=FakeLimits(requests=60, input=60), refused_count_requests=True)
    for _ in range(3):
        with pytest.raises(anthropic.RateLimitError):
            await client.messages.create(**ask("long " * 100))
    assert api.stats.groups["claude-sonnet-5-5"].buckets["requests"].consumed == 3


async def test_retry_after_in_every_form(start):
    api, client = await start()
    forms = ["1.5", "date+5", "-3", "soon", "1e99", "86400000"]
    for text in forms:
        rule = FaultRule(FaultKind.STATUS, status=429, retry_after=text, headers={"retry-after-ms": "250.5"})
        api.set_faults((rule,))
        with pytest.raises(anthropic.RateLimitError) as caught:
            await client.messages.create(**ask())
        sent = caught.value.response.headers
        assert sent["retry-after-ms"] == "250.5"
        if text.startswith("date"):
            gap = parsedate_to_datetime(sent["retry-after"]) - parsedate_to_datetime(sent["date"])
            assert gap.total_seconds() == 5
        else:
            assert sent["retry-after"] == text


async def test_header_faults(start):
    rule = FaultRule(FaultKind.HEADERS, headers={"x-should-retry": "false", "request-id": None})
    _, client = await start(rule, FaultRule(FaultKind.HEADERS_MISSING), limits=SLOW)
    headers = await headers_of(client)
    assert headers["x-should-retry"] == "false"
    assert "request-id" not in headers
    assert not [name for name in headers if name.startswith("anthropic-ratelimit")]


async def test_limits_and_tenants_change_what_is_admitted(start):
    api, client = await start(
        FaultRule(FaultKind.LIMITS, limits=FakeLimits(requests=1), since="server_start"),
        limits=FakeLimits(requests=600),
    )
    assert (await headers_of(client))["anthropic-ratelimit-requests-limit"] == "1"
    api.set_faults((FaultRule(FaultKind.TENANT, share=1.0),))
    api.set_limits(FakeLimits(requests=3, burst=20))
    api.reset()
    assert (await headers_of(client))["anthropic-ratelimit-requests-limit"] == "3"
    with pytest.raises(anthropic.RateLimitError) as caught:
        await client.messages.create(**ask())
    assert caught.value.response.headers["retry-after"] == "86400"  # the tenant takes all of the refill


async def test_too_many_at_once(start):
    api, client = await start(max_in_flight=1, latency=Latency(ttft=600, refusal=0))
    running = asyncio.create_task(client.messages.create(**ask("first")))
    while api.stats.arrivals == 0:
        await asyncio.sleep(0.001)
    with pytest.raises(anthropic.RateLimitError, match="concurrent connections"):
        await client.messages.create(**ask("second"))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_jobs_attempts_and_double_billing(start):
    api, client = await start(FaultRule(FaultKind.RESET, after_work=True, attempts="first", job="lost*"))
    named = {"extra_headers": {"x-fake-job": "lost-1"}}
    with pytest.raises(anthropic.APIConnectionError):
        await client.messages.create(**ask(), **named)
    await client.messages.create(**ask(), **named)
    for _ in range(2):
        await client.messages.create(**ask(), metadata={"user_id": "twice"})
    stats = api.stats
    assert stats.attempts == {"lost-1": 2, "twice": 2}
    assert stats.successes == {"lost-1": 1, "twice": 2}
    assert (stats.duplicates, stats.billed_twice) == (1, 2)
    assert stats.statuses == {0: 1, 200: 3}


async def test_a_client_that_leaves_is_noticed_and_charged_no_further(start):
    limits = FakeLimits(output=1_000_000)
    latency = Latency(ttft=0, speed=1000, jitter=0)
    api, client = await start(limits=limits, latency=latency, output=OutputLength(mean=50_000, sigma=0))
    stream = await client.messages.create(**ask(max_tokens=60_000), stream=True)
    async for event in stream:
        if event.type == "content_block_delta":
            break
    await stream.close()
    for _ in range(500):  # 5 s at most, one round trip usually
        if api.stats.client_disconnects:
            break
        await asyncio.sleep(0.01)
    assert api.stats.client_disconnects == 1
    charged = api.stats.groups["claude-sonnet-5-5"].buckets["output"].consumed
    assert 0 < charged < 25_000
    await asyncio.sleep(0.02)
    assert api.stats.groups["claude-sonnet-5-5"].buckets["output"].consumed == charged
    assert api.stats.served == 0


async def test_series_and_bound(start):
    api, client = await start(limits=FakeLimits(requests=600, burst=1))
    await asyncio.gather(*(client.messages.create(**ask(str(i))) for i in range(10)))
    stats = api.stats
    assert sum(second.arrivals for second in stats.series) == 10
    assert sum(second.successes for second in stats.series) == 10
    assert stats.in_flight_max >= 1
    assert stats.makespan is not None
    assert stats.bound_seconds() <= stats.makespan + 0.001
    api.reset()
    assert api.stats.arrivals == 0
    assert api.stats.bound_seconds() == 0
