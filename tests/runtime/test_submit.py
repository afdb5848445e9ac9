"""One job at a time: submit, await, cancel, deadline, errors."""

from __future__ import annotations

import asyncio
import logging
import os
import threading

import anyio
import pytest
from anthropic.types import Message

from headway import (
    Flow,
    Job,
    JobCancelledError,
    JobExpiredError,
    JobFailedError,
    JobState,
    Limits,
    Priority,
    QueueFullError,
    RequestError,
    RequestRejectedError,
    RetriesExhaustedError,
    Scheduler,
    SchedulerClosedError,
)
from headway.testing.transport import ScriptedTransport, Sent, lost, refusal, reply

pytestmark = pytest.mark.anyio


def scheduler(transport: ScriptedTransport, **options: object) -> Scheduler:
    limits = Limits(requests=60_000)  # told, so that nothing is learned and nothing paces what is tested here
    return Scheduler(model="claude-sonnet-5-5", max_tokens=64, transport=transport, limits=limits, **options)  # type: ignore[arg-type]


async def test_a_string_becomes_a_message() -> None:
    transport = ScriptedTransport()
    async with scheduler(transport) as s:
        message = await s.submit("Hello")
    assert message.content[0].text == "echo Hello"  # type: ignore[union-attr]
    assert transport.closed
    params = transport.sent[0].request.params
    assert params == {
        "model": "claude-sonnet-5-5",
        "max_tokens": 64,
        "messages": [{"role": "user", "content": "Hello"}],
    }


async def test_parameters_pass_untouched_and_win_over_defaults() -> None:
    transport = ScriptedTransport()
    tools = [{"name": "t", "input_schema": {"type": "object"}}]
    async with scheduler(transport) as s:
        await s.submit("x", model="claude-opus-5-5", max_tokens=7, tools=tools, extra_headers={"a": "b"})  # type: ignore[list-item]
    request = transport.sent[0].request
    assert (request.model, request.max_tokens, request.params["tools"]) == ("claude-opus-5-5", 7, tools)
    assert request.options == {"extra_headers": {"a": "b"}}


async def test_job_handle_shows_states_and_attempts() -> None:
    def script(sent: Sent) -> object:
        return refusal(500, "api_error") if sent.attempt == 1 else reply("done")

    async with scheduler(ScriptedTransport(script)) as s:  # type: ignore[arg-type]
        job = s.submit("x")
        assert job.state is JobState.QUEUED
        await anyio.sleep(0.5)
        assert job.state is JobState.RUNNING
        outcome = await job.outcome()
        assert outcome.state is JobState.SUCCEEDED
        assert [a.failure and a.failure.status for a in outcome.attempts] == [500, None]
        assert s.status().retries == 1
        assert s.status().sends == 2


