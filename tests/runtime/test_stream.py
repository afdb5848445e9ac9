"""Streams in virtual time: cut off, interrupted, left alone and closed at every point; always given back."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import anyio
import pytest
from anthropic.types import TextBlock
from anyio.lowlevel import checkpoint
from pydantic import BaseModel
from stream_script import Step, StreamScript, block, delta, end, end_block, start, whole

from headway import (
    Flow,
    HeadwayError,
    JobCancelledError,
    JobExpiredError,
    JobFailedError,
    JobState,
    Priority,
    Scheduler,
    StreamInterruptedError,
)
from headway.adapters.memory import MemoryBudgets
from headway.core.error_kind import ErrorKind
from headway.core.limits import Limits
from headway.core.request import Request
from headway.core.usage import Usage
from headway.errors import StoppedError
from headway.ports import Rejection
from headway.testing.transport import lost, refusal

pytestmark = pytest.mark.anyio
CUT = lost(ErrorKind.DISCONNECTED)
SLOW: list[Step] = [start(), 1, block(0), 1, delta("Once "), 1, delta("upon "), 1, delta("a time."), 1,
                    end_block(), 1, *end()]  # fmt: skip
"""Eight seconds with the second to the headers."""


class House:
    """A scheduler whose streams follow a script, and whose budgets can be looked into."""

    def __init__(
        self, *plays: Iterable[Step] | Rejection | Callable[[Request], Iterable[Step]], **options: Any
    ) -> None:
        self.budgets = MemoryBudgets(Limits(requests=600, input=100_000, output=50_000, burst=5))
        self.transport = StreamScript(self._play)
        self._plays = plays
        self.scheduler = Scheduler(
            transport=self.transport,
            budgets=self.budgets,
            **{"model": "claude-haiku-5-5", "max_tokens": 900} | options,
        )

    def _play(self, number: int, request: Request) -> Iterable[Step] | Rejection:
        play = self._plays[min(number, len(self._plays)) - 1]
        return play(request) if callable(play) else play

    def empty(self) -> bool:
        status = self.scheduler.status()
        held = sum(budget.in_flight for budget in self.budgets.status(anyio.current_time()).values())
        return (held, status.in_flight, status.queued) == (0, 0, 0)


async def read_whole(manager: Any) -> None:
    async with manager as stream:
        await stream.get_final_message()


def text_of(message: Any) -> str:
    return "".join(part.text for part in message.content if isinstance(part, TextBlock))


@pytest.mark.parametrize("native", [False, True])
async def test_cancelled_at_any_moment_everything_is_given_back(native: bool) -> None:
    """By anyio and by asyncio: the second reaches into shielded code, so it strikes twice."""
    for tenth in range(0, 120, 3):
        house = House(
            [start(), block(0), 1, delta("Once "), 1, CUT], refusal(529, "overloaded_error"), SLOW,
            flow=Flow(max_in_flight=1),
        )  # fmt: skip
        async with house.scheduler as scheduler:
            blocker = scheduler.submit("blocker")
            await anyio.sleep(0.01)
            manager = scheduler.stream("hi")
            job = manager._source.job

            task = asyncio.create_task(read_whole(manager))
            await anyio.sleep(tenth / 10)
            for _ in range(3 if native else 1):
                task.cancel()
                await checkpoint()
            await asyncio.wait([task])
            await blocker
            if tenth:  # else it had not entered
                await job.outcome()
                assert job.state in {JobState.CANCELLED, JobState.SUCCEEDED}
            assert house.empty(), tenth


async def test_a_deadline_at_any_moment() -> None:
    for tenth in range(1, 90, 4):
        house = House(SLOW)
        async with house.scheduler as scheduler:
            try:
                began = anyio.current_time()
                async with scheduler.stream("hi", deadline=tenth / 10) as stream:
                    await stream.get_final_message()
                assert anyio.current_time() - began < tenth / 10
            except JobExpiredError as error:
                assert scheduler.status().expired == 1
                assert (error.partial is not None) == (tenth > 30)
            assert house.empty()


async def test_nobody_reads_for_an_hour_and_the_watchdogs_wait() -> None:
    house = House(SLOW, flow=Flow(first_token_timeout=3.5, idle_timeout=1.5))
    async with house.scheduler as scheduler:
        async with scheduler.stream("hi") as stream:
            await anyio.sleep(3600)
            async for _ in stream:
                await anyio.sleep(3600)
            assert text_of(await stream.get_final_message()) == "Once upon a time."
        assert len(stream.job.attempts) == 1


async def test_a_silent_server_is_given_up_in_time() -> None:
    silent: list[Step] = [start(), 9, {"type": "novelty"}, 9, block(0), 9, delta("late")]
    stalled: list[Step] = [start(), block(0), delta("Once "), 100, delta("never")]
    house = House(silent, stalled, whole("upon a time."), flow=Flow(first_token_timeout=20, idle_timeout=5))
    async with house.scheduler as scheduler, scheduler.stream("hi") as stream:
        assert text_of(await stream.get_final_message()) == "Once upon a time."
        first, second, _ = stream.job.attempts
    assert first.ended is not None
    assert first.ended - first.started == 20
    assert second.ended is not None
    assert second.ended - second.started == 1 + 5
    assert {first.failure.kind, second.failure.kind} == {ErrorKind.STREAM_STALL}  # type: ignore[union-attr]


async def test_a_continuation_has_the_time_of_a_first_token() -> None:
    late: list[Step] = [start(), 30, *whole("upon a time.")[1:]]
    house = House([start(), block(0), delta("Once "), CUT], late, flow=Flow(idle_timeout=5))
    async with house.scheduler as scheduler, scheduler.stream("hi") as stream:
        assert text_of(await stream.get_final_message()) == "Once upon a time."
        assert len(stream.job.attempts) == 2


async def test_the_job_is_cancelled_while_nobody_reads() -> None:
    house = House(SLOW)
    async with house.scheduler as scheduler:
        async with scheduler.stream("hi") as stream:
            await anext(stream)
            assert stream.job.cancel()
            with pytest.raises(JobCancelledError):
                await stream.job
            assert house.empty()
            assert house.transport.streams[0].closed
            for _ in range(2):
                with pytest.raises(JobCancelledError):
                    await stream.get_final_message()
            assert stream.current_message_snapshot.id == "msg_1"


@pytest.mark.parametrize("reading", [False, True])
async def test_draining_and_stopping_do_not_wait_for_a_reader(reading: bool) -> None:
    for end_it in ("drain", "stop", "abort"):
        house = House([start(), block(0), delta("Once "), 1e6, delta("upon ")], flow=Flow(idle_timeout=1e9))
        began = anyio.current_time()
        async with house.scheduler as scheduler, scheduler.stream("hi") as stream:
            for _ in range(3):
                await anext(stream)
            errors: list[StoppedError] = []

            async def read(stream: Any = stream, errors: list[StoppedError] = errors) -> None:
                with pytest.raises(StoppedError) as caught:
                    await stream.get_final_message()
                errors.append(caught.value)

            task = asyncio.create_task(read()) if reading else None
            await anyio.sleep(1)
            if end_it == "abort":
                scheduler.abort()
            else:
                await getattr(scheduler, end_it)(5)
            await anyio.sleep(1)
            assert anyio.current_time() - began < 10
            assert house.empty()
            await (task or read())
            assert [text_of(error.partial) for error in errors] == ["Once "]


async def test_leaving_the_scheduler_with_an_error_ends_a_stream_of_another_task() -> None:
    house = House(SLOW)
    errors: list[Exception] = []
    entered = anyio.Event()

    async def read() -> None:
        async with house.scheduler.stream("hi") as stream:
            await anext(stream)
            entered.set()
            try:
                await stream.get_final_message()
            except HeadwayError as error:
                errors.append(error)

    with pytest.raises(ZeroDivisionError):
        async with house.scheduler:
            task = asyncio.create_task(read())
            await entered.wait()
            raise ZeroDivisionError
    await task
    assert [type(error) for error in errors] == [StoppedError]
    assert sum(budget.in_flight for budget in house.budgets.status(anyio.current_time()).values()) == 0


async def test_a_read_that_was_cut_short_goes_on() -> None:
    house = House([start(), block(0), delta("Once "), 50, delta("upon")], whole("upon a time."))
    async with house.scheduler as scheduler, scheduler.stream("hi") as stream:
        for _ in range(4):
            await anext(stream)
        with anyio.move_on_after(2):
            await anext(stream)
        assert text_of(await stream.get_final_message()) == "Once upon a time."
        assert stream.job.state is JobState.SUCCEEDED


async def test_two_readers_and_entering_twice() -> None:
    house = House(SLOW)
    async with house.scheduler as scheduler:
        manager = scheduler.stream("hi")
        async with manager as stream:
            task = asyncio.create_task(stream.get_final_message())
            await anyio.sleep(2)
            with pytest.raises(RuntimeError, match="another task is reading"):
                await anext(stream)
            assert text_of(await task) == "Once upon a time."
            assert [event async for event in stream] == []
        with pytest.raises(RuntimeError, match="entered once"):
            await manager.__aenter__()
        assert text_of(await stream.get_final_message()) == "Once upon a time."


async def test_closing_under_a_reader() -> None:
    for seconds in (0.5, 2, 3, 5, 5.5):
        house = House(SLOW)
        async with house.scheduler as scheduler, scheduler.stream("hi") as stream:
            task = asyncio.create_task(stream.get_final_message())
            await anyio.sleep(seconds)
            await stream.close()
            await asyncio.wait([task])
            error = task.exception()
            assert isinstance(error, JobCancelledError), seconds
            assert house.empty()


async def test_closing_under_a_reader_that_waits_for_the_next_attempt() -> None:
    for tenth in range(0, 40, 2):
        house = House([start(), block(0), delta("Once "), CUT], refusal(529, "overloaded_error"), SLOW)
        async with house.scheduler as scheduler, scheduler.stream("hi") as stream:
            task = asyncio.create_task(stream.get_final_message())
            await anyio.sleep(tenth / 10)
            await stream.close()
            await asyncio.wait([task])
            assert isinstance(task.exception(), JobCancelledError)
            assert house.empty()
            assert all(opened.closed for opened in house.transport.streams)


async def test_closing_when_only_the_formalities_are_missing() -> None:
    house = House([*whole("All.")[:-1], 100.0])
    async with house.scheduler as scheduler, scheduler.stream("hi") as stream:
        task = asyncio.create_task(stream.get_final_message())
        await anyio.sleep(1)
        began = anyio.current_time()
        await stream.close()
        assert text_of(await task) == "All."
        assert anyio.current_time() == began
        assert stream.job.state is JobState.SUCCEEDED
        assert house.empty()


async def test_a_job_cancelled_before_its_stream_is_entered() -> None:
    house = House(SLOW)
    async with house.scheduler as scheduler:
        manager = scheduler.stream("hi")
        assert manager._source.job.cancel()
        await checkpoint()
        with pytest.raises(JobCancelledError):
            await manager.__aenter__()
        assert not house.transport.requests


async def test_a_structured_answer_is_retried_unseen_and_never_resumed() -> None:
    class Point(BaseModel):
        x: int

    good = whole('{"x"', ": 4}")
    house = House([start(), CUT], good)
    async with house.scheduler as scheduler, scheduler.stream("hi", output_format=Point) as stream:
        assert (await stream.get_final_message()).parsed_output == Point(x=4)
    house = House([*good[:3], CUT], good)
    async with house.scheduler as scheduler, scheduler.stream("hi", output_format=Point) as stream:
        with pytest.raises(StreamInterruptedError, match="cannot be resumed") as caught:
            await stream.get_final_message()
        assert text_of(caught.value.partial) == '{"x"'
        assert len(house.transport.requests) == 1


@pytest.mark.parametrize("resume", [True, False])
async def test_a_structured_answer_that_does_not_fit_is_told_without_its_text(resume: bool) -> None:
    class Point(BaseModel):
        x: int

    house = House(whole('{"x": "my ', 'secret"}'))
    async with house.scheduler as scheduler:
        async with scheduler.stream("hi", output_format=Point, resume=resume) as stream:
            with pytest.raises(
                JobFailedError, match=r"does not fit output_format Point: x \(int_parsing\)"
            ) as caught:
                await stream.get_final_message()
            assert caught.value.failure.kind is ErrorKind.MISFIT
            assert "secret" in text_of(caught.value.partial)
        complaint = "".join(traceback.format_exception(caught.value))
        assert "secret" not in complaint
        assert scheduler.status().failed == len(house.transport.requests) == 1
        assert (await stream.job.outcome()).usage == scheduler.status().usage != Usage()
    house = House(whole('{"x": ', reason="max_tokens"))
    async with house.scheduler as scheduler, scheduler.stream("hi", output_format=Point) as stream:
        assert (await stream.get_final_message()).parsed_output is None, "cut off, and says so"


async def test_before_anything_has_arrived() -> None:
    house = House(SLOW)
    async with house.scheduler as scheduler, scheduler.stream("hi") as stream:
        with pytest.raises(AssertionError, match="nothing has arrived"):
            _ = stream.current_message_snapshot
        await stream.until_done()
        assert await stream.get_final_text() == "Once upon a time."


async def test_the_text_and_then_the_message() -> None:
    house = House(SLOW)
    async with house.scheduler as scheduler, scheduler.stream("hi") as stream:
        async for text in stream.text_stream:
            assert text == "Once "
            break
        assert [text async for text in stream.text_stream] in ([], ["upon ", "a time."])
        assert text_of(await stream.get_final_message()) == "Once upon a time."


async def test_retries_exhausted_after_text() -> None:
    house = House([start(), block(0), delta("Once "), CUT], refusal(500, "api_error"))
    async with house.scheduler as scheduler, scheduler.stream("hi") as stream:
        with pytest.raises(StreamInterruptedError) as caught:
            await stream.get_final_message()
        assert text_of(caught.value.partial) == "Once "
        assert len(caught.value.attempts) > 2
        with pytest.raises(StreamInterruptedError):
            await stream.get_final_message()
        assert house.empty()


@pytest.mark.parametrize(
    ("broken", "kinds"),
    [
        ([block(0, "thinking"), delta("hm", 0, "thinking")], ["text"]),
        ([block(0, "tool_use"), delta('{"a"', 0, "input_json")], ["text"]),
        ([block(0, "redacted_thinking"), end_block()], ["text"]),
        ([block(0), delta("Once "), end_block()], ["text"]),
        ([block(0), delta("Once "), end_block(), block(1, "tool_use"), delta("{", 1, "input_json")], ["text"] * 2),
        (
            [block(0, "server_tool_use"), end_block(), block(1, "result"), end_block(1), block(2), delta("Once ", 2)],
            ["server_tool_use", "web_search_tool_result", "text"],
        ),
        ([{"type": "novelty"}, block(0), {"type": "novelty"}, delta("Once ")], ["text"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("model", ["claude-haiku-5-5", "claude-haiku-4-5"])
async def test_broken_in_the_middle_of_anything(broken: list[Step], kinds: list[str], model: str) -> None:
    def rest(request: Request) -> list[Step]:
        resumed = "Once" in str(request.params["messages"])
        return whole("upon a time.") if resumed else whole("Once ", "upon a time.")

    house = House(
        [start(), *broken, CUT], [start(), CUT], refusal(529, "overloaded_error"), rest, model=model
    )
    async with house.scheduler as scheduler, scheduler.stream("hi") as stream:
        message = await stream.get_final_message()
    assert [part.type for part in message.content] == kinds
    assert text_of(message) == "Once upon a time."
    assert message.usage.input_tokens == 30


async def test_a_break_after_the_stop_reason_changes_nothing() -> None:
    for reason in ("end_turn", "refusal", "pause_turn", "max_tokens"):
        for broken in (CUT, 1000.0):
            house = House([*whole("All.", reason=reason)[:-1], broken])
            async with house.scheduler as scheduler, scheduler.stream("hi") as stream:
                message = await stream.get_final_message()
                assert (text_of(message), message.stop_reason) == ("All.", reason)
                assert len(stream.job.attempts) == 1
                assert house.empty()


@pytest.mark.parametrize(
    "broken",
    [
        [block(0), delta("lost")],
        end(),
        [start(), block(0), delta("Once "), start()],
        [start(), block(0), delta("Once "), delta("lost", 4)],
        [start(), delta("lost")],
    ],
)
async def test_events_out_of_order_are_a_failure_like_others(broken: list[Step]) -> None:
    def rest(request: Request) -> list[Step]:
        return whole("upon." if "Once" in str(request.params["messages"]) else "Once upon.")

    house = House([*broken, delta(" and more")], rest)
    async with house.scheduler as scheduler, scheduler.stream("hi") as stream:
        assert text_of(await stream.get_final_message()) == "Once upon."
        assert stream.job.attempts[0].failure is not None
        assert stream.job.attempts[0].failure.kind is ErrorKind.MALFORMED
        assert house.empty()


async def test_all_that_was_billed_is_counted() -> None:
    thinking: list[Step] = [start(20), block(0, "thinking"), delta("x" * 400, 0, "thinking"), CUT]
    house = House([start(10), block(0), delta("y" * 40), CUT], thinking, whole("z"))
    async with house.scheduler as scheduler:
        async with scheduler.stream("hi") as stream:
            message = await stream.get_final_message()
        usage = scheduler.status().usage
    assert usage.input == 40
    assert usage.output > 5 + 100
    assert message.usage.output_tokens == usage.output


async def test_throttled_inside_the_stream() -> None:
    overloaded = refusal(200, "overloaded_error")
    limited = refusal(200, "rate_limit_error")
    house = House(
        [start(), overloaded], [start(), limited], [start(), block(0), delta("Once "), overloaded],
        [start(), block(0), delta("upon "), limited], whole("a time."),
    )  # fmt: skip
    async with house.scheduler as scheduler, scheduler.stream("hi") as stream:
        assert text_of(await stream.get_final_message()) == "Once upon a time."
        status = scheduler.status()
        assert (status.refused_529, status.refused_429) == (2, 2)
        assert house.empty()


async def test_one_slot_for_streams_and_jobs_and_a_person_goes_first(tmp_path: Path) -> None:
    house = House(SLOW, flow=Flow(max_in_flight=1), journal=tmp_path / "journal.db")
    order: list[str] = []
    async with house.scheduler as scheduler:

        async def read(name: str, priority: Priority) -> None:
            async with scheduler.stream(name, priority=priority) as stream:
                await stream.get_final_message()
            order.append(name)

        async with anyio.create_task_group() as group:
            group.start_soon(read, "first", Priority.BULK)
            await anyio.sleep(0.1)
            jobs = [scheduler.submit(f"job {number}", priority=Priority.BULK) for number in range(3)]
            group.start_soon(read, "bulk", Priority.BULK)
            await anyio.sleep(0.1)
            group.start_soon(read, "person", Priority.INTERACTIVE)
        for job in jobs:
            await job
        assert order == ["first", "person", "bulk"]
        assert house.empty()
        assert scheduler.status().succeeded == 6


async def test_a_turn_that_comes_after_its_caller_has_left() -> None:
    """A store that takes a round trip: the job is in nobody's hands while it is asked."""

    class Distant(MemoryBudgets):
        async def reserve(self, *args: Any, **options: Any) -> Any:
            await anyio.sleep(1)
            return await super().reserve(*args, **options)

    house = House(SLOW)
    distant = Distant(Limits(requests=600))
    scheduler = Scheduler(
        model="claude-haiku-5-5", max_tokens=9, transport=house.transport, budgets=distant, flow=Flow(max_in_flight=1)
    )  # fmt: skip
    async with scheduler:
        manager = scheduler.stream("hi")
        with anyio.move_on_after(0.5):
            await manager.__aenter__()
        await anyio.sleep(2)
        assert manager._source.job.state is JobState.CANCELLED
        assert (scheduler.status().in_flight, scheduler.status().queued) == (0, 0)
        assert not house.transport.requests
        assert await scheduler.submit("the slot is free")


async def test_what_a_cancelled_or_failed_stream_used_is_settled_and_counted() -> None:
    house = House(SLOW)
    async with house.scheduler as scheduler:
        async with scheduler.stream("hi") as stream:
            async for _ in stream.text_stream:
                break
        assert stream.job.state is JobState.CANCELLED
        used = scheduler.status().usage
        assert (used.input, used.output > 0) == (start()["message"]["usage"]["input_tokens"], True)
        assert scheduler.status().cost == stream.job.peek().cost > 0  # type: ignore[union-attr,operator]
        assert house.empty()
    house = House([*whole("Once ", "upon")[:3], CUT])
    async with house.scheduler as scheduler, scheduler.stream("hi", resume=False) as stream:
        with pytest.raises(StreamInterruptedError):
            await stream.get_final_message()
        assert scheduler.status().usage.input == used.input
        assert (await stream.job.outcome()).usage == scheduler.status().usage
