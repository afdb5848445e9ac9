"""Streams over real HTTP: broken in every way and place, complete all the same, nothing twice, nothing leaked."""

from __future__ import annotations

import asyncio

import anyio
import pytest
from http_house import MODEL, Open, until

from headway import (
    Flow,
    JobCancelledError,
    JobState,
    Priority,
    QueueFullError,
    RequestError,
    RequestRejectedError,
    StreamInterruptedError,
)
from headway.testing.fake_api import INSTANT, FaultRule, Latency, OutputLength
from headway.testing.fake_api.fault import FaultKind
from headway.testing.fake_api.reply import _WORDS

pytestmark = pytest.mark.anyio
PROSE = _WORDS * 12
LOUD = [FaultKind.STREAM_CUT, FaultKind.STREAM_EOF, FaultKind.STREAM_ERROR, FaultKind.STREAM_BAD_JSON]
PLAIN, RESUMABLE = MODEL, "claude-haiku-4-5"
"""A model that has to begin anew, and one whose answer is continued."""
BREAKS = [(kind, after, model) for kind in LOUD for after in (1, 4, 6) for model in (PLAIN, RESUMABLE)]
STALL = FaultKind.STREAM_STALL
"""Only time tells, and each waits for it: what follows is the same as for the others."""
BREAKS += [(STALL, 1, PLAIN), (STALL, 4, PLAIN), (STALL, 6, RESUMABLE)]
LONG = OutputLength(mean=3000, sigma=0)
IMPATIENT = Flow(idle_timeout=0.5, first_token_timeout=0.5)
"""For what stalls; on a busy machine anything else may stand still for a moment."""


def broken(kind: FaultKind, after: int = 4, **options: object) -> FaultRule:
    settings: dict[str, object] = {"count": 1, "seconds": 5, "error_type": "overloaded_error"}
    return FaultRule(kind, after_events=after, stream=True, **(settings | options))  # type: ignore[arg-type]


async def test_it_is_the_sdk_s_own_stream(house: Open) -> None:
    there = await house()
    async with there.scheduler() as scheduler:
        async with scheduler.stream("hi") as stream:
            kinds = [event.type async for event in stream]
            message = await stream.get_final_message()
        async with there.client.messages.stream(
            model=MODEL, max_tokens=64, messages=[{"role": "user", "content": "hi"}]
        ) as own:
            assert [event.type async for event in own] == kinds
            theirs = await own.get_final_message()
        assert type(message) is type(theirs)
        assert message.content == theirs.content
        assert message.usage == theirs.usage
        assert await stream.get_final_text() == message.content[0].text  # type: ignore[union-attr]
        assert stream.request_id
        assert stream.job.state is JobState.SUCCEEDED
        assert (await stream.job).id == message.id
        assert (scheduler.status().in_flight, scheduler.status().succeeded) == (0, 1)


@pytest.mark.parametrize(("kind", "after", "model"), BREAKS)
async def test_a_broken_stream_is_whole(house: Open, kind: FaultKind, after: int, model: str) -> None:
    there = await house(broken(kind, after))
    async with there.scheduler(flow=IMPATIENT if kind is STALL else Flow(), max_tokens=4000) as scheduler:
        async with scheduler.stream("hi", model=model) as stream:
            text = "".join([part async for part in stream.text_stream])
            message = await stream.get_final_message()
        assert text
        assert text in PROSE
        assert [block.type for block in message.content] == ["text"]
        assert message.content[0].text == text  # type: ignore[union-attr]
        assert message.stop_reason == "end_turn"
        attempts = stream.job.attempts
        assert [attempt.failure is None for attempt in attempts] == [False, True]
        status = scheduler.status()
        assert (status.in_flight, status.sends, status.succeeded) == (0, 2, 1)
        assert status.usage.output == message.usage.output_tokens
        assert status.usage.input == message.usage.input_tokens
        assert sum(budget.in_flight for budget in status.budgets.values()) == 0


async def test_refusals_before_the_first_event_are_retried(house: Open) -> None:
    there = await house(
        FaultRule(FaultKind.STATUS, status=529, count=1),
        FaultRule(FaultKind.STATUS, status=500, count=1),
        broken(FaultKind.STREAM_EMPTY),
    )
    async with there.scheduler() as scheduler:
        async with scheduler.stream("hi") as stream:
            assert await stream.get_final_text() in PROSE
        assert len(stream.job.attempts) == 4


async def test_without_resuming_the_error_has_the_part(house: Open) -> None:
    there = await house(broken(FaultKind.STREAM_CUT, 5))
    async with there.scheduler() as scheduler:
        seen = ""
        with pytest.raises(StreamInterruptedError) as caught:
            async with scheduler.stream("hi", resume=False) as stream:
                async for text in stream.text_stream:
                    seen += text
        assert caught.value.partial is not None
        assert caught.value.partial.content[0].text == seen  # type: ignore[union-attr]
        assert "resuming is switched off" in str(caught.value)
        assert stream.current_message_snapshot.content[0].text == seen  # type: ignore[union-attr]
        assert (scheduler.status().in_flight, scheduler.status().failed) == (0, 1)


async def test_without_resuming_failures_before_the_text_are_retried(house: Open) -> None:
    there = await house(broken(FaultKind.STREAM_CUT, 2))
    async with there.scheduler() as scheduler:
        async with scheduler.stream("hi", resume=False) as stream:
            assert await stream.get_final_text() in PROSE