async def test_rejected_requests_are_sent_once() -> None:
    for status, kind in [
        (400, "invalid_request_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (422, None),
    ]:
        transport = ScriptedTransport(lambda sent, s=status, k=kind: refusal(s, k))
        async with scheduler(transport) as s:
            with pytest.raises(RequestRejectedError) as caught:
                await s.submit("x")
        assert len(transport.sent) == 1
        assert caught.value.failure.status == status
        assert caught.value.failure.remedy in str(caught.value)
        assert not caught.value.resumable


async def test_retries_end_and_say_so() -> None:
    transport = ScriptedTransport(lambda sent: refusal(500, "api_error"))
    async with scheduler(transport) as s:
        with pytest.raises(RetriesExhaustedError, match="after 3 attempts"):
            await s.submit("x")
    assert len(transport.sent) == 3


async def test_throttling_does_not_use_up_attempts() -> None:
    transport = ScriptedTransport(
        lambda sent: refusal(429, "rate_limit_error", retry_after=2.0) if sent.attempt <= 20 else reply()
    )
    async with scheduler(transport) as s:
        await s.submit("x")
        assert s.status().refused_429 == 20
    gaps = [b.at - a.at for a, b in zip(transport.sent, transport.sent[1:], strict=False)]
    assert all(gap >= 2.0 for gap in gaps), "Retry-After is a minimum"


async def test_throttling_is_bounded_by_time() -> None:
    transport = ScriptedTransport(lambda sent: refusal(529, "overloaded_error"))
    async with scheduler(transport) as s:
        outcome = await s.submit("x").outcome()
        assert outcome.failure is not None
        assert outcome.resumable
        assert anyio.current_time() < 3700


async def test_retry_after_beyond_the_deadline_fails_now() -> None:
    transport = ScriptedTransport(lambda sent: refusal(429, "rate_limit_error", retry_after=600))
    async with scheduler(transport) as s:
        with pytest.raises(JobExpiredError):
            await s.submit("x", deadline=30)
        assert anyio.current_time() < 5


async def test_deadline_cuts_a_running_attempt() -> None:
    async with scheduler(ScriptedTransport(latency=100)) as s:
        outcome = await s.submit("x", deadline=5).outcome()
        assert outcome.state is JobState.EXPIRED
        assert outcome.maybe_billed == 1
        assert anyio.current_time() == pytest.approx(5)


async def test_deadline_expires_a_queued_job() -> None:
    transport = ScriptedTransport(latency=100)
    async with scheduler(transport, flow=Flow(max_in_flight=1)) as s:
        first = s.submit("first")
        outcome = await s.submit("second", deadline=5).outcome()
        assert outcome.state is JobState.EXPIRED
        assert anyio.current_time() == pytest.approx(5)
        await first
    assert [sent.text for sent in transport.sent] == ["first"]


async def test_cancelling_the_awaiter_cancels_the_job() -> None:
    transport = ScriptedTransport(latency=100)
    async with scheduler(transport) as s:
        job = s.submit("x")
        with anyio.move_on_after(3):
            await job
        outcome = await job.outcome()
        assert outcome.state is JobState.CANCELLED
        assert transport.in_flight == 0
        with pytest.raises(JobCancelledError):
            await job


async def test_waiting_for_an_outcome_only_observes() -> None:
    async with scheduler(ScriptedTransport(latency=10)) as s:
        job = s.submit("x")
        with anyio.move_on_after(3):
            await job.outcome()
        assert job.state is JobState.RUNNING
        await job


async def test_cancel_a_queued_job_and_wait_for_with_asyncio() -> None:
    transport = ScriptedTransport(latency=10)
    async with scheduler(transport, flow=Flow(max_in_flight=1)) as s:
        s.submit("first").add_done_callback(lambda outcome: None)
        job = s.submit("second")
        await anyio.sleep(1)
        assert job.cancel()
        assert (await job.outcome()).state is JobState.CANCELLED
        assert not job.cancel()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(s.submit("third"), 1)  # type: ignore[arg-type]
    assert [sent.text for sent in transport.sent] == ["first"]


async def test_gather_works() -> None:
    async with scheduler(ScriptedTransport()) as s:
        messages = await asyncio.gather(*(s.submit(str(i)) for i in range(10)))  # type: ignore[arg-type]
    assert len(messages) == 10


async def test_attempt_timeout_is_retried_and_counted_as_maybe_billed() -> None:
    transport = ScriptedTransport(latency=lambda sent: 1000.0 if sent.attempt == 1 else 1.0)
    async with scheduler(transport, flow=Flow(attempt_timeout=60)) as s:
        outcome = await s.submit("x").outcome()
    assert outcome.state is JobState.SUCCEEDED
    assert outcome.maybe_billed == 1
    assert [a.failure and a.failure.kind.value for a in outcome.attempts] == ["attempt_timeout", None]


async def test_bad_input_is_refused_at_the_call() -> None:
    async with scheduler(ScriptedTransport()) as s:
        for prompt, field in [
            ([], "messages"),
            (5, "messages"),
            ([{"role": "user"}], "messages.0"),
            ({}, "messages"),
        ]:
            with pytest.raises(RequestError) as caught:
                s.submit(prompt)
            assert caught.value.field == field
        with pytest.raises(RequestError, match="use scheduler"):
            s.submit("x", stream=True)  # type: ignore[call-arg]
        for name, value in (("deadline", 0), ("deadline", "soon"), ("priority", "high"), ("timeout", -5)):
            with pytest.raises(RequestError, match=f"^{name}: must be"):
                s.submit("x", **{name: value})  # type: ignore[call-overload]
    for name in ("retry", "flow", "batching", "journal"):
        with pytest.raises(TypeError, match=f"^{name} must be"):
            scheduler(ScriptedTransport(), **{name: 5})
    async with Scheduler(transport=ScriptedTransport()) as s:
        with pytest.raises(RequestError, match="model"):
            s.submit("x")
        with pytest.raises(RequestError, match="max_tokens"):
            s.submit("x", model="claude-haiku-5-5")


async def test_max_queued() -> None:
    async with scheduler(ScriptedTransport(), flow=Flow(max_in_flight=1, max_queued=2)) as s:
        jobs = [s.submit("a"), s.submit("b")]
        with pytest.raises(QueueFullError) as caught:
            s.submit("c")
        assert caught.value.retry_after > 0
        for job in jobs:
            await job


async def test_only_inside_async_with_and_in_the_same_thread() -> None:
    s = scheduler(ScriptedTransport())
    with pytest.raises(SchedulerClosedError, match="async with"):
        s.submit("x")
    async with s:
        errors: list[Exception] = []

        def elsewhere() -> None:
            try:
                s.submit("x")
            except SchedulerClosedError as error:
                errors.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert "another thread" in str(errors[0])
    with pytest.raises(SchedulerClosedError):
        s.submit("x")
    with pytest.raises(SchedulerClosedError, match="make a new one"):
        async with s:
            pass


async def test_a_forked_child_is_refused() -> None:
    async with scheduler(ScriptedTransport()) as s:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                s.submit("x")
                os.write(writer, b"accepted")
            except SchedulerClosedError as error:
                os.write(writer, str(error).encode())
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        assert b"after the fork" in os.read(reader, 1000)
        os.close(reader)
        os.close(writer)


async def test_the_bodys_exception_passes_as_it_is_and_cancels() -> None:
    transport = ScriptedTransport(latency=100)
    with pytest.raises(ZeroDivisionError):
        async with scheduler(transport) as s:
            job = s.submit("x")
            await anyio.sleep(1)
            1 / 0  # noqa: B018
    assert job.done()
    outcome = await job.outcome()
    assert outcome.resumable
    assert outcome.maybe_billed == 1
    assert transport.in_flight == 0


async def test_leaving_normally_drains() -> None:
    transport = ScriptedTransport(latency=50)
    async with scheduler(transport) as s:
        jobs = [s.submit(str(i)) for i in range(3)]
        for job in jobs:
            job.add_done_callback(lambda outcome: None)
    assert all(job.state is JobState.SUCCEEDED for job in jobs)


async def test_cancelled_from_outside() -> None:
    transport = ScriptedTransport(latency=50)
    with anyio.move_on_after(5):
        async with scheduler(transport) as s:
            job = s.submit("x")
            await job.outcome()
    assert (await job.outcome()).resumable
    assert transport.in_flight == 0
    assert transport.closed


async def test_a_failed_job_nobody_awaited_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="headway"):
        async with scheduler(ScriptedTransport(lambda sent: refusal(400, "invalid_request_error"))) as s:
            s.submit("a secret prompt")
    lines = [r.getMessage() for r in caplog.records]
    assert len(lines) == 1
    assert "nobody awaited" in lines[0]
    assert "secret" not in lines[0]


