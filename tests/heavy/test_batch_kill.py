"""``kill -9`` in the batch lane, around every call: nothing lost, nothing billed twice that is not counted."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import headway
from headway.testing.fake_api import INSTANT, FakeAPI, FakeConfig, RemoteAPI

pytestmark = pytest.mark.heavy
JOBS = 300
KILLS = 8
PATIENCE = 120.0
"""Seconds: a bound on what usually takes three."""


RUN = ("run", "p.jsonl", "--no-progress", "--lane", "batch")
RESUME = ("batches", "resume", "p.results.jsonl.journal", "-o", "p.results.jsonl", "--no-progress")


def start(api: RemoteAPI, folder: Path, *words: str) -> subprocess.Popen[str]:
    environment = os.environ | {
        "ANTHROPIC_BASE_URL": api.base_url,
        "ANTHROPIC_API_KEY": "x",
        "PYTHONPATH": str(Path(headway.__file__).parents[1]),
    }
    command = [sys.executable, "-m", "headway", *(words or RUN)]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def calls_of(api: RemoteAPI) -> int:
    return sum(api.stats().other_calls.values())


def kill_after(api: RemoteAPI, run: subprocess.Popen[str], calls: int, chance: random.Random) -> bool:
    """Kill once the server has had so many more calls, at a moment soon after; false if the run had ended."""
    goal = calls_of(api) + calls
    end = time.monotonic() + PATIENCE
    while calls_of(api) < goal and run.poll() is None:
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.002)
    time.sleep(chance.random() * 0.1)
    run.send_signal(signal.SIGKILL)
    run.wait(PATIENCE)
    run.communicate()
    return run.returncode == -signal.SIGKILL


def test_kills_around_every_call(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    chance = random.Random(seed)
    killed = rounds = 0
    with FakeAPI.in_thread(FakeConfig(latency=INSTANT, batch_seconds=1.0, seed=seed)) as api:
        while killed < KILLS:
            rounds += 1
            folder = tmp_path / str(rounds)
            folder.mkdir()
            names = [f"r{rounds}-{n}" for n in range(JOBS)]
            lines = [{"custom_id": name, "prompt": "Hi", "metadata": {"user_id": name}} for name in names]
            (folder / "p.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
            for calls in (1, 2, chance.randint(1, 4), chance.randint(2, 8)):
                killed += kill_after(api, start(api, folder), calls, chance)
            last = start(api, folder)
            out, errors = last.communicate(timeout=PATIENCE)
            assert last.returncode == 0, out + errors
            check(folder, names, api)
    print(f"{killed} kills in {rounds} rounds")


def test_a_killed_run_is_collected_without_its_input(tmp_path: Path) -> None:
    """Killed while its batches are under way; so is the first that collects them."""
    names = [f"k-{n}" for n in range(JOBS)]
    lines = [{"custom_id": name, "prompt": "Hi", "metadata": {"user_id": name}} for name in names]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with FakeAPI.in_thread(FakeConfig(latency=INSTANT, batch_seconds=6.0)) as api:
        assert kill_after(api, start(api, tmp_path), 3, random.Random(1)), "created, and looked at"
        (tmp_path / "p.jsonl").unlink()
        assert kill_after(api, start(api, tmp_path, *RESUME), 1, random.Random(2))
        last = start(api, tmp_path, *RESUME)
        out, errors = last.communicate(timeout=PATIENCE)
        assert (last.returncode, f"{JOBS} succeeded, 0 failed, 0 left" in out) == (0, True), out + errors
        check(tmp_path, names, api)
        assert set(api.stats().batch_billed.values()) == {1}


def check(folder: Path, names: list[str], api: RemoteAPI) -> None:
    results = [json.loads(line) for line in (folder / "p.results.jsonl").read_text().splitlines()]
    assert Counter(line["custom_id"] for line in results) == Counter(names), "each result once"
    assert {line["result"]["type"] for line in results} == {"succeeded"}
    assert {line["headway"]["lane"] for line in results} == {"batch"}
    billed = api.stats().batch_billed
    for line in results:
        name, facts = line["custom_id"], line["headway"]
        assert billed[name] - 1 <= facts.get("maybe_billed", 0), f"{name} was billed twice and not counted"
