"""The results file: where it ends, and that it is always a prefix of the journal's order."""

from __future__ import annotations

import json
import os
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import anyio
import pytest

from headway.adapters.sqlite import SQLiteJournal
from headway.cli import output_file, result_sink
from headway.cli.journal_results import append_endings, reconcile
from headway.cli.output_file import OutputFile, Tail, is_regular, read_tail
from headway.cli.result_sink import ResultSink
from headway.core.error_kind import ErrorKind
from headway.core.events import Failed, Started, Succeeded
from headway.core.failure import failure_of
from headway.core.job import JobRecord, JobState, advance
from headway.core.outcome import Ending, ending_of
from headway.core.request import Request
from headway.core.usage import Usage

pytestmark = pytest.mark.anyio


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SQLiteJournal]:
    async with SQLiteJournal(tmp_path / "j") as opened:
        yield opened


async def finish(journal: SQLiteJournal, keys: Sequence[str], *, failed: bool = False) -> None:
    """Jobs with these keys end, in this order."""
    for number, key in enumerate(keys, 1):
        request = Request({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": key}]})
        record = JobRecord(number, key, request)
        await journal.admit([record], reopen_failed=True)
        record = advance(record, Started(0.0))
        await journal.write(record, Started(0.0), None)
        failure = failure_of(ErrorKind.INVALID_REQUEST, "no")
        event = (
            Failed(1.0, failure) if failed else Succeeded(1.0, '{"text": "' + "x" * 50 + '"}', Usage(1, 2))
        )
        record = advance(record, event)
        await journal.write(record, event, ending_of(record, event))


def ids(path: Path) -> list[str]:
    return [json.loads(line)["custom_id"] for line in path.read_text().splitlines()]


@pytest.mark.parametrize("block", [3, 7, 1 << 20])
def test_where_a_file_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(output_file, "BLOCK", block)
    path = tmp_path / "out"
    assert read_tail(path) == Tail(0, None, 0, 0)
    one, two = b'{"custom_id": "a"}\n', b'{"custom_id": "bcd"}\n'
    for content, expected in (
        (b"", Tail(0, None, 0, 0)),
        (b"torn", Tail(0, None, 0, 4)),
        (one, Tail(1, "a", 19, 19)),
        (one + two, Tail(2, "bcd", 40, 40)),
        (one + two + b'{"cus', Tail(2, "bcd", 40, 45)),
        (one + b"garbled\n", Tail(2, None, 27, 27)),
        (one + b"[1]\n", Tail(2, None, 23, 23)),
        (b"\n", Tail(1, None, 1, 1)),
    ):
        path.write_bytes(content)
        assert read_tail(path) == expected, content


async def test_any_cut_of_the_file_is_continued(journal: SQLiteJournal, tmp_path: Path) -> None:
    path = tmp_path / "out"
    keys = [f"k{n}" for n in range(30)]
    random.Random(1).shuffle(keys)
    await finish(journal, keys)
    last = await reconcile(journal, path)
    whole = path.read_bytes()
    assert ids(path) == keys
    for size in (*random.Random(2).sample(range(len(whole)), 25), 0, len(whole)):
        path.write_bytes(whole[:size])
        assert await reconcile(journal, path) == last
        assert path.read_bytes() == whole


async def test_what_is_not_a_prefix_is_written_anew(journal: SQLiteJournal, tmp_path: Path) -> None:
    path = tmp_path / "out"
    await finish(journal, [f"k{n}" for n in range(12)])
    last = await reconcile(journal, path)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for damage in (
        [*lines[:3], *lines[6:]],
        [*lines[:7], b"\0" * 100 + b"\n"],
        [*lines, lines[2]],
        [*lines[:5], b'{"custom_id": "of another run"}\n'],
    ):
        path.write_bytes(b"".join(damage))
        assert await reconcile(journal, path) == last
        assert path.read_bytes() == whole
    assert [found.name for found in tmp_path.glob("out*")] == ["out"]


async def test_only_what_came_later_is_appended(journal: SQLiteJournal, tmp_path: Path) -> None:
    path = tmp_path / "out"
    await finish(journal, ["a", "b"])
    last = await reconcile(journal, path)
    inode = path.stat().st_ino
    await finish(journal, ["c"])
    output = OutputFile(path)
    assert await append_endings(journal, output, after=last) == last + 1
    output.close()
    assert ids(path) == ["a", "b", "c"]
    assert path.stat().st_ino == inode


async def test_reopened_jobs_move_to_the_end(journal: SQLiteJournal, tmp_path: Path) -> None:
    path = tmp_path / "out"
    await finish(journal, ["a"], failed=True)
    await finish(journal, ["b", "c"])
    await reconcile(journal, path)
    last = await reconcile(journal, path, drop_failed=True)
    assert ids(path) == ["b", "c"]
    await finish(journal, ["a"])
    await reconcile(journal, path)  # as after a crash before anything was written
    assert ids(path) == ["b", "c", "a"]
    assert last < await reconcile(journal, path)


def test_pipes_and_devices_are_not_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert not is_regular(tmp_path / "pipe")
    assert not is_regular(Path("/dev/null"))
    assert is_regular(tmp_path / "new")


async def test_a_slow_reader_slows_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a journal results wait in memory for whoever reads them: only so many."""
    monkeypatch.setattr(result_sink, "MOST_HELD", 1_000)
    sink = ResultSink(tmp_path / "results", None, drop_failed=False)
    await sink.open()
    await sink.room()
    for number in range(10):
        sink.take(Ending(f"{number}", JobState.SUCCEEDED, "x" * 150), restored=False)
    went_on = anyio.Event()

    async def go_on() -> None:
        await sink.room()
        went_on.set()

    async with anyio.create_task_group() as group:
        group.start_soon(go_on)
        await anyio.wait_all_tasks_blocked()
        assert not went_on.is_set()
        await sink.write()
        await went_on.wait()
    await sink.close()
    assert (tmp_path / "results").read_bytes().count(b"\n") == 10
