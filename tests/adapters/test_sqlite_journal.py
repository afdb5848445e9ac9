"""What the SQLite journal adds to the contract: extras, group commit, failures, loops."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from headway.adapters.sqlite import SQLiteJournal
from headway.adapters.sqlite.database import Database
from headway.core.error_kind import ErrorKind
from headway.core.events import RetryScheduled, Started
from headway.core.failure import failure_of
from headway.core.job import JobState, advance
from headway.core.request import Request, RequestError
from headway.errors import JournalError
from headway.testing.contracts import DONE, collect, play, sample_record

pytestmark = pytest.mark.anyio
LATER = RetryScheduled(2.0, failure_of(ErrorKind.OVERLOADED, "later"), 62.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.journal"


async def test_meta_counts_ranks_and_states(path: Path) -> None:
    records = [sample_record(str(number)) for number in range(4)]
    async with SQLiteJournal(path) as journal:
        assert await journal.get_meta("input") is None
        await journal.set_meta("input", "a")
        await journal.set_meta("input", "prompts.jsonl \x00 \ud800")
        with pytest.raises(ValueError, match="belong to the journal"):
            await journal.set_meta("headway.schema", "99")
        await journal.admit(records)
        await play(journal, records[2], Started(1.0), DONE)
        await play(journal, records[0], Started(1.0), DONE)
        await play(journal, records[1], Started(1.0))
    async with SQLiteJournal(path) as journal:
        assert await journal.get_meta("input") == "prompts.jsonl \x00 \ud800"
        counts = await journal.counts()
        assert counts == dict.fromkeys(JobState, 0) | {JobState.QUEUED: 2, JobState.SUCCEEDED: 2}
        assert [await journal.rank_of(key) for key in ("2", "0", "1", "?")] == [(1, 1), (2, 2), None, None]
        known = await journal.known(["1", "0", "?"])
        assert [(key, found.state, found.digest.hex()) for key, found in known.items()] == [
            ("1", JobState.QUEUED, records[1].request.content_hash()),
            ("0", JobState.SUCCEEDED, records[0].request.content_hash()),
        ]


async def test_ranks_count_what_is_left_after_reopening(path: Path) -> None:
    from headway.core.events import Cancelled

    records = [sample_record(str(number)) for number in range(3)]
    async with SQLiteJournal(path) as journal:
        await journal.admit(records)
        await play(journal, records[0], Cancelled(1.0))
        await play(journal, records[1], Started(1.0), DONE)
        await journal.admit(records[:1], reopen_failed=True)
        await play(journal, records[2], Started(1.0), DONE)
        assert [await journal.rank_of(r.key) for r in records] == [None, (2, 1), (3, 2)]


async def test_append_does_not_wait_and_keeps_its_place(path: Path) -> None:
    record = sample_record("a")
    async with SQLiteJournal(path) as journal:
        await journal.admit([record])
        record, _ = await play(journal, record, Started(1.0))
        journal.append(advance(record, LATER), LATER, None)
        assert (await journal.counts())[JobState.WAITING] == 1
        journal.append(advance(advance(record, LATER), Started(3.0)), Started(3.0), None)
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT state, sends, not_before FROM progress").fetchall()
    connection.close()
    assert rows == [("running", 2, None)], "aclose commits what is pending"


async def test_the_wall_time_of_a_retry_is_stored(path: Path) -> None:
    record = sample_record("a")
    async with SQLiteJournal(path) as journal:
        await journal.admit([record])
        await play(journal, record, Started(1.0), LATER)
    connection = sqlite3.connect(path)
    ((wait,),) = connection.execute("SELECT not_before - updated FROM progress").fetchall()
    connection.close()
    assert wait == pytest.approx(60.0, abs=1e-3)


async def test_many_writers_share_commits(path: Path) -> None:
    records = [sample_record(str(number)) for number in range(1000)]
    async with SQLiteJournal(path) as journal:
        await journal.admit(records)
        await asyncio.gather(*(play(journal, record, Started(1.0), DONE) for record in records))
        endings = await collect(journal.endings())
    assert sorted(ending.key for _, ending in endings) == sorted(record.key for record in records)
    connection = sqlite3.connect(path)
    ((commits,),) = connection.execute("SELECT value FROM meta WHERE name = 'headway.commits'").fetchall()
    connection.close()
    assert int(commits) < 500, "2,000 rows"


async def test_one_callers_bad_request_fails_alone(path: Path) -> None:
    bad = sample_record("bad")
    bad = type(bad)(0, "bad", Request({"model": "m", "messages": [b"bytes"]}))
    async with SQLiteJournal(path) as journal:
        calls = [
            journal.admit([sample_record("a")]),
            journal.admit([bad]),
            journal.admit([sample_record("b")]),
        ]
        first, second, third = await asyncio.gather(*calls, return_exceptions=True)
    assert (first, third) == ([None], [None])
    assert isinstance(second, RequestError)


async def test_a_failed_commit_reaches_everybody_and_ends_the_journal(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [sample_record(str(number)) for number in range(300)]
    journal = SQLiteJournal(path)
    await journal.open()
    await journal.admit(records)

    def commit(_: Database) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Database, "commit", commit)
    tasks = [asyncio.create_task(play(journal, record, Started(1.0), DONE)) for record in records]
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
    monkeypatch.undo()
    assert {type(result) for result in results} == {JournalError}
    assert all(str(path) in str(result) and "Input/output error" in str(result) for result in results)
    for call in (journal.admit(records), journal.counts(), journal.get_meta("x"), journal.known(["1"])):
        with pytest.raises(JournalError, match="Input/output error"):
            await call
    await journal.aclose()
    async with SQLiteJournal(path) as again:
        assert len(await collect(again.unfinished())) == 300
        assert again.recovered == 0


async def test_an_append_that_failed_is_heard_of(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = sample_record("a")
    journal = SQLiteJournal(path)
    await journal.open()
    await journal.admit([record])
    running, _ = await play(journal, record, Started(1.0))

    def commit(_: Database) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(Database, "commit", commit)
    journal.append(advance(running, LATER), LATER, None)
    with pytest.raises(JournalError, match="disk I/O error"):
        await journal.aclose()
    await journal.aclose()
    monkeypatch.undo()
    async with SQLiteJournal(path) as again:
        assert again.recovered == 1


async def test_an_append_of_an_unknown_job_is_heard_of(path: Path) -> None:
    journal = SQLiteJournal(path)
    await journal.open()
    journal.append(advance(sample_record("a"), Started(1.0)), Started(1.0), None)
    with pytest.raises(JournalError, match="admit it first"):
        await journal.aclose()


async def test_a_file_taken_away_is_noticed(path: Path) -> None:
    journal = SQLiteJournal(path)
    await journal.open()
    await journal.admit([sample_record("a")])
    path.rename(path.with_name("moved"))
    with pytest.raises(JournalError, match="moved, replaced or deleted"):
        await journal.admit([sample_record("b")])
    await journal.aclose()


async def test_nothing_blocks_the_loop(path: Path) -> None:
    records = [sample_record(str(number)) for number in range(50)]
    with blockbuster_ctx():
        async with SQLiteJournal(path) as journal:
            await journal.admit(records)
            await asyncio.gather(*(play(journal, record, Started(1.0), DONE) for record in records))
            assert len(await collect(journal.endings())) == 50
            assert await collect(journal.unfinished()) == []


async def test_cancelled_opening_leaves_no_lock(path: Path) -> None:
    task = asyncio.create_task(SQLiteJournal(path).open())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(200):  # Its thread closes on its own when the cancelled task could not wait for it.
        try:
            async with SQLiteJournal(path) as journal:
                assert await journal.admit([sample_record("a")]) == [None]
            return
        except JournalError:
            await asyncio.sleep(0.02)
    pytest.fail("still locked")


async def test_open_twice_is_refused_and_again_after_closing_is_not(path: Path) -> None:
    journal = SQLiteJournal(path)
    assert repr(journal) == f"SQLiteJournal({str(path)!r})"
    with pytest.raises(JournalError, match="not open"):
        await journal.counts()
    await journal.open()
    with pytest.raises(JournalError, match="open already"):
        await journal.open()
    await journal.aclose()
    await journal.open()
    await journal.aclose()


async def test_only_the_owner_may_read_it(path: Path) -> None:
    async with SQLiteJournal(path) as journal:
        await journal.admit([sample_record("a")])
        modes = {item.name: item.stat().st_mode & 0o777 for item in path.parent.iterdir()}
    assert len(modes) == 4
    assert set(modes.values()) == {0o600}


class TestLoops:
    """Without the plugin's loop."""

    def test_a_second_run_with_a_new_journal(self, path: Path) -> None:
        async def run() -> object:
            async with SQLiteJournal(path) as journal:
                return (await journal.admit([sample_record("a")]))[0]

        assert asyncio.run(run()) is None
        assert asyncio.run(run()) is not None

    def test_another_loop_is_a_named_error(self, path: Path) -> None:
        journal = SQLiteJournal(path)
        with asyncio.Runner() as first:
            first.run(journal.open())
            with asyncio.Runner() as second, pytest.raises(JournalError, match="another event loop"):
                second.run(journal.counts())
            first.run(journal.aclose())

    def test_a_closed_loop_is_tolerated(self, path: Path) -> None:
        journal = SQLiteJournal(path)
        record = sample_record("a")

        async def leave() -> None:
            await journal.open()
            await journal.admit([record])
            asyncio.get_running_loop().call_soon(
                journal.append, advance(record, Started(1.0)), Started(1.0), None
            )
            await asyncio.sleep(0)

        asyncio.run(leave())

        async def close_and_look() -> int:
            await journal.aclose()
            async with SQLiteJournal(path) as again:
                return again.recovered

        assert asyncio.run(close_and_look()) == 1
