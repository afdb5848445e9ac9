"""A damaged journal is an error or is read whole: nothing disappears in silence."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from headway.adapters.sqlite import SQLiteJournal, inspection
from headway.core.events import Cancelled, Started
from headway.core.job import JobState
from headway.core.outcome import Ending
from headway.errors import JournalDamagedError, JournalError
from headway.ports import Unfinished
from headway.testing.contracts import DONE, collect, play, sample_record

NAME = "out.journal"


@dataclass(frozen=True)
class Contents:
    """All that must be there."""

    endings: tuple[tuple[int, Ending], ...]
    unfinished: tuple[Unfinished, ...]
    counts: dict[JobState, int]
    meta: str | None


async def contents_of(path: Path) -> Contents:
    async with SQLiteJournal(path) as journal:
        keys = [f"job {number}" for number in range(90)]
        known = await journal.known(keys)
        assert len(known) == len(keys)
        return Contents(
            tuple(await collect(journal.endings())),
            tuple(await collect(journal.unfinished())),
            await journal.counts(),
            await journal.get_meta("input"),
        )


async def build(folder: Path) -> Contents:
    """Two folders with one journal: ``closed`` in good order, and ``killed``, half of it still in the WAL."""
    path = folder / "live" / NAME
    path.parent.mkdir()
    records = [sample_record(f"job {number}", f"prompt {number} " * 40) for number in range(90)]
    async with SQLiteJournal(path) as journal:
        await journal.set_meta("input", "prompts.jsonl")
        await journal.admit(records[:60])
        await asyncio.gather(*(play(journal, record, Started(1.0), DONE) for record in records[:30]))
    journal = SQLiteJournal(path)
    await journal.open()
    for record in records[60:]:
        await journal.admit([record])
    for record in records[30:50]:
        await play(journal, record, Started(1.0), DONE)
    await play(journal, records[50], Cancelled(1.0))
    # Not by this process: closing a copy's source would drop SQLite's locks.
    subprocess.run(["cp", "-r", str(path.parent), str(folder / "killed")], check=True)
    await journal.aclose()
    (folder / "live").rename(folder / "closed")
    shutil.copytree(folder / "closed", folder / "look")
    return await contents_of(folder / "look" / NAME)


def mutate(folder: Path, random: random.Random) -> str:
    """Damage one file; says how."""
    names = [item.name for item in folder.iterdir() if item.stat().st_size]
    weights = [1 if name.endswith((".lock", "-shm")) else 8 for name in names]
    path = folder / random.choices(names, weights)[0]
    data = bytearray(path.read_bytes())
    how = random.choice(["flip", "flip", "flip", "truncate", "zero", "noise", "header", "remove"])
    at = random.randrange(len(data))
    if how in {"flip", "header"}:
        at = at if how == "flip" else random.randrange(min(100, len(data)))
        data[at] ^= 1 << random.randrange(8)
    elif how == "truncate":
        at = random.choice([at, at // 512 * 512, at // 4096 * 4096])
        del data[at:]
    elif how == "zero":
        data[at : at + 512] = bytes(len(data[at : at + 512]))
    elif how == "noise":
        data[at : at + 64] = random.randbytes(len(data[at : at + 64]))
    elif path.name == NAME:  # the whole file gone is a new beginning, and somebody's wish
        data[:] = b"not a journal"
    else:
        path.unlink()
        return f"{path.name}: removed"
    path.write_bytes(data)
    return f"{path.name}: {how} at {at}"


@pytest.mark.parametrize("mutations", [60, pytest.param(1000, marks=pytest.mark.heavy)])
def test_mutations_are_noticed_or_harmless(tmp_path: Path, mutations: int) -> None:
    expected = asyncio.run(build(tmp_path))
    assert len(expected.endings) == 51
    assert len(expected.unfinished) == 39
    noticed = 0
    work = tmp_path / "work"
    for seed in range(mutations):
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(tmp_path / ("killed" if seed % 2 else "closed"), work)
        how = mutate(work, random.Random(seed))
        try:
            found = asyncio.run(contents_of(work / NAME))
        except JournalError as error:
            assert str(work / NAME) in str(error), (seed, how)
            noticed += 1
            continue
        assert found == expected, (seed, how)
    assert noticed > mutations / 4


@pytest.mark.parametrize("mutations", [20, pytest.param(400, marks=pytest.mark.heavy)])
def test_flips_in_a_large_closed_file_are_noticed_when_read(
    tmp_path: Path, mutations: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pages are not all checked at the opening, so every row's checksum has to."""
    expected = asyncio.run(build(tmp_path))
    monkeypatch.setattr(inspection, "SMALL", 0)
    work = tmp_path / "work"
    for seed in range(mutations):
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(tmp_path / "closed", work)
        data = bytearray((work / NAME).read_bytes())
        at = random.Random(seed).randrange(len(data))
        data[at] ^= 1 << seed % 8
        (work / NAME).write_bytes(data)
        try:
            found = asyncio.run(contents_of(work / NAME))
        except (JournalError, AssertionError):  # a key that cannot be found any more
            continue
        assert (found.endings, found.unfinished) == (expected.endings, expected.unfinished), (seed, at)


