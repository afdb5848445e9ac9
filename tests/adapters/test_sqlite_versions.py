"""Journals of older versions open, and lose nothing."""

from __future__ import annotations

import gzip
import sqlite3
from pathlib import Path

import pytest

from headway.adapters.sqlite import SQLiteJournal
from headway.core.events import Started
from headway.core.job import JobState
from headway.ports import BatchEntry, BatchPlace
from headway.testing.amendment_contract import REPAIRED
from headway.testing.contracts import DONE, FAILURE, collect, play, sample_record

pytestmark = pytest.mark.anyio
TABLES = ["amendments", "batch_items", "batches", "endings", "jobs", "meta", "progress", "strays"]
WRITTEN = [Path(__file__).parent / f"version_{version}.journal.gz" for version in (1, 2)]
"""Each by the code that had that version: jobs done, failed, queued (in 2: mended) and running."""


@pytest.fixture(params=WRITTEN, ids=lambda path: path.name)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "old.journal"
    path.write_bytes(gzip.decompress(request.param.read_bytes()))
    return path


async def test_a_journal_of_an_older_version_goes_on(old: Path) -> None:
    names = ("done", "failed", "queued", "running")
    records = [sample_record(name, f"prompt {name}") for name in names]
    async with SQLiteJournal(old) as journal:
        assert journal.recovered == 1
        stored = await journal.admit(records)
        assert [known and known.same_request for known in stored] == [True] * 4
        done, failed, *rest = [known.ending for known in stored if known]
        assert done is not None and failed is not None and rest == [None, None]
        assert (done.state, done.body, done.usage, done.changes) == (
            JobState.SUCCEEDED,
            DONE.body,
            DONE.usage,
            (),
        )
        assert failed.failure == FAILURE
        assert [job.key for job in await collect(journal.unfinished())] == ["queued", "running"]
        assert await journal.get_meta("input") == "prompts.jsonl"
        await play(journal, records[2], Started(1.0), REPAIRED)
        await journal.batches.intend_batch(BatchEntry("0" * 16, 1), ["running"])
    async with SQLiteJournal(old) as journal:
        (known,) = await journal.admit([records[2]])
        assert known is not None and known.amendment is not None
        assert known.amendment.changes == REPAIRED.changes
        (known,) = await journal.admit([records[3]])
        assert known is not None and known.place == BatchPlace(BatchEntry("0" * 16, 1), 0)


async def test_it_is_brought_up_to_date_once(old: Path) -> None:
    async def tables() -> tuple[list[str], str]:
        async with SQLiteJournal(old):
            pass
        connection = sqlite3.connect(old)
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        version = connection.execute("SELECT value FROM meta WHERE name = 'headway.schema'").fetchone()[0]
        connection.close()
        return sorted(name for name in names if not name.startswith("sqlite_")), version

    assert await tables() == await tables() == (TABLES, "3")
