"""The blocking face: from scripts, from many threads, interrupted, closed, forked."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import BaseModel

import headway.sync
from headway import (
    Flow,
    JobCancelledError,
    JobState,
    Limits,
    Priority,
    QueueFullError,
    RequestError,
    RequestRejectedError,
    SchedulerClosedError,
    Status,
    StoppedError,
)
from headway.core.events import JobEvent
from headway.core.job import JobRecord
from headway.testing.fake_api import INSTANT, FakeAPI, FakeConfig, Latency, OutputLength
from headway.testing.transport import ScriptedTransport, Sent, refusal

BOUND = 20.0
"""Seconds within which what takes milliseconds must happen."""


def scheduler(transport: ScriptedTransport | None = None, **options: object) -> headway.sync.Scheduler:
    settings: dict[str, object] = {
        "model": "claude-sonnet-5-5",
        "max_tokens": 64,
        "limits": Limits(requests=600_000),
        "transport": transport or ScriptedTransport(latency=0.0),
    }
    return headway.sync.Scheduler(**(settings | options))  # type: ignore[arg-type]


def text_of(message: object) -> str:
    return message.content[0].text  # type: ignore[attr-defined, no-any-return]


def test_submit_and_run() -> None:
    with scheduler() as s:
        job = s.submit("Hello", tenant="acme", priority=Priority.INTERACTIVE, deadline=30)
        assert text_of(job.result(BOUND)) == "echo Hello"
        assert (job.done(), job.state, len(job.attempts)) == (True, JobState.SUCCEEDED, 1)
        assert not job.cancel()
        assert text_of(s.run("again", max_tokens=5)) == "echo again"
        status = s.status()
        assert isinstance(status, Status)
        assert (status.succeeded, status.in_flight) == (2, 0)


def test_leaving_finishes_what_was_submitted() -> None:
    with scheduler(ScriptedTransport(latency=0.05)) as s:
        jobs = [s.submit(str(number)) for number in range(20)]
    assert [text_of(job.result()) for job in jobs] == [f"echo {number}" for number in range(20)]


def test_errors_are_those_of_the_async_face() -> None:
    def script(sent: Sent) -> object:
        return refusal(400, "invalid_request_error")

    with scheduler(ScriptedTransport(script, latency=0.0)) as s:  # type: ignore[arg-type]
        job = s.submit("x")
        assert job.outcome(BOUND).state is JobState.FAILED
        with pytest.raises(RequestRejectedError):
            job.result()
        with pytest.raises(RequestRejectedError):
            s.run("x")
        with pytest.raises(RequestError, match="messages"):
            s.submit([])
        with pytest.raises(RequestError, match="deadline"):
            s.run("x", deadline=-1)


def test_a_failure_nobody_looked_at_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    def script(sent: Sent) -> object:
        return refusal(400, "invalid_request_error")

    with caplog.at_level(logging.WARNING, logger="headway"):
        with scheduler(ScriptedTransport(script, latency=0.0)) as s:  # type: ignore[arg-type]
            seen = s.submit("seen")
            seen.outcome(BOUND)
            s.submit("unseen")
        del seen
    assert [record.getMessage().split(" failed")[0] for record in caplog.records] == ["job job-2"]


def test_waiting_is_bounded_and_leaves_the_job_alone() -> None:
    with scheduler(ScriptedTransport(latency=1000.0)) as s:
        job = s.submit("x")
        with pytest.raises(TimeoutError, match="goes on"):
            job.result(timeout=0.01)
        assert not job.done()
        assert job.cancel()
        with pytest.raises(JobCancelledError):
            job.result(BOUND)


def test_a_full_queue_is_told_at_the_call() -> None:
    with scheduler(ScriptedTransport(latency=1000.0), flow=Flow(max_in_flight=1, max_queued=1)) as s:
        s.submit("a")
        with pytest.raises(QueueFullError):
            for _ in range(3):
                s.submit("b")
        s.abort()


def test_many_threads_at_once() -> None:
    with scheduler(ScriptedTransport(latency=0.002)) as s, ThreadPoolExecutor(16) as pool:

        def work(thread: int) -> list[str]:
            texts = [text_of(s.run(f"{thread} {number}")) for number in range(10)]
            texts += sorted(
                text_of(outcome.result()) for outcome in s.map(f"m{thread} {n}" for n in range(10))
            )
            assert s.status().failed == 0
            return texts

        for thread, texts in enumerate(pool.map(work, range(16))):
            expected = [f"echo {thread} {number}" for number in range(10)]
            assert texts == expected + [f"echo m{thread} {number}" for number in range(10)]
        assert s.status().succeeded == 320


def test_a_job_may_be_awaited_by_several_threads() -> None:
    with scheduler(ScriptedTransport(latency=0.1)) as s, ThreadPoolExecutor(8) as pool:
        job = s.submit("one")
        assert set(pool.map(lambda _: text_of(job.result(BOUND)), range(8))) == {"echo one"}


class Reader:
    """An input that knows how much of it was read, and by whom."""

    def __init__(self, length: int) -> None:
        self.read = 0
        self.length = length
        self.threads: set[int] = set()

    def __iter__(self) -> Iterator[str]:
        while self.read < self.length:
            self.read += 1
            self.threads.add(threading.get_ident())
            yield str(self.read)


def test_map_reads_lazily_in_the_callers_thread() -> None:
    reader = Reader(10_000_000)
    with scheduler(flow=Flow(max_in_flight=10)) as s:
        with s.map(reader) as outcomes:
            for count, outcome in enumerate(outcomes, 1):
                assert outcome.state is JobState.SUCCEEDED
                if count == 100:
                    break
        assert reader.read <= 100 + 10 + 512
        assert reader.threads == {threading.get_ident()}


def test_map_in_order_and_whole() -> None:
    transport = ScriptedTransport(latency=lambda sent: 0.02 if int(sent.text) % 7 == 0 else 0.0)
    with scheduler(transport) as s:
        texts = [text_of(o.message) for o in s.map((str(n) for n in range(300)), ordered=True)]
        assert texts == [f"echo {n}" for n in range(300)]
        assert list(s.map([])) == []


def test_map_says_bad_lines_as_outcomes_and_raises_the_inputs_error_last() -> None:
    def lines() -> Iterator[object]:
        yield "one"
        yield {"custom_id": "bad", "params": {}}
        yield "two"
        raise OSError("the disk")

    with scheduler() as s:
        outcomes = s.map(lines())
        states: list[JobState] = []
        with pytest.raises(OSError, match="the disk"):
            for outcome in outcomes:
                states.append(outcome.state)
        assert sorted(states) == [JobState.FAILED, JobState.SUCCEEDED, JobState.SUCCEEDED]
        assert list(outcomes) == []


def test_leaving_map_early_cancels_the_rest() -> None:
    transport = ScriptedTransport(latency=lambda sent: 0.0 if sent.text == "0" else 1000.0)
    with scheduler(transport) as s:
        for _ in s.map(str(n) for n in range(50)):
            break
        end = time.monotonic() + BOUND
        while s.status().cancelled < 49:
            assert time.monotonic() < end
            time.sleep(0.005)


def test_outcomes_that_are_still_held_do_not_hold_up_the_end() -> None:
    with scheduler() as s:
        outcomes = s.map(str(n) for n in range(10_000))
        next(outcomes)
    rest = []
    with pytest.raises(SchedulerClosedError, match="before map"):  # it does not pass for the whole
        for outcome in outcomes:
            rest.append(outcome.state)
    assert set(rest) == {JobState.SUCCEEDED}
    outcomes.close()
    assert list(outcomes) == []


def test_map_refuses_what_only_a_loop_can_read() -> None:
    async def lines() -> AsyncIterator[str]:
        yield "x"

    with scheduler() as s:
        with pytest.raises(TypeError, match="plain iterables"):
            s.map(lines())  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="many requests"):
            s.map("one prompt")


def test_before_after_and_twice() -> None:
    s = scheduler()
    with pytest.raises(SchedulerClosedError, match="with"):
        s.submit("x")
    s.close()
    assert s.open() is s
    job = s.submit("x")
    with pytest.raises(SchedulerClosedError, match="new one"):
        s.open()
    s.close()
    s.close()
    assert text_of(job.result()) == "echo x"
    for call in (lambda: s.submit("x"), lambda: s.run("x"), s.status, s.drain, s.abort, lambda: s.map(["x"])):
        with pytest.raises(SchedulerClosedError, match="closed"):
            call()


def test_a_bad_client_is_told_when_opened_and_leaves_no_thread() -> None:
    from anthropic import Anthropic

    before = threading.active_count()
    with pytest.raises(TypeError, match="AsyncAnthropic"):
        headway.sync.Scheduler(Anthropic(api_key="x"), model="m").open()  # type: ignore[arg-type]
    assert threading.active_count() == before


def test_closing_within_a_grace_time() -> None:
    s = scheduler(ScriptedTransport(latency=1000.0)).open()
    job = s.submit("x")
    s.close(grace=0.05)
    with pytest.raises(StoppedError) as caught:
        job.result(0)
    assert caught.value.resumable


def test_an_exception_in_the_block_cuts_everything_off() -> None:
    with pytest.raises(ZeroDivisionError):
        with scheduler(ScriptedTransport(latency=1000.0)) as s:
            job = s.submit("x")
            raise ZeroDivisionError
    assert job.outcome(0).resumable


def test_waiters_in_other_threads_are_released_by_closing() -> None:
    s = scheduler(ScriptedTransport(latency=1000.0)).open()
    jobs = [s.submit(str(n)) for n in range(4)]
    with ThreadPoolExecutor(6) as pool:
        waits = [pool.submit(job.outcome) for job in jobs]
        running = pool.submit(s.run, "run")
        mapped = pool.submit(lambda: [outcome.state for outcome in s.map(["a", "b"])])
        while s.status().in_flight < 7:
            time.sleep(0.002)
        s.close(grace=0)
        assert all(wait.result(BOUND).resumable for wait in waits)
        with pytest.raises(StoppedError):
            running.result(BOUND)
        assert mapped.result(BOUND) == [JobState.FAILED] * 2


def test_the_schedulers_own_thread_is_refused_and_does_not_hang() -> None:
    caught: list[Exception] = []

    class Sink:
        def emit(self, record: JobRecord, event: JobEvent) -> None:
            try:
                s.status()
            except SchedulerClosedError as error:
                caught.append(error)

    with scheduler(sinks=[Sink()]) as s:
        s.run("x")
    assert "own thread" in str(caught[0])


def test_a_forked_child_is_refused() -> None:
    with scheduler(ScriptedTransport(latency=0.3)) as s:
        job = s.submit("slow")
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            for call in (lambda: s.submit("x"), s.status, job.result):
                try:
                    call()
                    os.write(writer, b"accepted ")
                except SchedulerClosedError as error:
                    os.write(writer, str(error).encode())
            os._exit(0)
        os.waitpid(pid, 0)
        assert os.read(reader, 1000).count(b"after the fork") == 3
        os.close(reader)
        os.close(writer)
        assert text_of(job.result(BOUND)) == "echo slow"


class City(BaseModel):
    name: str


def at(base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", base_url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "any")


def test_streams_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeAPI.in_thread(FakeConfig(latency=INSTANT)) as api:
        at(api.base_url, monkeypatch)
        with headway.sync.Scheduler(model="claude-sonnet-5-5", max_tokens=64) as s:
            with s.stream("hi") as stream:
                text = "".join(stream.text_stream)
                message = stream.get_final_message()
            assert text and text == text_of(message) == stream.get_final_text()
            assert stream.request_id
            assert stream.job.result(BOUND).id == message.id
            with s.stream("hi") as stream:
                kinds = [event.type for event in stream]
            assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
            with s.stream("hi") as stream:
                next(stream.text_stream)
            assert stream.job.state is JobState.CANCELLED
            assert s.run("A city", output_format=City).parsed_output is not None
            with pytest.raises(RequestRejectedError):
                with s.stream("hi", temperature=0.5):
                    pass
            with ThreadPoolExecutor(8) as pool:

                def read(number: int) -> bool:
                    with s.stream(f"number {number}") as stream:
                        return "".join(stream.text_stream) == text_of(stream.current_message_snapshot)

                assert all(pool.map(read, range(40)))
            assert s.status().in_flight == 0


def test_a_stream_that_nobody_reads_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = FakeConfig(latency=Latency(ttft=0, speed=200, jitter=0), output=OutputLength(mean=3000, sigma=0))
    with FakeAPI.in_thread(slow) as api:
        at(api.base_url, monkeypatch)
        s = headway.sync.Scheduler(model="claude-sonnet-5-5", max_tokens=4000).open()
        entered, over = threading.Event(), threading.Event()
        states: list[str] = []

        def hold() -> None:
            with s.stream("hi") as stream:
                next(stream.text_stream)
                entered.set()
                over.wait(BOUND)
                states.append(stream.job.state)
                with pytest.raises(SchedulerClosedError):
                    next(stream)

        thread = threading.Thread(target=hold)
        thread.start()
        assert entered.wait(BOUND)
        monkeypatch.setattr("headway.lifecycle.UNWINDING", 0.1)
        begun = time.monotonic()
        s.close(grace=0)
        assert time.monotonic() - begun < BOUND
        over.set()
        thread.join(BOUND)
        assert states == [JobState.FAILED]


SCRIPT = """
import sys
import headway.sync
from headway import Limits
from headway.testing.transport import ScriptedTransport
s = headway.sync.Scheduler(model="m", max_tokens=5, limits=Limits(requests=60000),
    transport=ScriptedTransport(latency={latency}))
{body}
"""


def python(body: str, latency: float = 0.0) -> subprocess.Popen[str]:
    source = str(Path(headway.__file__).parents[1])
    code = SCRIPT.format(body=body, latency=latency)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | {"PYTHONPATH": source},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_interpreter_that_ends_with_an_open_scheduler_does_not_hang(tmp_path: Path) -> None:
    with python("s.open(); job = s.submit('x'); print('submitted')", latency=1000.0) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "submitted\n", "")


@pytest.mark.parametrize(
    "wait", ["s.run('x')", "s.submit('x').result()", "list(s.map(['x']))", "s.submit('x'); s.drain()"]
)
def test_ctrl_c_ends_it_at_once(wait: str) -> None:
    body = f"with s:\n    s.submit('other'); print('waiting', flush=True)\n    {wait}"
    with python(body, latency=1000.0) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT, err
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert "Task was destroyed" not in err


def test_ctrl_c_while_leaving() -> None:
    body = "with s:\n    s.submit('x'); print('leaving', flush=True)"
    with python(body, latency=1000.0) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "leaving\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT, err