@pytest.mark.anyio
class TestMessages:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / NAME

    async def refusal(self, path: Path) -> JournalError:
        with pytest.raises(JournalError) as caught:
            await SQLiteJournal(path).open()
        assert str(path) in str(caught.value)
        return caught.value

    async def filled(self, path: Path) -> None:
        async with SQLiteJournal(path) as journal:
            await journal.admit([sample_record("a")])

    async def test_a_missing_folder_and_a_folder(self, tmp_path: Path) -> None:
        assert "there is no folder" in str(await self.refusal(tmp_path / "no" / NAME))
        (tmp_path / "folder").mkdir()
        assert "a folder, not a journal" in str(await self.refusal(tmp_path / "folder"))
        (tmp_path / "x.lock").mkdir()
        assert "directory" in str(await self.refusal(tmp_path / "x"))

    async def test_a_text_file(self, path: Path) -> None:
        path.write_text('{"prompt": "not a journal"}\n' * 100)
        error = await self.refusal(path)
        assert isinstance(error, JournalDamagedError)
        assert "not a SQLite database" in str(error)
        assert path.read_text().startswith('{"prompt"'), "it was not touched"

    async def test_another_programs_database(self, path: Path) -> None:
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE t (a)")
        connection.close()
        before = path.read_bytes()
        assert "not a journal of headway" in str(await self.refusal(path))
        assert path.read_bytes() == before

    async def test_a_newer_version(self, path: Path) -> None:
        await self.filled(path)
        from headway.adapters.sqlite import meta

        connection = sqlite3.connect(path)
        meta.put(connection, meta.SCHEMA, "99")
        connection.commit()
        connection.close()
        error = await self.refusal(path)
        assert not isinstance(error, JournalDamagedError)
        assert "written by a newer headway (schema 99, this one knows 3)" in str(error)

    async def test_a_journal_that_lost_its_wal_is_left_as_it_is(self, tmp_path: Path) -> None:
        await asyncio.create_task(build(tmp_path))
        path = tmp_path / "killed" / NAME
        wal = path.with_name(NAME + "-wal")
        wal.write_bytes(wal.read_bytes()[:-5000])
        before = path.read_bytes(), wal.read_bytes()
        for _ in range(2):
            error = await self.refusal(path)
            assert isinstance(error, JournalDamagedError)
            assert "commits are left: its -wal file was damaged or removed" in str(error)
            assert (path.read_bytes(), wal.read_bytes()) == before

    async def test_a_file_cut_to_nothing(self, path: Path) -> None:
        await self.filled(path)
        path.write_bytes(b"")
        assert "empty but had commits" in str(await self.refusal(path))

    async def test_a_deleted_journal_is_a_new_beginning(self, path: Path) -> None:
        await self.filled(path)
        path.unlink()
        for known in (False, True):
            async with SQLiteJournal(path) as journal:
                (stored,) = await journal.admit([sample_record("a")])
                assert (stored is not None) is known

    async def test_an_older_copy_restored_without_its_lock_file_is_accepted(self, path: Path) -> None:
        await self.filled(path)
        copy = path.read_bytes()
        async with SQLiteJournal(path) as journal:
            await journal.admit([sample_record("b")])
        path.write_bytes(copy)
        assert "delete out.journal.lock" in str(await self.refusal(path))
        path.with_name(path.name + ".lock").unlink()
        async with SQLiteJournal(path) as journal:
            assert len(await journal.known(["a", "b"])) == 1
