"""The drop-in over real HTTP: existing code, the scheduler's budgets and retries, the SDK's own errors."""

from __future__ import annotations

import asyncio
import gc
import weakref

import anthropic
import anyio
import pytest
from anthropic import AsyncAnthropic
from http_house import MODEL, Open, Quick, client_of, until

import headway
from headway import Flow, Limits, NotSentError, Priority, Scheduler, SpendCap, job_terms
from headway.testing.fake_api import (
    INSTANT,
    FakeAPI,
    FakeConfig,
    FakeLimits,
    FaultRule,
    Latency,
    OutputLength,
)
from headway.testing.fake_api.fault import FaultKind

pytestmark = pytest.mark.anyio
F = FaultKind


def ask(client: AsyncAnthropic, text: str = "hi", **params: object):  # type: ignore[no-untyped-def]
    body: dict[str, object] = {
        "model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": text}]
    }  # fmt: skip
    return client.messages.create(**(body | params))  # type: ignore[call-overload]


def status(code: int, **fields: object) -> FaultRule:
    return FaultRule(F.STATUS, status=code, **fields)  # type: ignore[arg-type]


def idle(scheduler: Scheduler) -> bool:
    now = scheduler.status()
    return now.in_flight == 0 and sum(budget.in_flight for budget in now.budgets.values()) == 0


async def test_two_keys_have_two_budgets_and_status_shows_both(house: Open) -> None:
    there = await house()
    async with there.scheduler() as scheduler:
        await ask(scheduler.client)
        other = AsyncAnthropic(api_key="sk-another", base_url=there.api.base_url)
        async with other:
            await ask(scheduler.wrap(other))
        first, second = scheduler.status().budgets
        assert second == f"{first} (account 2)"


async def test_the_scheduler_s_client_answers_like_the_sdk(house: Open) -> None:
    there = await house(status(429, count=1, retry_after="0"), status(500, count=1), status(529, count=1))
    async with there.scheduler() as scheduler:
        message = await ask(scheduler.client)
        assert type(message) is anthropic.types.Message
        now = scheduler.status()
        assert (now.sends, now.succeeded, now.refused_429, now.refused_529) == (4, 1, 1, 1)
        assert now.usage.output == message.usage.output_tokens
        assert idle(scheduler)
        raw = await scheduler.client.messages.with_raw_response.create(
            model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "x"}]
        )
        assert (await raw.parse()).type == "message"
        assert await scheduler.client.beta.messages.create(
            model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "x"}]
        )


@pytest.mark.parametrize(
    ("code", "error"),
    [(400, anthropic.BadRequestError), (404, anthropic.NotFoundError), (413, anthropic.RequestTooLargeError)],
)
async def test_errors_are_the_sdk_s_own(house: Open, code: int, error: type[Exception]) -> None:
    there = await house(status(code))
    async with there.scheduler() as scheduler:
        with pytest.raises(error):
            await ask(scheduler.client)
        assert (scheduler.status().failed, scheduler.status().sends) == (1, 1)
        assert idle(scheduler)


async def test_an_error_that_breaks_off_is_asked_again(house: Open) -> None:
    there = await house()
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        head = b"HTTP/1.1 529 Overloaded\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n"
        writer.write(head + b'{"type": "error", ')
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with there.scheduler() as scheduler:
            broken = scheduler.client.with_options(base_url=url)
            with pytest.raises(anthropic.APIConnectionError):
                await ask(broken, stream=True)
            assert len(asked) > 1
            assert (scheduler.status().sends, scheduler.status().failed) == (len(asked), 1)
            assert idle(scheduler)


async def test_a_monthly_cap_says_when_it_ends(house: Open) -> None:
    there = await house(status(429, error_code="enforced_spend_limit_reached"))
    async with there.scheduler() as scheduler:
        with pytest.raises(anthropic.RateLimitError):
            await ask(scheduler.client)
        halted = scheduler.status().halted
        assert halted is not None
        assert halted.resumes_at is not None


async def test_when_retries_are_exhausted_the_last_error_comes_out(house: Open) -> None:
    there = await house(status(500))
    async with there.scheduler() as scheduler:
        with pytest.raises(anthropic.InternalServerError):
            await ask(scheduler.wrap(there.client))
        assert scheduler.status().sends == 3
        assert idle(scheduler)


async def test_lost_connections_are_retried_and_then_the_sdk_s(house: Open) -> None:
    there = await house(FaultRule(F.RESET, count=2))
    async with there.scheduler() as scheduler:
        assert (await ask(scheduler.client)).content
        assert scheduler.status().sends == 3
    there = await house(FaultRule(F.RESET))
    async with there.scheduler() as scheduler:
        with pytest.raises(anthropic.APIConnectionError):
            await ask(scheduler.client)
        assert idle(scheduler)


