"""A disk that takes no more: the very commit says so, and the journal can be resumed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from headway.adapters.sqlite import SQLiteJournal
from headway.testing.contracts import collect

pytestmark = pytest.mark.anyio

# A file size limit stands in for a full disk: writes beyond it fail (SIGXFSZ is ignored by Python).
FILL = """
import asyncio, resource, sys
from headway.adapters.sqlite import SQLiteJournal
from headway.core.events import Started
from headway.errors import JournalError
from headway.testing.contracts import DONE, play, sample_record

async def main():
    journal = SQLiteJournal(sys.argv[1])
    await journal.open()
    refused = []
    async def work(first):
        for number in range(first, 10**6, 20):
            record = sample_record(f"job {number}", "x" * 500)
            try:
                await journal.admit([record])
                print("admitted", record.key)
                await play(journal, record, Started(1.0), DONE)
                print("done", record.key)
            except JournalError as error:
                refused.append(str(error))
                return
    await asyncio.wait_for(asyncio.gather(*(work(first) for first in range(20))), 20)
    assert len(refused) == 20 and len(set(refused)) == 1, refused
    try:
        await journal.admit([sample_record("late")])
    except JournalError as error:
        assert str(error) == refused[0]
        print("error", error)
    await journal.aclose()

resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
asyncio.run(main())
"""


async def test_a_full_disk_is_told_at_the_commit_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out.journal"
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    said = [line.split(" ", 1) for line in done.stdout.splitlines()]
    told = {kind: {text for word, text in said if word == kind} for kind in ("admitted", "done", "error")}
    (error,) = told["error"]
    assert str(path) in error
    assert "disk" in error
    assert len(told["done"]) > 50
    async with SQLiteJournal(path) as journal:
        finished = {ending.key for _, ending in await collect(journal.endings())}
        unfinished = {job.key for job in await collect(journal.unfinished())}
    assert told["done"] <= finished
    assert told["admitted"] <= finished | unfinished
