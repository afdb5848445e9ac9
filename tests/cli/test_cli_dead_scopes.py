"""``headway run`` with a model that does not exist on some lines: the others go on, and the work is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.testing.fake_api import FaultKind, FaultRule, RemoteAPI

if TYPE_CHECKING:
    from conftest import Headway

TYPO = "claude-sonet-5-5"


def test_a_dead_model_stops_only_its_own_lines(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(30)
    headway.prompts(10, start=31, model=TYPO)
    ended = headway("run", "p.jsonl", "--no-progress", "--max-in-flight", 4)
    assert ended.status == 3, ended.out
    assert set(headway.results()) == {f"p{n}" for n in range(1, 31)}, "what is left has no line"
    assert "30 succeeded, 0 failed, 10 left" in ended.out
    assert f"nothing more was sent to model {TYPO}" in ended.out
    assert "Did you mean claude-sonnet-5-5?" in ended.out
    assert "stopped early" not in ended.err
    assert api.stats().arrivals <= 34

    before = api.stats().arrivals
    again = headway("run", "p.jsonl", "--no-progress")
    assert again.status == 3
    assert "30 succeeded, 0 failed, 10 left" in again.out
    assert api.stats().arrivals <= before + 10, "only what is left is tried again"


def test_a_dead_account_stops_the_run(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(30)
    api.set_faults((FaultRule(FaultKind.STATUS, status=402),))
    ended = headway("run", "p.jsonl", "--no-progress", "--max-in-flight", 2)
    assert ended.status == 3
    assert "stopped early: billing" in ended.err
    assert api.stats().arrivals <= 2