async def test_a_body_that_is_no_message_is_retried(house: Open) -> None:
    there = await house(
        FaultRule(F.BODY_HTML, count=1),
        FaultRule(F.BODY_SHAPE, count=1),
        FaultRule(F.BODY_TRUNCATED, count=1),
    )
    async with there.scheduler() as scheduler:
        assert (await ask(scheduler.client)).stop_reason == "end_turn"


async def test_streams_are_observed(house: Open) -> None:
    there = await house(status(529, count=1))
    async with there.scheduler() as scheduler:
        stream = await ask(scheduler.client, stream=True)
        events = [event.type async for event in stream]
        assert events[-1] == "message_stop"
        async with scheduler.client.messages.stream(
            model=MODEL, max_tokens=64, messages=[{"role": "user", "content": "x"}]
        ) as helper:
            message = await helper.get_final_message()
        now = scheduler.status()
        assert (now.sends, now.succeeded) == (3, 2)
        assert now.usage.output > message.usage.output_tokens
        async with scheduler.client.messages.with_streaming_response.create(
            model=MODEL, max_tokens=64, messages=[{"role": "user", "content": "x"}]
        ) as response:
            assert (await response.parse()).type == "message"
        await until(lambda: scheduler.status().succeeded == 3 and idle(scheduler))


async def test_a_stream_holds_its_place_until_it_is_closed(house: Open) -> None:
    there = await house(latency=Latency(ttft=0, speed=300, jitter=0), output=OutputLength(mean=3000, sigma=0))
    async with there.scheduler(flow=Flow(max_in_flight=1)) as scheduler:
        client = scheduler.client
        stream = await ask(client, stream=True, max_tokens=4000)
        assert scheduler.status().in_flight == 1
        await stream.close()
        assert idle(scheduler)
        assert scheduler.status().cancelled == 1
        stream = await ask(client, stream=True, max_tokens=4000)
        del stream
        gc.collect()
        await until(lambda: idle(scheduler))


async def test_broken_streams_raise_what_the_sdk_raises(house: Open) -> None:
    rules = (
        FaultRule(F.STREAM_ERROR, count=1, after_events=5, stream=True, error_type="overloaded_error"),
        FaultRule(F.STREAM_CUT, count=1, after_events=5, stream=True),
    )
    there = await house(*rules)
    async with there.scheduler() as scheduler:
        with pytest.raises(anthropic.APIStatusError):
            async for _ in await ask(scheduler.client, stream=True):
                pass
        with pytest.raises(Exception):  # noqa: B017 - a raw error of the HTTP library
            async for _ in await ask(scheduler.client, stream=True):
                pass
        await until(lambda: idle(scheduler))
        assert scheduler.status().sends == 2


async def test_cancelling_a_call_gives_everything_back(house: Open) -> None:
    there = await house(latency=Latency(ttft=30))
    async with there.scheduler() as scheduler:
        task = asyncio.create_task(ask(scheduler.client))
        await until(lambda: scheduler.status().in_flight == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert idle(scheduler)
        assert scheduler.status().cancelled == 1


async def test_terms_reach_calls_that_cannot_be_told(house: Open) -> None:
    there = await house()
    seen: list[tuple[Priority, str]] = []

    class Watch:
        def emit(self, record: object, event: object) -> None:
            if type(event).__name__ == "Started":
                seen.append((record.priority, record.tenant))  # type: ignore[attr-defined]

    async with there.scheduler(sinks=[Watch()]) as scheduler:
        client = scheduler.wrap(there.client, priority=Priority.BULK, tenant="a")
        await ask(client)
        with job_terms(priority=Priority.INTERACTIVE, tenant="b"):
            await ask(client)
        assert seen == [(Priority.BULK, "a"), (Priority.INTERACTIVE, "b")]


async def test_what_cannot_be_sent_is_an_api_error(house: Open) -> None:
    there = await house(status(401, count=1))
    async with there.scheduler() as scheduler:
        client = scheduler.client
        with pytest.raises(anthropic.AuthenticationError):
            await ask(client)
        with pytest.raises(anthropic.APIError) as caught:
            await ask(client)
        assert isinstance(caught.value, NotSentError)
        assert scheduler.status().sends == 1
        with pytest.raises(ValueError, match="already"):
            scheduler.wrap(client)
    with pytest.raises(NotSentError):
        await ask(client)


async def test_a_deadline_in_the_queue(house: Open) -> None:
    there = await house(latency=Latency(ttft=0.5))
    async with there.scheduler(flow=Flow(max_in_flight=1)) as scheduler:
        first = asyncio.create_task(ask(scheduler.client))
        await until(lambda: scheduler.status().in_flight == 1)
        with pytest.raises(NotSentError, match="deadline"):
            await ask(scheduler.wrap(there.client, deadline=0.05))
        await first


async def test_two_hundred_calls_against_small_limits(house: Open) -> None:
    limits = FakeLimits(requests=12_000, input=10**9, output=10**9, burst=0.25)
    there = await house(latency=INSTANT, limits=limits)
    async with there.scheduler() as scheduler:
        client = scheduler.client
        async with anyio.create_task_group() as group:
            for number in range(200):
                group.start_soon(ask, client, f"number {number}")
        assert scheduler.status().succeeded == 200
        assert scheduler.status().refused_429 < 40, "without headway: hundreds (benchmarks/drop_in.py)"


async def test_standalone_with_retries(backend: str) -> None:
    faults = (status(529, count=1), status(500, count=1))
    async with FakeAPI(FakeConfig(latency=INSTANT, faults=faults)) as api:
        gate = headway.middleware(Limits(requests=1000), retry=Quick())
        async with client_of(backend, api.base_url, middleware=[gate], max_retries=0) as client:
            assert (await ask(client)).type == "message"
            assert (await gate.scheduler()).status().sends == 3
        await gate.aclose()


async def test_standalone_that_only_paces_leaves_retrying_to_the_sdk(backend: str) -> None:
    faults = (status(500, count=1, headers={"retry-after-ms": "1"}), status(401, count=1))
    async with FakeAPI(FakeConfig(latency=INSTANT, faults=faults)) as api:
        gate = headway.middleware(retry=None)
        async with client_of(backend, api.base_url, middleware=[gate]) as client:
            with pytest.raises(anthropic.AuthenticationError):
                await ask(client)
            assert (await ask(client)).type == "message"  # a 401 is the caller's matter: nothing was stopped
            assert (await gate.scheduler()).status().sends == 3
        await gate.aclose()


def test_standalone_in_a_second_loop() -> None:
    gate = headway.middleware()
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def once() -> str:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        async with FakeAPI(FakeConfig(latency=INSTANT)) as api:
            async with client_of("httpx2", api.base_url, middleware=[gate], max_retries=0) as client:
                return (await ask(client)).type

    assert [asyncio.run(once()), asyncio.run(once())] == ["message", "message"]
    gc.collect()
    assert loops[0]() is None, "the first loop and its scheduler are not kept"


async def test_other_endpoints_pass(house: Open) -> None:
    there = await house()
    async with there.scheduler() as scheduler:
        client = scheduler.client
        counted = await client.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "x"}])
        assert counted.input_tokens > 0
        assert [model async for model in client.models.list()]
        assert scheduler.status().sends == 0


