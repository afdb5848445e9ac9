"""``headway check``, and the look that ``headway run`` takes before it sends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from headway.cli import findings_tally, prompt_input
from headway.cli.check_command import SHOWN
from headway.cli.findings_tally import FindingsTally
from headway.core.request import Request, build_request
from headway.preflight.rules import all_rules
from headway.testing.fake_api import RemoteAPI

if TYPE_CHECKING:
    from conftest import Headway

TOO_MUCH = 1_000_000


def test_a_good_file_is_good(headway: Headway) -> None:
    headway.prompts(30)
    ended = headway("check", "p.jsonl")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == (
        "30 requests checked: 0 would be refused, 0 with warnings only, 30 fine. Nothing was sent.\n"
    )


def test_what_is_wrong_is_said_line_by_line(headway: Headway) -> None:
    headway.prompts(2)
    headway.prompts(1, start=3, max_tokens=TOO_MUCH)
    with (headway.folder / "p.jsonl").open("a") as file:
        file.write("nonsense\n")
    ended = headway("check", "p.jsonl")
    assert ended.status == 1
    lines = ended.out.splitlines()
    assert lines[0].startswith("p.jsonl:3: error [max_tokens] max_tokens: 1000000 is above")
    assert lines[0].endswith("Use 128000 or less.")
    assert lines[1].startswith("p.jsonl:4: error: invalid JSON at column 1")
    assert "4 requests checked: 2 would be refused, 0 with warnings only, 2 fine. Nothing was sent." in lines
    assert lines[-1].startswith("With --repair max_tokens ")


def test_warnings_alone_are_no_failure(headway: Headway) -> None:
    """The model is deprecated, its end has a date."""
    headway.prompts(3, model="claude-sonnet-4-5")
    ended = headway("check", "p.jsonl")
    assert ended.status in {0, 1}, "it retires, and fails from then on"
    assert "p.jsonl:3: " in ended.out
    assert "2026-11-30" in ended.out


def test_thousands_of_the_same_are_one_group(headway: Headway) -> None:
    headway.prompts(500, max_tokens=TOO_MUCH)
    headway.prompts(100, start=501, max_tokens=TOO_MUCH + 7)
    ended = headway("check", "p.jsonl")
    assert ended.status == 1
    assert ended.out.count("p.jsonl:") == SHOWN + 1
    assert "… and 580 more findings (--all shows them)" in ended.out
    assert "  600 requests [max_tokens], first at p.jsonl:1: max_tokens: 1000000 is above" in ended.out
    whole = headway("check", "p.jsonl", "--all").out
    assert whole.count(": error [max_tokens] ") == 600


def test_json_has_a_line_a_finding(headway: Headway) -> None:
    headway.prompts(1)
    headway.prompts(40, start=2, max_tokens=TOO_MUCH)
    ended = headway("check", "p.jsonl", "--json")
    assert ended.status == 1
    *findings, last = map(json.loads, ended.out.splitlines())
    assert last == {"summary": {"checked": 41, "errors": 40, "warnings": 0, "fine": 1}}
    assert [finding["line"] for finding in findings] == list(range(2, 42))
    assert findings[0] == {
        "line": 2, "custom_id": "p2", "severity": "error", "rule": "max_tokens", "path": "max_tokens",
        "problem": "1000000 is above the model's maximum of 128000", "remedy": "Use 128000 or less.", "tool": None,
    }  # fmt: skip


def test_nothing_is_sent_and_no_key_is_needed(
    api: RemoteAPI, headway: Headway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    headway.prompts(5, max_tokens=TOO_MUCH)
    assert headway("check", "p.jsonl").status == 1
    assert api.stats().arrivals == 0
    assert not api.stats().other_calls, "without a key nobody is asked"


def test_with_a_key_the_models_are_asked_for_once_a_day(
    api: RemoteAPI, headway: Headway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWAY_CATALOG", "on")
    monkeypatch.setenv("XDG_CACHE_HOME", str(headway.folder / "cache"))
    headway.prompts(2)
    assert headway("check", "p.jsonl", "--offline").status == 0
    assert not api.stats().other_calls
    for _ in range(2):
        assert headway("check", "p.jsonl").status == 0
        assert sum(api.stats().other_calls.values()) == 1
    assert api.stats().arrivals == 0


def test_the_options_of_run_count(headway: Headway) -> None:
    headway.write("review,stars\ngood,5\nbad,1\n", "r.csv")
    assert headway("check", "r.csv", "--prompt", "Classify: {review}").status == 0
    big = ("--model", "claude-haiku-4-5", "--max-tokens", 100_000)
    ended = headway("check", "r.csv", "--prompt", "{review}", *big)
    assert ended.status == 1
    assert "maximum of 64000" in ended.out
    assert headway("check", "r.csv", "--prompt", "{nothing}").status == 1


@pytest.mark.parametrize(
    ("content", "said"), [("", "is empty"), ("\n\n", "is empty")], ids=["nothing", "blank lines"]
)
def test_an_empty_file_is_bad_usage(headway: Headway, content: str, said: str) -> None:
    headway.write(content)
    ended = headway("check", "p.jsonl")
    assert ended.status == 2
    assert said in ended.err


def test_files_that_cannot_be_read_are_bad_usage(headway: Headway) -> None:
    assert headway("check", "missing.jsonl").status == 2
    assert headway("check", ".").status == 2
    headway.write("plain", "p.txt")
    assert "--prompt" in headway("check", "p.txt").err


def test_ids_that_come_twice_are_found(headway: Headway) -> None:
    headway.prompts(3)
    headway.prompts(1, start=2)
    ended = headway("check", "p.jsonl")
    assert ended.status == 1
    assert "p.jsonl:4: error: custom_id 'p2' was used on an earlier line" in ended.out


def request(number: int, **params: object) -> Request:
    return build_request("x" * (number % 7 + 1), {"model": "claude-sonnet-5-5", "max_tokens": number}, params)


def test_findings_that_differ_in_numbers_only_take_one_group() -> None:
    tally = FindingsTally("2026-11-22")
    for number in range(3000):
        assert tally.look(request(TOO_MUCH + number), number)
    (group,) = tally.by_weight()
    assert (group.count, group.number, group.mends) == (3000, 0, "max_tokens")
    assert (tally.checked, tally.refused, tally.warned) == (3000, 3000, 0)


def test_kinds_beyond_the_bound_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings_tally, "MOST_GROUPS", 5)
    tally = FindingsTally("2026-11-22")
    for number in range(100):
        tally.add_bad_line("x" * number, number)
        tally.look(request(10, model=f"claude-{number}"), number)
    assert len(tally.groups) <= 5 + 2 * len(all_rules()) + 1
    assert sum(group.count for group in tally.by_weight()) >= 100
    assert len(tally._facts) <= 5


# Before a run


def test_run_says_it_first_and_goes_on(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(4)
    headway.prompts(2, start=5, max_tokens=TOO_MUCH)
    ended = headway("run", "p.jsonl", "--no-progress")
    assert ended.status == 1
    assert "warning: 2 of 6 requests would be refused by the API as they are:" in ended.err
    assert "2 requests [max_tokens], first at p.jsonl:5" in ended.err
    assert "headway check p.jsonl" in ended.err
    assert api.stats().arrivals == 6
    results = headway.results()
    assert results["p5"]["result"]["type"] == "errored"


def test_strict_stops_before_anything_is_paid_for(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(4)
    headway.prompts(1, start=5, max_tokens=TOO_MUCH)
    ended = headway("run", "p.jsonl", "--strict")
    assert ended.status == 2
    assert "1 of 5 requests would be refused" in ended.err
    assert ended.err.rstrip().endswith("Nothing was sent.")
    assert api.stats().arrivals == 0
    assert [path.name for path in headway.folder.iterdir()] == ["p.jsonl"]


def test_no_check_says_nothing(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(1, max_tokens=TOO_MUCH)
    ended = headway("run", "p.jsonl", "--no-check", "--no-progress")
    assert (ended.status, ended.err) == (1, "")
    assert api.stats().arrivals == 1


def test_only_the_head_is_looked_over(
    api: RemoteAPI, headway: Headway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_input, "CHECKED", 3)
    headway.prompts(3, max_tokens=TOO_MUCH)
    headway.prompts(3, start=4)
    ended = headway("run", "p.jsonl", "--no-progress")
    assert "warning: 3 of the first 3 requests would be refused" in ended.err


def test_what_will_be_mended_is_said(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(3, max_tokens=TOO_MUCH)
    ended = headway("run", "p.jsonl", "--repair", "max_tokens", "--no-progress")
    assert "3 requests will be mended before being sent, as --repair says" in ended.err
    assert "would be refused" not in ended.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--repair", "nonsense"), "no rule is called 'nonsense'"),
        (("--no-check", "--strict"), "--no-check excludes"),
        (("--no-check", "--repair", "all"), "--no-check excludes"),
    ],
)
def test_options_that_make_no_sense(
    api: RemoteAPI, headway: Headway, options: tuple[str, ...], said: str
) -> None:
    headway.prompts(1)
    ended = headway("run", "p.jsonl", *options)
    assert ended.status == 2
    assert said in ended.err
