"""Many jobs: laziness, bounds, order, failures, leaving early."""

from __future__ import annotations

import gc
import itertools
from collections.abc import AsyncIterator, Iterator

import anyio
import pytest

from headway import Flow, JobState, Limits, Priority, Scheduler, SchedulerClosedError
from headway.testing.transport import ScriptedTransport, refusal, reply

pytestmark = pytest.mark.anyio


def scheduler(transport: ScriptedTransport, **options: object) -> Scheduler:
    limits = Limits(requests=60_000)  # told, so that nothing is learned and nothing paces what is tested here
    return Scheduler(model="claude-sonnet-5-5", max_tokens=64, transport=transport, limits=limits, **options)  # type: ignore[arg-type]


async def test_every_input_ends_exactly_once() -> None:
    transport = ScriptedTransport(
        lambda sent: refusal(400) if sent.text.endswith("7") else reply(), latency=1
    )
    async with scheduler(transport) as s:
        outcomes = [
            outcome async for outcome in s.map({"prompt": 0} if i < 0 else f"job {i}" for i in range(300))
        ]
    states = [outcome.state for outcome in outcomes]
    assert len(outcomes) == 300
    assert states.count(JobState.FAILED) == 30
    assert len({outcome.key for outcome in outcomes}) == 300
    assert len(transport.sent) == 300


async def test_ordered() -> None:
    transport = ScriptedTransport(latency=lambda sent: 10.0 - float(sent.text) % 10)
    async with scheduler(transport) as s:
        texts = [o.message.content[0].text async for o in s.map(map(str, range(50)), ordered=True)]  # type: ignore[union-attr]
    assert texts == [f"echo {i}" for i in range(50)]


async def test_input_is_consumed_only_as_needed() -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        for taken in itertools.count(1):
            yield f"job {taken}"

    transport = ScriptedTransport(latency=1, connections=10)
    async with scheduler(transport) as s, s.map(endless()) as outcomes:
        seen = 0
        async for _ in outcomes:
            seen += 1
            assert taken <= seen + 10 + 512 + 1
            if seen == 700:
                break
    assert transport.most_in_flight == 10
    assert transport.in_flight == 0


async def test_a_slow_consumer_holds_the_producer_back() -> None:
    taken = 0

    def numbers() -> Iterator[str]:
        nonlocal taken
        for taken in range(1, 100_000):
            yield str(taken)

    async with scheduler(ScriptedTransport(latency=0.01, connections=4)) as s, s.map(numbers()) as outcomes:
        async for _ in outcomes:
            break
        await anyio.sleep(3600)
        assert taken <= 4 + 512 + 2
        assert s.status().in_flight == 0


async def test_async_input_that_is_slow_does_not_hold_outcomes_back() -> None:
    async def trickle() -> AsyncIterator[str]:
        for i in range(5):
            yield str(i)
            await anyio.sleep(100)

    times: list[float] = []
    async with scheduler(ScriptedTransport(latency=1)) as s:
        async for _ in s.map(trickle()):
            times.append(anyio.current_time())
    assert times == pytest.approx([1, 101, 201, 301, 401])


async def test_a_request_that_cannot_be_sent_is_an_outcome() -> None:
    async with scheduler(ScriptedTransport()) as s:
        inputs = ["good", 5, {"custom_id": "bad", "params": {"messages": []}}]
        outcomes = {o.key: o async for o in s.map(inputs)}
    assert outcomes["bad"].failure is not None
    assert "messages" in outcomes["bad"].failure.message
    assert sorted(o.state.value for o in outcomes.values()) == ["failed", "failed", "succeeded"]


async def test_the_inputs_own_exception_comes_after_its_outcomes() -> None:
    def broken() -> Iterator[str]:
        yield "a"
        yield "b"
        raise OSError("disk gone")

    seen = []
    async with scheduler(ScriptedTransport()) as s:
        with pytest.raises(OSError, match="disk gone"):
            async for outcome in s.map(broken()):
                seen.append(outcome.state)
    assert seen == [JobState.SUCCEEDED] * 2


async def test_dropping_the_iterator_cancels_the_rest() -> None:
    transport = ScriptedTransport(latency=50, connections=5)
    async with scheduler(transport) as s:
        outcomes = s.map(map(str, range(1000)))
        await anyio.sleep(1)
        assert transport.in_flight == 5
        del outcomes
        gc.collect()
        await anyio.sleep(1)
        assert transport.in_flight == 0
        assert s.status().queued == 0
        assert s.status().cancelled == 517