async def test_an_idle_middleware_keeps_no_task_and_all_it_learned(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headway.standalone.LINGER", 0.01)
    before = asyncio.all_tasks()

    def ours() -> list[str]:
        return [task.get_name() for task in asyncio.all_tasks() - before if "headway" in task.get_name()]

    async with FakeAPI(FakeConfig(latency=INSTANT)) as api:
        gate = headway.middleware()
        async with client_of(backend, api.base_url, middleware=[gate], max_retries=0) as client:
            for calls in range(1, 4):
                async with anyio.create_task_group() as group:
                    group.start_soon(ask, client)
                    group.start_soon(ask, client, "another")
                await until(lambda: not ours())
                scheduler = await gate.scheduler()
                assert ours(), "asked for, so it lives again"
                assert scheduler.status().sends == 2 * calls
            await ask(client)
        await gate.aclose()
        assert not ours()


async def test_a_spend_cap_holds_for_calls_of_others(house: Open) -> None:
    """Plain, streamed, broken off and through `middleware`: what is not paid for is not sent."""
    there = await house(latency=Latency(speed=150), output=OutputLength(mean=60))
    one = (400 * 2 + 64 * 10) * 1.1e-6  # at most, for any of these calls
    async with there.scheduler(spend_cap=SpendCap(100 * one)) as scheduler:
        client = scheduler.client

        def spent() -> float:
            spend = scheduler.status().spend
            assert spend is not None
            assert spend.reserved == 0
            return spend.spent

        message = await ask(client)
        cost = message.usage.input_tokens * 2e-6 + message.usage.output_tokens * 10e-6
        assert spent() == pytest.approx(cost)
        async with client.messages.stream(
            model=MODEL, max_tokens=64, messages=[{"role": "user", "content": "hi"}]
        ) as stream:
            async for _ in stream.text_stream:
                break
        await until(lambda: idle(scheduler))
        assert spent() == pytest.approx(cost + message.usage.input_tokens * 2e-6 + 64 * 10e-6)
        scheduler.set_spend_cap(SpendCap(spent() + one / 100))
        with pytest.raises(NotSentError, match="spend_cap") as caught:
            await ask(client)
        assert caught.value.failure is not None
        assert caught.value.failure.resumable
        with pytest.raises(NotSentError, match="the price of 'my-own' is not known"):
            await ask(client, model="my-own")
    gate = headway.middleware(spend_cap=SpendCap(one / 10))
    async with there.client.copy(middleware=[gate], max_retries=0) as capped:
        with pytest.raises(NotSentError, match="spend_cap"):
            await ask(capped)
    await gate.aclose()
    assert there.api.stats.arrivals == 2
