"""The scheduler with a journal: resume, identity, recover, stopping, and a journal that fails."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from headway import (
    ErrorKind,
    Flow,
    JobState,
    JournalError,
    JournalLockedError,
    Limits,
    Priority,
    Scheduler,
    SpendCap,
    SQLiteJournal,
    StoppedError,
)
from headway.core.events import JobEvent, Succeeded
from headway.core.job import JobRecord
from headway.core.outcome import Ending
from headway.testing.transport import ScriptedTransport, Sent, refusal, reply

pytestmark = pytest.mark.anyio


def scheduler(transport: ScriptedTransport, journal: object, **options: object) -> Scheduler:
    return Scheduler(  # type: ignore[arg-type]
        model="claude-sonnet-5-5",
        max_tokens=64,
        transport=transport,
        journal=journal,
        limits=Limits(requests=60_000),
        **options,
    )


async def test_a_second_run_sends_only_what_is_not_finished(tmp_path: Path) -> None:
    path = tmp_path / "work.journal"
    first = ScriptedTransport(lambda sent: refusal(400) if sent.text == "7" else reply(sent.text), latency=0)
    async with scheduler(first, path) as s:
        once = [o async for o in s.map(map(str, range(20)))]
    second = ScriptedTransport(latency=0)
    async with scheduler(second, path) as s:
        again = {o.key: o async for o in s.map(map(str, range(25)))}
    assert sorted(sent.text for sent in second.sent) == ["20", "21", "22", "23", "24"]
    assert {o.key for o in once} <= set(again)
    for outcome in once:
        twin = again[outcome.key]
        assert twin.restored
        assert (twin.state, twin.message, twin.usage, twin.cost) == (
            outcome.state,
            outcome.message,
            outcome.usage,
            outcome.cost,
        )
    third = ScriptedTransport(latency=0)
    async with scheduler(third, path) as s:
        retried = [o async for o in s.map(map(str, range(25)), retry_failed=True)]
    assert [sent.text for sent in third.sent] == ["7"]
    assert all(o.state is JobState.SUCCEEDED for o in retried)


async def test_equal_prompts_are_different_jobs_and_find_themselves_again(tmp_path: Path) -> None:
    transport = ScriptedTransport(latency=0)
    async with scheduler(transport, tmp_path / "j") as s:
        keys = {(await s.submit("same").outcome()).key for _ in range(3)}
    assert len(keys) == 3
    assert len(transport.sent) == 3
    async with scheduler(ScriptedTransport(lambda sent: 1 / 0, latency=0), tmp_path / "j") as s:  # type: ignore[arg-type,return-value]
        assert {(await s.submit("same").outcome()).key for _ in range(3)} == keys


async def test_a_job_that_is_submitted_again_after_a_stop_is_the_same_job(tmp_path: Path) -> None:
    """Under a second key both would be in the journal, and a later run would pay for the first again."""
    broken = True
    transport = ScriptedTransport(
        lambda sent: refusal(401, "authentication_error") if broken else reply(), latency=0
    )
    texts = ["same", "same", "other"]
    async with scheduler(transport, tmp_path / "j") as s:
        first = [await job.outcome() for job in [s.submit(text) for text in texts]]
        assert all(outcome.resumable for outcome in first)
        broken = False
        s.resume()
        again = [await job.outcome() for job in [s.submit(text) for text in texts]]
        assert [o.key for o in again] == [o.key for o in first]
        assert (await s.submit("other").outcome()).key not in {o.key for o in first}, "it is finished"
    async with scheduler(ScriptedTransport(latency=0), tmp_path / "j") as s:
        assert all([(await s.submit(text).outcome()).restored for text in texts])
        assert [job async for job in s.map([])] == [] and await s.recover() == []


async def test_recovered_jobs_are_who_they_were_and_one_that_is_refused_keeps_none_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with scheduler(ScriptedTransport(latency=1000.0), tmp_path / "j", flow=Flow(max_in_flight=1)) as s:
        for number, model in enumerate(["claude-sonnet-5-5", "my/unpriced", "claude-haiku-5-5"]):
            priority = Priority.BULK if number else Priority.INTERACTIVE
            s.submit(str(number), key=str(number), model=model, tenant=f"t{number}", priority=priority)
        while s.status().in_flight == 0 or s.status().queued < 2:
            await anyio.sleep(0.001)
        s.abort()
    flow = Flow(max_in_flight=1, max_queued=1)
    async with scheduler(
        ScriptedTransport(latency=0.01), tmp_path / "j", spend_cap=SpendCap(usd=9), flow=flow
    ) as s:
        jobs = await s.recover()
        assert [(job.key, job.record.tenant, job.record.priority) for job in jobs] == [
            ("0", "t0", Priority.INTERACTIVE),
            ("2", "t2", Priority.BULK),
        ]
        assert [(await job.outcome()).state for job in jobs] == [JobState.SUCCEEDED] * 2
    assert any("job 1 is left in the journal" in line and "price" in line for line in caplog.messages)


async def test_one_key_at_work_twice_is_one_job(tmp_path: Path) -> None:
    transport = ScriptedTransport(latency=0.01)
    async with scheduler(transport, tmp_path / "j") as s:
        a, b = s.submit("x", key="k"), s.submit("x", key="k")
        other = s.submit("y", key="k")
        assert (await a) == (await b)
        outcome = await other.outcome()
    assert len(transport.sent) == 1
    assert outcome.failure is not None
    assert "another request" in outcome.failure.message


@pytest.mark.parametrize("gone", ["first", "second", "both, first first", "both, second first"])
async def test_a_job_with_two_handles_goes_on_until_both_are_cancelled(tmp_path: Path, gone: str) -> None:
    transport = ScriptedTransport(latency=0.2)
    async with scheduler(transport, tmp_path / "j") as s:
        first, second = s.submit("x", key="k"), s.submit("x", key="k")
        while not transport.sent:
            await anyio.sleep(0.001)
        leaving = {"first": [first], "second": [second], "both, first first": [first, second]}
        for handle in leaving.get(gone, [second, first]):
            assert handle.cancel()
            handle.cancel()
        outcomes = await first.outcome(), await second.outcome()
    wanted = {"first": first, "second": second}
    cancelled = {job for name, job in wanted.items() if gone.startswith("both") or name == gone == "second"}
    for job, outcome in zip((first, second), outcomes, strict=True):
        assert outcome.state is (JobState.CANCELLED if job in cancelled else JobState.SUCCEEDED)
    assert len(transport.answered) == (not gone.startswith("both"))


async def test_a_job_may_be_cancelled_on_its_way_into_the_journal(tmp_path: Path) -> None:
    transport = ScriptedTransport(latency=0)
    async with scheduler(transport, tmp_path / "j") as s:
        jobs = [s.submit(str(number), key=str(number)) for number in range(4)]
        jobs[1].cancel()
        jobs[3].cancel()
        states = [(await job.outcome()).state for job in jobs]
        assert states == [JobState.SUCCEEDED, JobState.CANCELLED] * 2
        await s.submit("later", key="later")
        async with s.map(map(str, range(10))) as outcomes:
            async for _ in outcomes:
                break  # some of the others are on their way
        assert s.status().halted is None
    async with SQLiteJournal(tmp_path / "j") as journal:
        assert set(await journal.known(["0", "1", "2", "3"])) == {"0", "2"}


async def test_a_key_of_an_earlier_run_with_another_request_is_refused(tmp_path: Path) -> None:
    async with scheduler(ScriptedTransport(latency=0), tmp_path / "j") as s:
        await s.submit("x", key="k")
    transport = ScriptedTransport(latency=0)
    async with scheduler(transport, tmp_path / "j") as s:
        outcome = await s.submit("changed", key="k").outcome()
        assert outcome.failure is not None
        assert outcome.failure.kind is ErrorKind.INVALID_REQUEST
        assert (await s.submit("x", key="k").outcome()).restored, "the stored result is untouched"
    assert not transport.sent


async def test_stopped_jobs_stay_queued_and_are_recovered(tmp_path: Path) -> None:
    transport = ScriptedTransport(latency=0.02)
    async with scheduler(transport, tmp_path / "j", flow=Flow(max_in_flight=2)) as s:
        jobs = [s.submit(str(i), key=f"k{i}") for i in range(6)]
        while not transport.sent:
            await anyio.sleep(0.001)
        await s.stop()
        outcomes = [await job.outcome() for job in jobs]
        with pytest.raises(StoppedError):
            await jobs[5]
    done = {o.key for o in outcomes if o.state is JobState.SUCCEEDED}
    assert 1 <= len(done) <= 2
    async with scheduler(ScriptedTransport(latency=0), tmp_path / "j") as s:
        recovered = await s.recover()
        assert {job.key for job in recovered} == {f"k{i}" for i in range(6)} - done
        for job in recovered:
            await job


async def test_running_is_committed_before_the_send_and_the_end_before_the_caller(tmp_path: Path) -> None:
    class Watched(SQLiteJournal):
        committed: list[str]

        async def write(self, record: JobRecord, event: JobEvent, ending: Ending | None) -> None:
            await super().write(record, event, ending)
            self.committed.append(type(event).__name__)

    journal = Watched(tmp_path / "j")
    journal.committed = []

    def script(sent: Sent) -> object:
        assert journal.committed == ["Started"]
        return reply()

    async with scheduler(ScriptedTransport(script, latency=0), journal) as s:  # type: ignore[arg-type]
        job = s.submit("x")
        job.add_done_callback(lambda outcome: journal.committed.append("seen"))
        await job
    assert journal.committed == ["Started", "Succeeded", "seen"]


async def test_two_schedulers_on_one_journal(tmp_path: Path) -> None:
    async with scheduler(ScriptedTransport(latency=0), tmp_path / "j") as s:
        await s.submit("x")
        with pytest.raises(JournalLockedError):
            async with scheduler(ScriptedTransport(), tmp_path / "j"):
                pass


@pytest.mark.parametrize("at", ["Started", "Succeeded"])
async def test_a_journal_that_fails_stops_the_sending(tmp_path: Path, at: str) -> None:
    class Failing(SQLiteJournal):
        async def write(self, record: JobRecord, event: JobEvent, ending: Ending | None) -> None:
            if type(event).__name__ == at:
                raise JournalError("no space left on device")
            await super().write(record, event, ending)

    transport = ScriptedTransport(latency=0)
    async with scheduler(transport, Failing(tmp_path / "j"), flow=Flow(max_in_flight=3)) as s:
        jobs = [s.submit(str(i)) for i in range(50)]
        outcomes = [await job.outcome() for job in jobs]
        halted = s.status().halted
    assert halted is not None
    assert halted.kind is ErrorKind.JOURNAL
    assert all(o.resumable for o in outcomes)
    assert len(transport.sent) == (0 if at == "Started" else 3)


async def test_crash_in_flight_is_counted_as_maybe_billed(tmp_path: Path) -> None:
    journal = SQLiteJournal(tmp_path / "j")
    await journal.open()

    class Dying(SQLiteJournal):
        """Forgets to write the ending, as a process that dies does."""

        async def write(self, record: JobRecord, event: JobEvent, ending: Ending | None) -> None:
            if not isinstance(event, Succeeded):
                await super().write(record, event, ending)

    await journal.aclose()
    async with scheduler(ScriptedTransport(latency=0), Dying(tmp_path / "j")) as s:
        await s.submit("x", key="k")
    async with scheduler(ScriptedTransport(latency=0), tmp_path / "j") as s:
        outcome = await s.submit("x", key="k").outcome()
    assert outcome.maybe_billed == 1
    assert outcome.sends == 2