async def test_batches_form_passes_through_and_names_the_job() -> None:
    params = {"model": "claude-haiku-5-5", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
    transport = ScriptedTransport()
    async with scheduler(transport) as s:
        [outcome] = [o async for o in s.map([{"custom_id": "my-id", "params": params}])]
    assert outcome.key == "my-id"
    assert transport.sent[0].request.params == params


async def test_interactive_is_not_stuck_behind_a_map() -> None:
    transport = ScriptedTransport(latency=1, connections=4)
    async with scheduler(transport) as s, s.map(map(str, range(400))) as outcomes:
        await anyio.sleep(10.5)
        await s.submit("now", priority=Priority.INTERACTIVE)
        assert anyio.current_time() == pytest.approx(12)
        async for _ in outcomes:
            break


async def test_tenants_share() -> None:
    transport = ScriptedTransport(latency=1, connections=2)
    async with scheduler(transport) as s:
        big = [s.submit(f"big {i}", tenant="big") for i in range(100)]
        await anyio.sleep(0.5)
        small = [s.submit(f"small {i}", tenant="small") for i in range(10)]
        for job in small:
            await job
        assert anyio.current_time() <= 13, "ten jobs of the small tenant at half the speed of two a second"
        for job in big:
            await job


async def test_models_share_the_slots() -> None:
    """Each model has a queue of its own: the first one must not take every slot that falls free."""
    transport = ScriptedTransport(latency=1, connections=2)
    async with scheduler(transport) as s:
        first = [s.submit(str(i)) for i in range(100)]
        await anyio.sleep(0.5)
        other = [s.submit(f"other {i}", model="claude-haiku-5-5") for i in range(10)]
        await s.submit("now", model="claude-opus-5-5", priority=Priority.INTERACTIVE)
        assert anyio.current_time() == pytest.approx(2), "the next slot is hers"
        for job in other:
            await job
        assert anyio.current_time() <= 13, "ten jobs of the other model at half the speed of two a second"
        for job in first:
            await job


async def test_weights_are_shares() -> None:
    transport = ScriptedTransport(latency=1, connections=3)
    async with scheduler(transport, flow=Flow(weights={"gold": 2.0})) as s:
        for i in range(60):
            s.submit(f"gold {i}", tenant="gold").add_done_callback(lambda outcome: None)
            s.submit(f"iron {i}", tenant="iron").add_done_callback(lambda outcome: None)
        await anyio.sleep(20.5)
        started = [sent.text.split()[0] for sent in transport.sent]
        assert started.count("gold") == pytest.approx(2 * started.count("iron"), abs=4)


async def test_no_new_jobs_while_draining() -> None:
    async with scheduler(ScriptedTransport(latency=10)) as s:
        job = s.submit("x")

        async def late() -> None:
            await anyio.sleep(1)
            with pytest.raises(SchedulerClosedError, match="draining"):
                s.submit("y")

        async with anyio.create_task_group() as group:
            group.start_soon(late)
            assert await s.drain()
        assert job.state is JobState.SUCCEEDED


@pytest.mark.heavy
async def test_a_reader_is_told_when_the_scheduler_is_closed_before_its_input_ended() -> None:
    async def stuck() -> AsyncIterator[str]:
        yield "one"
        await anyio.sleep_forever()

    seen: list[JobState] = []

    async def read(s: Scheduler) -> None:
        with pytest.raises(SchedulerClosedError, match="before map"):
            async for outcome in s.map(stuck()):
                seen.append(outcome.state)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group, scheduler(ScriptedTransport(latency=1)) as s:
            group.start_soon(read, s)
            await anyio.sleep(5)
    assert seen == [JobState.SUCCEEDED]


async def test_the_cost_of_a_job_does_not_grow_with_the_queue() -> None:
    """Memory and work stay in the window (timing lives in benchmarks/)."""
    transport = ScriptedTransport(latency=1, connections=500)
    most = 0
    async with scheduler(transport) as s:
        count = 0
        async for _ in s.map(str(i) for i in range(2_500)):
            count += 1
            if count % 250 == 0:
                most = max(most, s.status().queued)
    assert count == 2_500
    assert most <= 500 + 512
