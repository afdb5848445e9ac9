"""The examples of the documentation run as they stand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from headway.testing.fake_api import INSTANT, FakeAPI, FakeConfig

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def test_the_repair_example_says_what_it_changed() -> None:
    with FakeAPI.in_thread(FakeConfig(latency=INSTANT)) as api:
        environment = os.environ | {"ANTHROPIC_BASE_URL": api.base_url, "ANTHROPIC_API_KEY": "any"}
        command = [sys.executable, str(EXAMPLES / "repair.py")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "changed: max_tokens from 100000 to 64000" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("succeeded")


def test_the_bulk_example_goes_on_where_it_was(tmp_path: Path) -> None:
    with FakeAPI.in_thread(FakeConfig(latency=INSTANT)) as api:
        environment = os.environ | {"ANTHROPIC_BASE_URL": api.base_url, "ANTHROPIC_API_KEY": "any"}
        command = [sys.executable, str(EXAMPLES / "bulk.py"), str(tmp_path / "squares.journal")]

        def run() -> str:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            return done.stdout

        assert run().startswith("200 answered now")
        arrived = api.stats().arrivals
        assert run().startswith("0 answered now, 0 requests sent, 0 failed")
        assert api.stats().arrivals == arrived


def test_the_batch_example_sends_nothing_live(tmp_path: Path) -> None:
    with FakeAPI.in_thread(FakeConfig(latency=INSTANT, batch_seconds=0.05)) as api:
        environment = os.environ | {"ANTHROPIC_BASE_URL": api.base_url, "ANTHROPIC_API_KEY": "any"}
        command = [sys.executable, str(EXAMPLES / "batch.py"), str(tmp_path / "reviews.journal")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("500 answers from batches, 0 failed, $0.0")
        assert [len(batch.custom_ids) for batch in api.stats().batches.values()] == [500]
        assert api.stats().arrivals == 0


def test_the_conversation_example_stays_within_its_budget() -> None:
    with FakeAPI.in_thread(FakeConfig(latency=INSTANT)) as api:
        environment = os.environ | {"ANTHROPIC_BASE_URL": api.base_url, "ANTHROPIC_API_KEY": "any"}
        command = [sys.executable, str(EXAMPLES / "conversation.py")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        *dropped, last = done.stdout.splitlines()
        assert dropped
        kept, gone, tokens = (int(word) for word in last.split() if word.isdigit())
        assert kept + gone == 60
        assert tokens <= 1500
        assert api.stats().served == 30
