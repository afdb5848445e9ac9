"""``kill -9``, ten times in one run: no result lost, nothing committed sent again, repeats counted."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

import headway
from headway.testing.fake_api import FakeAPI, FakeConfig, FakeStats, Latency, OutputLength, RemoteAPI, preset

pytestmark = pytest.mark.heavy

JOBS = 400
KILLS = 10
PATIENCE = 120.0
"""Seconds: a bound on what usually takes three."""


def start(api: RemoteAPI, folder: Path, *options: str) -> subprocess.Popen[str]:
    source = str(Path(headway.__file__).parents[1])
    environment = os.environ | {
        "ANTHROPIC_BASE_URL": api.base_url,
        "ANTHROPIC_API_KEY": "x",
        "PYTHONPATH": source,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "headway", "run", "p.jsonl", "--no-progress", "--max-in-flight", "6", *options],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def kill_after(api: RemoteAPI, run: subprocess.Popen[str], answers: int, chance: random.Random) -> None:
    """Kill once the server has given so many more answers, at a moment within the next one."""
    goal = min(JOBS, api.stats().served + answers)
    end = time.monotonic() + PATIENCE
    while api.stats().served < goal:
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)
    time.sleep(chance.random() * 0.05)
    run.send_signal(signal.SIGKILL)
    assert run.wait(PATIENCE) == -signal.SIGKILL
    run.communicate()


def committed(folder: Path) -> set[str]:
    """Ids that the journal says are finished."""
    with closing(sqlite3.connect(folder / "p.results.jsonl.journal")) as database:
        return {key for (key,) in database.execute("SELECT key FROM endings")}


def whole_lines(path: Path) -> list[str]:
    text = path.read_text() if path.exists() else ""
    return [json.loads(line)["custom_id"] for line in text[: text.rfind("\n") + 1].splitlines()]


def test_ten_kills_in_one_run(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    chance = random.Random(seed)
    # The user id is how the fake API's statistics speak of the same jobs.
    (tmp_path / "p.jsonl").write_text("".join(
        json.dumps({"custom_id": f"p{n}", "prompt": f"Say {n}", "metadata": {"user_id": f"p{n}"}}) + "\n"
        for n in range(JOBS)
    ))  # fmt: skip
    config = FakeConfig(
        latency=Latency(ttft=0.05, speed=1000.0), output=OutputLength(40), faults=preset("mixed:3"), seed=seed
    )
    finished: dict[str, int] = {}
    with FakeAPI.in_thread(config) as api:
        for _ in range(KILLS):
            kill_after(api, start(api, tmp_path), chance.randint(1, JOBS // KILLS - 5), chance)
            done = committed(tmp_path)
            assert set(finished) <= done, "a committed result was lost"
            attempts = api.stats().attempts
            assert all(attempts[key] == count for key, count in finished.items()), (
                "a committed job was sent again"
            )
            finished = {key: attempts[key] for key in done}
            written = whole_lines(tmp_path / "p.results.jsonl")
            assert len(set(written)) == len(written)
            assert set(written) <= done, "a line was written before its commit"
        last = start(api, tmp_path)
        out, errors = last.communicate(timeout=PATIENCE)
        stats = api.stats()
    assert last.returncode == 0, out + errors
    check_end(tmp_path, stats, finished)
    print(out, f"{stats.arrivals} requests, {stats.billed_twice} jobs generated twice")


def check_end(folder: Path, stats: FakeStats, finished: dict[str, int]) -> None:
    lines = [json.loads(line) for line in (folder / "p.results.jsonl").read_text().splitlines()]
    results = {line["custom_id"]: line for line in lines}
    assert len(lines) == len(results) == JOBS
    assert {line["result"]["type"] for line in lines} == {"succeeded"}
    assert all(stats.attempts[key] == count for key, count in finished.items()), (
        "a committed job was sent again"
    )
    for key, line in results.items():
        facts = line["headway"]
        assert stats.attempts[key] <= facts["attempts"], f"{key} was sent more often than was counted"
        assert stats.billed[key] - 1 <= facts.get("maybe_billed", 0), (
            f"{key} was billed twice and not counted"
        )
    # At most what was in flight at each kill is sent again without a fault being the reason.
    assert sum(line["headway"].get("maybe_billed", 0) for line in lines) <= KILLS * 6 + stats.arrivals * 0.1


def test_kills_do_not_fill_the_purse_again(tmp_path: Path) -> None:
    """What was spent stays spent over ``kill -9``, and what was in flight is counted."""
    seed = random.randrange(10**6)
    print("seed", seed)
    chance = random.Random(seed)
    (tmp_path / "p.jsonl").write_text("".join(json.dumps({"prompt": f"Say {n}"}) + "\n" for n in range(JOBS)))
    cap = ("--max-tokens", "100", "--max-cost", "0.1")

    def billed() -> float:
        stats = api.stats()
        return stats.input_tokens * 2e-6 + stats.output_tokens * 10e-6

    config = FakeConfig(latency=Latency(ttft=0.05, speed=1000.0), output=OutputLength(40), seed=seed)
    with FakeAPI.in_thread(config) as api:
        for _ in range(3):
            kill_after(api, start(api, tmp_path, *cap), chance.randint(1, 25), chance)
        last = start(api, tmp_path, *cap)
        out, errors = last.communicate(timeout=PATIENCE)
        assert last.returncode == 3, out + errors
        assert "of the cap of $0.100000 in this run is spent" in errors
        assert 0.06 < billed() <= 0.1, "and not much of it is lost to the kills"
        before = api.stats().arrivals
        again = start(api, tmp_path, *cap)
        again.communicate(timeout=PATIENCE)
        assert (again.returncode, api.stats().arrivals) == (3, before), "nothing is left to spend"
