"""One process at a time, and no child believes it is the owner."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from headway.adapters.sqlite import SQLiteJournal
from headway.adapters.sqlite.lock import JournalLock, Witness
from headway.core.events import Started
from headway.core.job import advance
from headway.errors import JournalError, JournalLockedError
from headway.testing.contracts import collect, sample_record

pytestmark = pytest.mark.anyio

HOLD = """
import asyncio, sys
from headway.adapters.sqlite import SQLiteJournal
async def main():
    async with SQLiteJournal(sys.argv[1]):
        print("open", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""

FORGET = """
import asyncio, sys
from headway.adapters.sqlite import SQLiteJournal
from headway.core.events import Started
from headway.core.job import advance
from headway.testing.contracts import sample_record
async def main():
    journal = SQLiteJournal(sys.argv[1])
    await journal.open()
    await journal.admit([sample_record("a")])
    journal.append(advance(sample_record("a"), Started(1.0)), Started(1.0), None)
asyncio.run(main())
"""

FORK = """
import asyncio, ctypes, gc, os, sys
from headway.adapters.sqlite import SQLiteJournal
from headway.testing.contracts import collect, sample_record
async def count(journal):
    async with journal:
        return len(await collect(journal.unfinished()))
runner = asyncio.Runner()
journal = SQLiteJournal(sys.argv[1])
runner.run(journal.open())
runner.run(journal.admit([sample_record("a")]))
child = os.fork()
if child == 0:
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(runner))  # closing the loop would reach into the parent's epoll
    del journal
    gc.collect()
    sys.exit(0)      # runs atexit handlers and destroys what it can
assert os.waitpid(child, 0)[1] == 0
runner.run(journal.admit([sample_record("b")]))
runner.run(journal.aclose())
print(runner.run(count(SQLiteJournal(sys.argv[1]))))
runner.close()
"""


def run(script: str, path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.journal"


async def test_the_second_process_is_told_who_the_first_is(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"open\n"
        with pytest.raises(
            JournalLockedError, match=f"process {owner.pid} on {socket.gethostname()}, since 20"
        ):
            await SQLiteJournal(path).open()
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        async with SQLiteJournal(path) as journal:  # a dead owner's lock is free
            assert journal.recovered == 0


async def test_the_same_process_is_refused_too_also_through_a_link(path: Path) -> None:
    link = path.with_name("link.journal")
    async with SQLiteJournal(path):
        link.symlink_to(path)
        for name in (path, link):
            with pytest.raises(JournalLockedError, match=f"process {os.getpid()} "):
                await SQLiteJournal(name).open()
    async with SQLiteJournal(link):
        pass


async def test_a_forgotten_journal_does_not_keep_the_interpreter_and_loses_nothing(path: Path) -> None:
    run(FORGET, path)
    assert not path.with_name("out.journal-wal").exists()
    async with SQLiteJournal(path) as journal:
        assert journal.recovered == 1


async def test_a_forked_child_that_ends_normally_harms_nothing(path: Path) -> None:
    assert run(FORK, path) == "2\n"


async def test_a_forked_child_knows_it_is_not_the_owner_and_does_not_keep_the_lock(path: Path) -> None:
    journal = SQLiteJournal(path)
    await journal.open()
    await journal.admit([sample_record("a")])
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of fork beside threads
        child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(writing)
            try:
                journal.append(advance(sample_record("a"), Started(1.0)), Started(1.0), None)
            except JournalError as error:
                code = 0 if "opened in process" in str(error) else 2
            os.read(reading, 1)  # outlive the parent's journal
        finally:
            os._exit(code)
    await journal.aclose()
    async with SQLiteJournal(path) as again:
        assert len(await collect(again.unfinished())) == 1
    os.close(writing)
    os.close(reading)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


async def test_a_witness_survives_and_a_torn_one_says_nothing(tmp_path: Path) -> None:
    lock = JournalLock(tmp_path / "j")
    assert lock.acquire() is None
    lock.note(Witness("id", 41))
    lock.note(Witness("id", 42))
    lock.release()
    lock.release()
    assert lock.acquire() == Witness("id", 42)
    lock.release()
    data = bytearray(lock.path.read_bytes())
    data[512 + 4] ^= 1
    lock.path.write_bytes(data)
    assert lock.acquire() is None
    lock.release()
