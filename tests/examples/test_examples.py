"""The examples of the documentation run as they stand.

They run in this process: each of its own would import the SDK first, two seconds of processor time.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from headway.testing.fake_api import INSTANT, FakeAPI, FakeConfig, RemoteAPI

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
Run = Callable[..., list[str]]
"""``run(api, "name.py", *arguments)``: the lines it prints; it must end with status 0."""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(api: RemoteAPI, name: str, *arguments: object) -> list[str]:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", api.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "any")
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        status: object = 0
        try:
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        except SystemExit as end:
            status = end.code
        shown = capsys.readouterr()
        assert not status, shown.err
        sys.stderr.write(shown.err)  # for who wants to read it, too
        return shown.out.splitlines()

    return run


def test_the_repair_example_says_what_it_changed(run: Run) -> None:
    with FakeAPI.in_thread(FakeConfig(latency=INSTANT)) as api:
        lines = run(api, "repair.py")
    assert any("changed: max_tokens from 100000 to 64000" in line for line in lines)
    assert lines[-1].startswith("succeeded")


def test_the_structured_example_writes_a_table(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeAPI.in_thread(FakeConfig(latency=INSTANT)) as api:
        rows = [line.split(",") for line in run(api, "structured.py")]
        assert [row[:2] for row in rows] == [["good", "1.0"]] * 4
        assert rows[2][2] == "0.0" and api.stats().served == 3, "the same review is asked about once"
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("$0.000") and "for 3 answers" in last


def test_the_bulk_example_goes_on_where_it_was(run: Run, tmp_path: Path) -> None:
    journal = tmp_path / "squares.journal"
    with FakeAPI.in_thread(FakeConfig(latency=INSTANT)) as api:
        assert run(api, "bulk.py", journal)[0].startswith("200 answered now")
        arrived = api.stats().arrivals
        assert run(api, "bulk.py", journal)[0].startswith("0 answered now, 0 requests sent, 0 failed")
        assert api.stats().arrivals == arrived


def test_the_batch_example_sends_nothing_live(run: Run, tmp_path: Path) -> None:
    with FakeAPI.in_thread(FakeConfig(latency=INSTANT, batch_seconds=0.05)) as api:
        lines = run(api, "batch.py", tmp_path / "reviews.journal")
        assert lines[0].startswith("500 answers from batches, 0 failed, $0.0")
        assert [len(batch.custom_ids) for batch in api.stats().batches.values()] == [500]
        assert api.stats().arrivals == 0


def test_the_conversation_example_stays_within_its_budget(run: Run) -> None:
    with FakeAPI.in_thread(FakeConfig(latency=INSTANT)) as api:
        *dropped, last = run(api, "conversation.py")
        assert dropped
        kept, gone, tokens = (int(word) for word in last.split() if word.isdigit())
        assert kept + gone == 60
        assert tokens <= 1500
        assert api.stats().served == 30
