"""``headway run --dedupe``: identical requests are sent once, now and in the runs that follow."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headway.testing.fake_api import FaultKind, FaultRule, RemoteAPI


def lines(headway: Any, *prompts: str, start: int = 0) -> None:
    """One line a prompt, with ids of their own."""
    with (headway.folder / "p.jsonl").open("a") as file:
        for number, prompt in enumerate(prompts, start):
            file.write(json.dumps({"custom_id": f"p{number}", "prompt": prompt}) + "\n")


def texts(headway: Any) -> dict[str, str]:
    results = headway.results().items()
    return {key: line["result"]["message"]["content"][0]["text"] for key, line in results}


def test_each_id_has_its_line_and_each_content_is_paid_once(headway: Any, api: RemoteAPI) -> None:
    lines(headway, *[f"Say {number % 5}" for number in range(100)])
    ended = headway("run", "p.jsonl", "--dedupe", "--no-progress")
    assert ended.status == 0, ended.err
    assert api.stats().served == 5
    found = headway.results()
    assert len(found) == 100
    shown = texts(headway)
    assert all(shown[f"p{number}"] == shown[f"p{number % 5}"] for number in range(100))
    facts = [line["headway"] for line in found.values()]
    assert sum("copy_of" in one for one in facts) == 95
    assert {(one["attempts"], one["cost_usd"]) for one in facts if "copy_of" in one} == {(0, 0.0)}
    assert "100 succeeded" in ended.out
    assert "95 of them have the answer to an identical request: sent once" in ended.out
    lines(headway, "Say 3", "Say 3", "something new", start=100)
    again = headway("run", "p.jsonl", "--dedupe", "--no-progress")
    assert again.status == 0 and api.stats().served == 6
    shown = texts(headway)
    assert shown["p100"] == shown["p101"] == shown["p3"] != shown["p102"]
    assert headway.results()["p100"]["headway"]["copy_of"] == "p3"


@pytest.mark.parametrize("journal", [["-o", "-"], ["-o", "out.csv"], ["--ordered"]])
def test_with_every_kind_of_output(headway: Any, api: RemoteAPI, journal: list[str]) -> None:
    lines(headway, "a", "b", "a", "a", "b")
    ended = headway("run", "p.jsonl", "--dedupe", "--no-progress", *journal)
    assert ended.status == 0, ended.err
    assert api.stats().served == 2


def test_failed_ones_share_their_failure_and_are_tried_again_once(headway: Any, api: RemoteAPI) -> None:
    api.set_faults((FaultRule(FaultKind.STATUS, status=400),))
    lines(headway, "a", "a", "a")
    assert headway("run", "p.jsonl", "--dedupe", "--no-progress").status == 1
    assert {line["headway"]["kind"] for line in headway.results().values()} == {"invalid_request"}
    api.set_faults(())
    ended = headway("run", "p.jsonl", "--dedupe", "--no-progress", "--retry-failed")
    assert ended.status == 0, ended.err
    assert api.stats().served == 1 and sum(api.stats().statuses.values()) == 2
    assert len(set(texts(headway).values())) == 1