async def test_interactive_goes_first() -> None:
    transport = ScriptedTransport(latency=1)
    async with scheduler(transport, flow=Flow(max_in_flight=1)) as s:
        jobs = [s.submit(f"bulk {i}", priority=Priority.BULK) for i in range(5)]
        await anyio.sleep(0.5)
        await s.submit("now", priority=Priority.INTERACTIVE)
        assert anyio.current_time() == pytest.approx(2)
        for job in jobs:
            await job


async def test_transport_fault_does_not_lose_the_job() -> None:
    def script(sent: Sent) -> object:
        raise RuntimeError("bug")

    async with scheduler(ScriptedTransport(script)) as s:  # type: ignore[arg-type]
        with pytest.raises(JobFailedError, match=r"RuntimeError in test_submit\.py:\d+"):
            await s.submit("x")


async def test_disconnects_count_as_maybe_billed() -> None:
    transport = ScriptedTransport(lambda sent: lost() if sent.attempt == 1 else reply())
    async with scheduler(transport) as s:
        outcome = await s.submit("x").outcome()
        assert outcome.maybe_billed == 1
        assert s.status().maybe_billed == 1


async def test_the_last_attempt_before_a_deadline_counts_too() -> None:
    """A gateway's 502 is retried after 1.5 s at least: too late for this job, but it may have been billed."""
    async with scheduler(ScriptedTransport(lambda sent: refusal(502))) as s:
        outcome = await s.submit("x", deadline=2).outcome()
        assert outcome.state is JobState.EXPIRED
        assert outcome.maybe_billed == s.status().maybe_billed == 1


async def test_everything_sync_works_from_a_loop_callback() -> None:
    """Signal handlers, done callbacks and ``call_later`` run outside any task."""
    loop = asyncio.get_running_loop()
    async with scheduler(ScriptedTransport(latency=10)) as s:
        jobs: list[Job[Message]] = []
        loop.call_later(1, lambda: jobs.extend(s.submit(str(i)) for i in range(3)))
        loop.call_later(2, lambda: jobs[0].cancel())
        loop.call_later(3, lambda: s.status())
        loop.call_later(4, lambda: s.abort())
        await anyio.sleep(5)
        outcomes = [await job.outcome() for job in jobs]
    assert [o.state for o in outcomes] == [JobState.CANCELLED, JobState.FAILED, JobState.FAILED]
    assert [o.resumable for o in outcomes] == [False, True, True]
