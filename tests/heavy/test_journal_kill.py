"""``kill -9`` at any moment: every write that reported back is there, and nothing ends twice."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from headway.adapters.sqlite import SQLiteJournal
from headway.testing.contracts import collect, sample_record

# Resumes what is unfinished, then goes on with new jobs, until it is killed. One line for each commit reported.
WORK = """
import asyncio, os, sys
from dataclasses import replace
from headway.adapters.sqlite import SQLiteJournal
from headway.core.events import Started
from headway.testing.contracts import DONE, play, sample_record

def say(*words):
    os.write(1, (" ".join(words) + chr(10)).encode())

async def main():
    async with SQLiteJournal(sys.argv[1]) as journal:
        say("recovered", str(journal.recovered))
        waiting = [job.key async for job in journal.unfinished()]
        numbers = iter(range(int(sys.argv[2]), 10**9))

        async def work():
            while True:
                key = waiting.pop(0) if waiting else f"job {next(numbers)}"
                record = sample_record(key, "x" * 300)
                (stored,) = await journal.admit([record])
                assert stored is None or stored.ending is None
                say("admitted", key)
                if stored is not None:
                    record = replace(record, prior_attempts=stored.sends, maybe_billed=stored.maybe_billed)
                record, _ = await play(journal, record, Started(1.0))
                say("started", key)
                await play(journal, record, DONE)
                say("done", key)

        await asyncio.gather(*(work() for _ in range(30)))

asyncio.run(main())
"""


def run_and_kill(path: Path, first: int, lines: int) -> list[tuple[str, str]]:
    """Kill it after so many lines; returns all that it had reported."""
    arguments = [sys.executable, "-c", WORK, str(path), str(first)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        said += process.stdout.readlines()
    assert process.returncode == -9, said[-1:]
    return [
        (line.split()[0].decode(), line.decode().split(" ", 1)[1].strip()) for line in said if line.strip()
    ]


async def look(path: Path) -> tuple[int, Counter[str], set[str]]:
    async with SQLiteJournal(path) as journal:
        endings = Counter([ending.key for _, ending in await collect(journal.endings())])
        unfinished = {job.key for job in await collect(journal.unfinished())}
        return journal.recovered, endings, unfinished


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.heavy)])
def test_nothing_that_was_reported_is_lost(tmp_path: Path, kills: int) -> None:
    path = tmp_path / "out.journal"
    random_ = random.Random(kills)
    told: dict[str, set[str]] = {"admitted": set(), "started": set(), "done": set()}
    for kill in range(kills):
        running: set[str] = set()
        for kind, key in run_and_kill(path, kill * 10**6, random_.randrange(1, 700)):
            if kind == "recovered":
                assert int(key) == 0, "the look after the last kill recovered them"
                continue
            told[kind].add(key)
            if kind == "started":
                running.add(key)
        recovered, endings, unfinished = asyncio.run(look(path))
        assert told["done"] <= endings.keys()
        assert told["admitted"] <= endings.keys() | unfinished
        assert not endings.keys() & unfinished
        assert set(endings.values()) <= {1}
        assert len(running - endings.keys()) <= recovered <= 30
        assert running <= endings.keys() | unfinished


def test_sends_and_doubts_are_counted_over_kills(tmp_path: Path) -> None:
    path = tmp_path / "out.journal"
    started = Counter[str]()
    for kill in range(2):
        said = run_and_kill(path, kill * 10**6, 150)
        started.update(key for kind, key in said if kind == "started")
        asyncio.run(look(path))

    async def doubts() -> list[tuple[int, int, int]]:
        async with SQLiteJournal(path) as journal:
            keys = list(started)
            stored = await journal.admit([sample_record(key, "x" * 300) for key in keys])
            return [
                (known.sends, known.maybe_billed, started[key])
                for key, known in zip(keys, stored, strict=True)
                if known is not None and known.ending is None
            ]

    for sends, maybe_billed, reported in asyncio.run(doubts()):
        assert sends >= reported
        assert maybe_billed == sends, "each was in flight when its process died"


def test_the_key_of_the_environment_is_in_no_file(tmp_path: Path) -> None:
    canary = "sk-ant-api03-canary-in-the-environment"
    path = tmp_path / "out.journal"
    with subprocess.Popen(
        [sys.executable, "-c", WORK, str(path), "0"],
        stdout=subprocess.PIPE,
        env=os.environ | {"ANTHROPIC_API_KEY": canary},
    ) as process:
        assert process.stdout is not None
        for _ in range(50):
            process.stdout.readline()
        process.kill()
        process.stdout.read()
    for file in tmp_path.iterdir():
        assert canary.encode() not in file.read_bytes()