async def test_a_tool_call_that_broke_is_made_anew(house: Open) -> None:
    tool = {
        "name": "look_up",
        "input_schema": {"type": "object", "properties": {name: {"type": "string"} for name in "abcdef"}},
    }
    there = await house(broken(FaultKind.STREAM_CUT, 6))
    async with there.scheduler(max_tokens=1000) as scheduler:
        async with scheduler.stream(
            "hi", tools=[tool], tool_choice={"type": "tool", "name": "look_up"}, model="claude-opus-4-6"
        ) as stream:
            message = await stream.get_final_message()
        assert [block.type for block in message.content] == ["tool_use"]
        assert message.content[0].input == dict.fromkeys("abcdef", "headway")  # type: ignore[union-attr]
        assert len(stream.job.attempts) == 2


async def test_leaving_early_gives_the_budget_back(house: Open) -> None:
    there = await house(latency=Latency(ttft=0, speed=500, jitter=0), output=LONG)
    async with there.scheduler() as scheduler:
        async with scheduler.stream("hi", max_tokens=4000) as stream:
            async for _ in stream.text_stream:
                break
        assert stream.job.state is JobState.CANCELLED
        status = scheduler.status()
        assert (status.in_flight, status.cancelled) == (0, 1)
        assert sum(budget.in_flight for budget in status.budgets.values()) == 0
        await until(lambda: there.api.stats.client_disconnects == 1)


async def test_cancelling_the_reader_or_the_job(house: Open) -> None:
    there = await house(latency=Latency(ttft=0, speed=500, jitter=0), output=LONG)
    async with there.scheduler() as scheduler:

        async def read(manager: object) -> None:
            async with manager as stream:  # type: ignore[attr-defined]
                async for _ in stream.text_stream:
                    reading.set()

        reading = anyio.Event()
        first = scheduler.stream("one", max_tokens=4000)
        task = asyncio.create_task(read(first))
        await reading.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        reading = anyio.Event()
        second = scheduler.stream("two", max_tokens=4000)
        task = asyncio.create_task(read(second))
        await reading.wait()
        assert next(iter(scheduler._here().engine.roster.running)).cancel()
        with pytest.raises(JobCancelledError):
            await task
        status = scheduler.status()
        assert (status.in_flight, status.cancelled, status.maybe_billed) == (0, 2, 2)


async def test_a_job_that_is_cancelled_while_nobody_reads_lets_go_of_its_connection(house: Open) -> None:
    there = await house(latency=Latency(ttft=0, speed=500, jitter=0), output=LONG)
    async with there.scheduler() as scheduler, scheduler.stream("hi", max_tokens=4000) as stream:
        await anext(stream)
        stream.job.cancel()
        await until(lambda: there.api.stats.client_disconnects == 1)
        assert scheduler.status().in_flight == 0
        with pytest.raises(JobCancelledError):
            await stream.get_final_message()


async def test_a_read_with_a_time_limit_loses_nothing(house: Open) -> None:
    there = await house(broken(FaultKind.STREAM_STALL, 5, seconds=1))
    async with there.scheduler(max_tokens=4000) as scheduler, scheduler.stream("hi") as stream:
        seen = ""
        with anyio.move_on_after(0.3):
            async for event in stream:
                seen += event.text if event.type == "text" else ""
        rest = [event.text async for event in stream if event.type == "text"]
        message = await stream.get_final_message()
        assert seen + "".join(rest) == message.content[0].text  # type: ignore[union-attr]
        assert message.content[0].text in PROSE  # type: ignore[union-attr]
        assert message.stop_reason == "end_turn"


async def test_an_error_of_the_reader_passes(house: Open) -> None:
    there = await house()
    async with there.scheduler() as scheduler:
        with pytest.raises(ZeroDivisionError):
            async with scheduler.stream("hi") as stream:
                async for _ in stream.text_stream:
                    raise ZeroDivisionError
        assert scheduler.status().in_flight == 0


async def test_bad_requests_and_full_queues(house: Open) -> None:
    there = await house(latency=Latency(ttft=0, speed=100, jitter=0), output=LONG)
    async with there.scheduler(flow=Flow(max_in_flight=1, max_queued=1)) as scheduler:
        with pytest.raises(RequestError):
            scheduler.stream([])
        with pytest.raises(RequestRejectedError):
            async with scheduler.stream("hi", temperature=0.5):
                pass
        jobs = [scheduler.submit("one", max_tokens=4000)]
        await until(lambda: scheduler.status().in_flight == 1)
        jobs.append(scheduler.submit("two", priority=Priority.BULK))
        with pytest.raises(QueueFullError):
            scheduler.stream("three")
        for job in jobs:
            job.cancel()


async def test_many_streams_and_every_text_once(house: Open) -> None:
    there = await house(
        FaultRule(FaultKind.STREAM_CUT, probability=0.15, after_events=5, stream=True),
        FaultRule(
            FaultKind.STREAM_ERROR, probability=0.1, after_events=4, stream=True, error_type="api_error"
        ),
        latency=INSTANT,
        seed=3,
    )
    texts: list[str] = []
    async with there.scheduler(max_tokens=4000) as scheduler:

        async def one(number: int) -> None:
            async with scheduler.stream(f"number {number}", model="claude-haiku-4-5") as stream:
                text = "".join([part async for part in stream.text_stream])
                assert (await stream.get_final_message()).stop_reason == "end_turn"
            texts.append(text)

        async with anyio.create_task_group() as group:
            for number in range(60):
                group.start_soon(one, number)
        status = scheduler.status()
        assert status.sends > 60
        assert (status.succeeded, status.in_flight) == (60, 0)
    assert len(texts) == 60
    assert all(text in PROSE for text in texts)
