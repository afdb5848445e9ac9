"""Faults of what headway stands on: whatever breaks, every job gets its outcome and says why."""

from __future__ import annotations

import asyncio
from pathlib import Path

import anyio
import httpx2
import pytest

from headway import (
    ErrorKind,
    Flow,
    FollowUp,
    JobState,
    JournalError,
    Limits,
    RequestError,
    Scheduler,
    SchedulerClosedError,
)
from headway.adapters.memory import MemoryBudgets
from headway.adapters.sqlite import SQLiteJournal
from headway.core.events import JobEvent
from headway.core.job import JobRecord
from headway.core.outcome import Ending
from headway.testing.transport import ScriptedTransport, refusal

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Real time: a journal has a thread."""
    return "asyncio"


class FailingBudgets(MemoryBudgets):
    """A store that is down when asked for the second time."""

    asked = 0

    async def reserve(self, *args: object, **options: object):  # type: ignore[no-untyped-def, override]
        self.asked += 1
        if self.asked == 2:
            raise RuntimeError("the store is down")
        return await super().reserve(*args, **options)  # type: ignore[arg-type]


def scheduler(**options: object) -> Scheduler:
    return Scheduler(model="m", max_tokens=8, transport=ScriptedTransport(latency=0.0), **options)  # type: ignore[arg-type]


async def test_a_store_that_fails_loses_no_job(caplog: pytest.LogCaptureFixture) -> None:
    with anyio.fail_after(60):
        async with scheduler(budgets=FailingBudgets(Limits())) as s:
            jobs = [s.submit(str(number)) for number in range(4)]
            states = [(await job.outcome()).state for job in jobs]
            assert states == [JobState.SUCCEEDED, *[JobState.FAILED] * 3]
            halted = s.status().halted
            assert halted is not None and halted.kind is ErrorKind.INTERNAL
            assert "RuntimeError in test_never_hangs.py:" in halted.message
            assert "dispatcher.py:" in caplog.text
            for told in (halted.message, caplog.text):  # what an exception says may quote a prompt
                assert "the store is down" not in told
            s.resume()
            await s.submit("the store is up again")


async def test_what_a_journal_cannot_hold_is_refused_at_the_call(tmp_path: Path) -> None:
    with anyio.fail_after(60):
        async with scheduler(journal=tmp_path / "j") as s:
            good = s.submit("x", key="good")
            for content in (object(), float("nan"), {1, 2}):
                with pytest.raises(RequestError):
                    s.submit([{"role": "user", "content": content}], key="bad")
            await good


@pytest.mark.parametrize("option", [{"tenant": None}, {"tenant": 5}, {"key": 5}])
async def test_what_is_no_name_is_refused_at_the_call(tmp_path: Path, option: dict[str, object]) -> None:
    """In the journal's thread it would fail the whole group, and stop everything."""
    async with scheduler(journal=tmp_path / "j") as s:
        good = s.submit("x")
        with pytest.raises(RequestError, match="must be a string"):
            s.submit("y", **option)  # type: ignore[call-overload]
        await good


async def test_call_options_need_not_be_json(tmp_path: Path) -> None:
    with anyio.fail_after(60):
        async with scheduler(journal=tmp_path / "j") as s:
            await s.submit("x", key="a", timeout=httpx2.Timeout(5.0))


class FullDisk(SQLiteJournal):
    """From some moment on nothing can be written."""

    full = False

    async def write(self, record: JobRecord, event: JobEvent, ending: Ending | None) -> None:
        if self.full:
            raise JournalError("disk full")
        await super().write(record, event, ending)

    def append(self, record: JobRecord, event: JobEvent, ending: Ending | None) -> None:
        if self.full:
            raise JournalError("disk full")
        super().append(record, event, ending)


async def test_a_full_disk_ends_the_jobs_that_wait_for_a_retry_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Their parking is noted in the journal, which fails: they and all behind them must end all the same."""
    journal = FullDisk(tmp_path / "journal")
    transport = ScriptedTransport(lambda sent: refusal(500, "api_error"), latency=0.0)
    with anyio.fail_after(60):
        async with Scheduler(
            model="m", max_tokens=8, transport=transport, journal=journal, flow=Flow(max_in_flight=2)
        ) as s:
            jobs = [s.submit(str(number)) for number in range(6)]
            while s.status().waiting < 2:
                await anyio.sleep(0.01)
            journal.full = True
            outcomes = [await job.outcome() for job in jobs]
    assert all(outcome.resumable for outcome in outcomes)
    assert {outcome.failure.kind for outcome in outcomes if outcome.failure} == {ErrorKind.JOURNAL}
    assert caplog.text.count("the journal has failed: disk full") == 1


async def test_a_scheduler_that_cannot_be_opened_leaves_nothing_locked(tmp_path: Path) -> None:
    """A name that no model has is found out after the journal was opened."""
    unknown = FollowUp(fallback_models=("newest:nonsense",))
    with pytest.raises(RequestError, match="nonsense"):
        await scheduler(journal=tmp_path / "j", follow_up=unknown).__aenter__()
    async with scheduler(journal=tmp_path / "j") as s:
        await s.submit("x")


def test_another_event_loop_of_the_same_thread_is_refused() -> None:
    s = scheduler()
    first, entered, done = asyncio.new_event_loop(), asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with s:
            entered.set()
            await done.wait()

    async def elsewhere() -> None:
        with pytest.raises(SchedulerClosedError, match="event loop"):
            s.submit("x")

    holding = first.create_task(hold())
    first.run_until_complete(entered.wait())
    asyncio.run(elsewhere())
    done.set()
    first.run_until_complete(holding)
    first.close()
