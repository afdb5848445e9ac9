"""What every backend must do, as tests to inherit from.

::

    @pytest.mark.anyio
    class TestMyJournal(JournalContract):
        @pytest.fixture
        def new_journal(self, tmp_path):
            return lambda: MyJournal(tmp_path / "journal")

``new_journal`` makes a fresh object for the same storage each time. pytest itself is not imported here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from headway.core.error_kind import ErrorKind
from headway.core.events import (
    Cancelled,
    Copied,
    Expired,
    Failed,
    JobEvent,
    Parked,
    RetryScheduled,
    Started,
)
from headway.core.failure import failure_of
from headway.core.job import JobRecord, JobState, advance
from headway.core.outcome import Ending, ending_of
from headway.core.request import Request
from headway.errors import JournalError
from headway.testing.amendment_contract import AmendmentContract
from headway.testing.journal_play import (
    DONE,
    FAILURE,
    NewJournal,
    collect,
    error_of,
    opened,
    play,
    sample_record,
)

__all__ = ["DONE", "FAILURE", "JournalContract", "NewJournal", "collect", "play", "sample_record"]


class AdmissionContract:
    """Jobs are entered once, and recognised afterwards."""

    async def test_new_jobs_are_unknown_once(self, new_journal: NewJournal) -> None:
        records = [sample_record("a"), sample_record("b")]
        async with opened(new_journal()) as journal:
            assert list(await journal.admit(records)) == [None, None]
            again = await journal.admit([*records, sample_record("c")])
        assert [stored and stored.same_request for stored in again] == [True, True, None]
        assert all(stored is None or (stored.ending is None and stored.sends == 0) for stored in again)

    async def test_another_request_under_a_known_key_is_told_apart(self, new_journal: NewJournal) -> None:
        async with opened(new_journal()) as journal:
            await journal.admit([sample_record("a")])
            (stored,) = await journal.admit([sample_record("a", "Something else")])
        assert stored is not None
        assert not stored.same_request

    async def test_a_key_twice_in_one_call_is_known_the_second_time(self, new_journal: NewJournal) -> None:
        records = [sample_record("a"), sample_record("a"), sample_record("a", "Other")]
        async with opened(new_journal()) as journal:
            first, second, third = await journal.admit(records)
            assert len(await collect(journal.unfinished())) == 1
        assert first is None
        assert second is not None and second.same_request
        assert third is not None and not third.same_request

    async def test_the_answer_to_an_identical_request_is_told_when_asked_for(
        self, new_journal: NewJournal
    ) -> None:
        names = ("failed", "answered", "finished")
        async with opened(new_journal()) as journal:
            await journal.admit([sample_record(name) for name in names])
            await play(journal, sample_record("failed"), Started(1.0), Failed(2.0, FAILURE))
            _, ending = await play(journal, sample_record("answered"), Started(1.0), DONE)
            copied = Copied(3.0, DONE.body, "answered", DONE.stop_reason, DONE.request_id)
            _, copy = await play(journal, sample_record("finished"), copied)
        assert ending is not None and copy is not None
        assert (copy.body, copy.copy_of, copy.sends, copy.cost) == (ending.body, "answered", 0, 0.0)
        async with opened(new_journal()) as journal:
            assert [found for _, found in await collect(journal.endings())][-1] == copy
            records = [sample_record("new"), sample_record("finished"), sample_record("new", "Other")]
            new, finished, reused = await journal.admit(records, twins=True)
            assert new is not None and (new.ending, new.twin) == (None, ending)
            assert finished is not None and (finished.ending, finished.twin) == (copy, None)
            assert reused is not None and (reused.same_request, reused.twin) == (False, None)
            (other,) = await journal.admit([sample_record("other", "Other")], twins=True)
            assert other is None
            (again,) = await journal.admit([sample_record("new")])
            assert again is not None and again.twin is None

    async def test_unfinished_requests_come_back_in_order(self, new_journal: NewJournal) -> None:
        records = [sample_record(f"key {number}", f"žluť \U0001f600 {number}") for number in range(1201)]
        async with opened(new_journal()) as journal:
            await journal.admit(records)
            await play(journal, records[600], Started(1.0), DONE)
        async with opened(new_journal()) as journal:
            found = await collect(journal.unfinished())
        assert found == [(r.key, r.request, r.priority, r.tenant) for r in records if r.key != "key 600"]

    async def test_a_request_that_json_cannot_hold_enters_nothing(self, new_journal: NewJournal) -> None:
        bad = JobRecord(0, "bad", Request({"model": "m", "max_tokens": 1, "messages": [object()]}))
        async with opened(new_journal()) as journal:
            error = await error_of(journal.admit([sample_record("a"), bad]))
            assert isinstance(error, ValueError)
            assert list(await journal.admit([sample_record("a")])) == [None]


class WritingContract:
    """What was written is there, exactly, and a job ends once."""

    async def test_every_ending_comes_back_as_it_was(self, new_journal: NewJournal) -> None:
        paths: dict[str, Sequence[JobEvent]] = {
            "succeeded": (Started(1.0), DONE),
            "failed": (Started(1.0), Failed(2.0, FAILURE)),
            "retried": (Started(1.0), RetryScheduled(2.0, failure_of(ErrorKind.DISCONNECTED, "cut"), 9.0)),
            "cancelled": (Cancelled(2.5),),
            "expired": (Started(1.0), Expired(4.0, failure_of(ErrorKind.DEADLINE, "too late"))),
        }
        expected: list[Ending] = []
        async with opened(new_journal()) as journal:
            for name, events in paths.items():
                record = sample_record(name)
                await journal.admit([record])
                record, ending = await play(journal, record, *events)
                if ending is None:
                    _, ending = await play(journal, record, Started(9.0), DONE)
                assert ending is not None
                expected.append(ending)
            assert [ending for _, ending in await collect(journal.endings())] == expected
        async with opened(new_journal()) as journal:
            numbered = await collect(journal.endings())
            assert [ending for _, ending in numbered] == expected
            numbers = [number for number, _ in numbered]
            assert numbers == sorted(set(numbers))
            assert await collect(journal.endings(numbers[1])) == numbered[2:]
            stored = await journal.admit([sample_record(name) for name in paths])
        assert [known and known.ending for known in stored] == expected

    async def test_a_parked_job_stays_queued(self, new_journal: NewJournal) -> None:
        record = sample_record("a")
        async with opened(new_journal()) as journal:
            await journal.admit([record])
            parked = Parked(2.0, failure_of(ErrorKind.STOPPED, "stopped"), sent=True)
            _, ending = await play(journal, record, Started(1.0), parked)
            assert ending is not None and ending.resumable
        async with opened(new_journal()) as journal:
            assert journal.recovered == 0
            (stored,) = await journal.admit([record])
            assert await collect(journal.endings()) == []
        assert stored is not None and stored.ending is None and stored.sends == 1 and stored.maybe_billed == 1

    async def test_what_is_wrong_with_one_write_fails_that_write_only(self, new_journal: NewJournal) -> None:
        record, stranger = sample_record("a"), sample_record("stranger")
        async with opened(new_journal()) as journal:
            await journal.admit([record])
            done, _ = await play(journal, record, Started(1.0), DONE)
            again = Failed(4.0, FAILURE)
            assert isinstance(
                await error_of(journal.write(done, again, ending_of(done, again))), JournalError
            )
            started = advance(stranger, Started(1.0))
            assert isinstance(await error_of(journal.write(started, Started(1.0), None)), JournalError)
            endings = await collect(journal.endings())
        assert [(ending.key, ending.state) for _, ending in endings] == [("a", JobState.SUCCEEDED)]

    async def test_a_cancelled_wait_loses_nothing(self, new_journal: NewJournal) -> None:
        records = [sample_record(str(number)) for number in range(40)]
        async with opened(new_journal()) as journal:
            await journal.admit(records)
            tasks = [asyncio.create_task(play(journal, record, Started(1.0))) for record in records]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            stored = await journal.admit(records)
        assert [known and known.sends for known in stored] == [1] * len(records)

    async def test_endings_are_stable_while_writes_go_on(self, new_journal: NewJournal) -> None:
        records = [sample_record(str(number)) for number in range(1100)]
        seen: list[str] = []
        async with opened(new_journal()) as journal:
            await journal.admit(records)
            await asyncio.gather(*(play(journal, record, Started(1.0), DONE) for record in records[:1050]))
            async for _, ending in journal.endings():
                if len(seen) < 50:
                    await play(journal, records[1050 + len(seen)], Started(1.0), DONE)
                seen.append(ending.key)
            assert len(await collect(journal.endings())) == 1100
        assert len(seen) == len(set(seen)) >= 1050


class ResumeContract:
    """What another process finds."""

    async def test_what_was_in_flight_is_queued_again_and_counted(self, new_journal: NewJournal) -> None:
        records = [sample_record(name) for name in ("running", "waiting", "queued")]
        later = RetryScheduled(2.0, failure_of(ErrorKind.OVERLOADED, "later"), 60.0)
        async with opened(new_journal()) as journal:
            await journal.admit(records)
            await play(journal, records[0], Started(1.0))
            await play(journal, records[1], Started(1.0), later)
        for recovered in (1, 0):
            async with opened(new_journal()) as journal:
                assert journal.recovered == recovered
                assert [job.key for job in await collect(journal.unfinished())] == [
                    "running",
                    "waiting",
                    "queued",
                ]
                stored = await journal.admit(records)
            facts = [(known.sends, known.maybe_billed, known.ending) for known in stored if known]
            assert facts == [(1, 1, None), (1, 0, None), (0, 0, None)]

    async def test_failed_jobs_are_reopened_only_when_asked(self, new_journal: NewJournal) -> None:
        records = [sample_record(name) for name in ("failed", "succeeded", "cancelled")]
        async with opened(new_journal()) as journal:
            await journal.admit(records)
            await play(journal, records[0], Started(1.0), Failed(2.0, FAILURE))
            await play(journal, records[1], Started(1.0), DONE)
            await play(journal, records[2], Cancelled(2.0))
            last = max([number for number, _ in await collect(journal.endings())])
        async with opened(new_journal()) as journal:
            assert all(known and known.ending for known in await journal.admit(records))
            failed, succeeded, cancelled = await journal.admit(records, reopen_failed=True)
            assert failed is not None and failed.ending is None and failed.sends == 1
            assert succeeded is not None and succeeded.ending is not None
            assert cancelled is not None and cancelled.ending is None
            assert [job.key for job in await collect(journal.unfinished())] == ["failed", "cancelled"]
            await play(journal, records[0], Started(1.0), DONE)
            numbers = [number for number, _ in await collect(journal.endings())]
        assert len(numbers) == 2
        assert numbers[-1] > last, "sequence numbers are never used again"

    async def test_another_request_is_not_reopened(self, new_journal: NewJournal) -> None:
        async with opened(new_journal()) as journal:
            await journal.admit([sample_record("a")])
            await play(journal, sample_record("a"), Started(1.0), Failed(2.0, FAILURE))
            (stored,) = await journal.admit([sample_record("a", "Other")], reopen_failed=True)
        assert stored is not None and not stored.same_request and stored.ending is not None

    async def test_closing_twice_is_harmless_and_using_it_afterwards_is_not(
        self, new_journal: NewJournal
    ) -> None:
        journal = new_journal()
        await journal.open()
        await journal.aclose()
        await journal.aclose()
        assert isinstance(await error_of(journal.admit([sample_record("a")])), JournalError)


class JournalContract(AdmissionContract, WritingContract, ResumeContract, AmendmentContract):
    """All of it: what `headway.ports.Journal` promises."""
