"""What ``headway run`` may spend, and at what prices."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from headway.testing.fake_api import FaultKind, FaultRule, RemoteAPI

if TYPE_CHECKING:
    from conftest import Headway

SONNET = (2e-6, 10e-6)
"""USD a token of the default model."""


def billed(api: RemoteAPI, prices: tuple[float, float] = SONNET) -> float:
    stats = api.stats()
    return stats.input_tokens * prices[0] + stats.output_tokens * prices[1]


def test_a_cap_stops_the_run_and_a_higher_one_goes_on(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(40)
    ended = headway("run", "p.jsonl", "--max-cost", "0.02", "--no-progress")
    assert ended.status == 3
    assert "stopped early: spend_cap: $0.0" in ended.err
    assert "of the cap of $0.020000 in this run is spent" in ended.err
    assert "--max-cost" in ended.err
    assert "of $0.0200 spent so far" in ended.out
    done = len(headway.results())
    assert 0 < done < 40
    assert 0.005 < billed(api) <= 0.02
    again = headway("run", "p.jsonl", "--max-cost", "$0.02", "--no-progress")
    assert again.status == 3
    assert len(headway.results()) == api.stats().arrivals <= done + 3, "the money is spent, whoever asks"
    assert billed(api) <= 0.02
    more = headway("run", "p.jsonl", "--max-cost", "5/day", "--no-progress")
    assert more.status == 0, more.err
    assert "spent today (UTC)" in more.out
    assert set(headway.results()) == {f"p{n}" for n in range(1, 41)}
    assert api.stats().arrivals == 40
    costs = [row["headway"]["cost_usd"] for row in headway.results().values()]
    assert sum(costs) == pytest.approx(billed(api), rel=1e-6)


def test_what_may_be_billed_unseen_counts_in_full(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(30)
    api.set_faults((FaultRule(FaultKind.RESET, probability=1.0, attempts="first", after_work=True),))
    ended = headway("run", "p.jsonl", "--max-cost", "0.1", "--max-in-flight", "4", "--no-progress")
    assert ended.status == 3
    assert api.stats().faults["reset"] <= 8, "each of them may have cost an eighth of it"
    assert "of it for requests that may be billed without an answer" in ended.err + ended.out


def test_prices_of_ones_own(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(3)
    headway.write(
        json.dumps({"claude-sonnet-5-5": {"input": 200, "output": 1000, "cache_read": 20}}), "prices.json"
    )
    ended = headway("run", "p.jsonl", "--prices", "prices.json", "--no-progress")
    assert ended.status == 0, ended.err
    costs = [row["headway"]["cost_usd"] for row in headway.results().values()]
    assert sum(costs) == pytest.approx(billed(api, (200e-6, 1000e-6)), rel=1e-6)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "must be an object with models, such as"),
        ('{"m": 3}', "m: must be an object"),
        ('{"m": {"input": 1, "output": 2}}', "m: 'cache_read' is missing"),
        ('{"m": {"input": 1, "output": 2, "cache_read": 1, "gold": 1}}', "m: 'gold' is no price"),
        ('{"m": {"input": 1, "output": -2, "cache_read": 1}}', "m: output must be 0 or more, not -2"),
        (
            '{"m": {"input": 1, "output": 2, "cache_read": 1, "long_prompt": 5}}',
            "long_prompt is [tokens, input",
        ),
    ],
)
def test_a_price_file_with_a_fault(api: RemoteAPI, headway: Headway, text: str, said: str) -> None:
    headway.prompts(1)
    headway.write(text, "prices.json")
    ended = headway("run", "p.jsonl", "--prices", "prices.json")
    assert ended.status == 2
    assert said in ended.err
    assert api.stats().arrivals == 0


@pytest.mark.parametrize("text", ["", "x", "-1", "0", "5/week", "nan", "5/day/day"])
def test_a_cap_with_a_fault(api: RemoteAPI, headway: Headway, text: str) -> None:
    headway.prompts(1)
    ended = headway("run", "p.jsonl", f"--max-cost={text}")
    assert ended.status == 2
    assert "write a sum in US dollars: 5, 0.50, or 20/day" in ended.err


def test_a_cap_needs_prices(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(2)
    headway.prompts(1, start=3, model="my-own")
    ended = headway("run", "p.jsonl", "--max-cost", "1")
    assert ended.status == 2
    assert "p.jsonl:3: the price of 'my-own' is not known, so --max-cost cannot hold" in ended.err
    assert api.stats().arrivals == 0


def test_a_dry_run_sends_nothing_and_says_what_there_would_be_to_pay(
    api: RemoteAPI, headway: Headway
) -> None:
    path = headway.prompts(40)
    with path.open("a") as file:
        file.write('{"custom_id": "big", "prompt": "Say it", "max_tokens": 999999}\n{"prompt": ""}\n')
    ended = headway(
        "run", "p.jsonl", "--dry-run", "--limit", "requests=600,output=12k", "--expect-output", "100"
    )
    assert ended.status == 0, ended.err
    for text in (
        "41 requests to send",
        "1 line is no request, first p.jsonl:42: prompt: is empty",
        "the API counted a sample: ",
        "about 4.1k tokens (--expect-output), at most 1.04M tokens",
        "expected, $10.4",
        "$5.2",
        "about 20 s by the limit of output tokens/min, with answers as long as expected; not told: input tokens",
        "1 would be refused by the API",
        "at p.jsonl:41: max_tokens",
        "Nothing was sent.",
    ):
        assert text in ended.out, ended.out
    assert api.stats().arrivals == 0
    assert not list(headway.folder.glob("*results*")), "no file is made"


def test_a_dry_run_foresees_what_cache_and_dedupe_spare(api: RemoteAPI, headway: Headway) -> None:
    """Beside the bill of the run itself."""
    rules = "Be kind to reviewers. " * 400
    lines = [
        {"custom_id": f"p{n}", "prompt": f"Review {n % 40}: fine?", "max_tokens": 100} for n in range(60)
    ]
    headway.write("".join(json.dumps(line) + "\n" for line in lines))
    asked = ("run", "p.jsonl", "--system", rules)
    both = (*asked, "--cache", "auto", "--dedupe")
    limit = ("--dry-run", "--limit", "input=60k", "--expect-output", "50")
    hint = headway(*asked, *limit)
    assert "20 of them have the content of another one: --dedupe sends it once, which saves $0." in hint.out
    assert "without" not in hint.out and "read from it" not in hint.out
    ended = headway(*both, *limit)
    assert "40 requests to send" in ended.out
    assert "20 more have the content of another one: sent once (--dedupe)" in ended.out
    assert " tokens of the input are read from it (97 %), " in ended.out
    assert "without --cache auto --dedupe" in ended.out
    assert "with 30 % of the reads: in a batch they are not certain" in ended.out
    rows = {line[:10].strip(): line[10:] for line in ended.out.splitlines()}
    expected = float(rows["live"].split()[0].removeprefix("$"))
    assert api.stats().arrivals == 0
    assert headway(*both, "--no-progress", "--max-cost", "5").status == 0
    stats = api.stats()
    assert stats.served == 40
    answers = stats.output_tokens * SONNET[1]
    plain = stats.input_tokens - stats.cache_read_tokens - stats.cache_write_tokens
    paid = plain * 2e-6 + stats.cache_read_tokens * 0.2e-6 + stats.cache_write_tokens * 2.5e-6
    assert expected - 40 * 50 * SONNET[1] == pytest.approx(paid, rel=0.05)
    assert sum(row["headway"]["cost_usd"] for row in headway.results().values()) == pytest.approx(
        paid + answers
    )
    again = headway(*both, "--dry-run", "--offline")
    assert "0 requests to send" in again.out and "60 more are finished" in again.out
    headway.write(
        json.dumps({"custom_id": "new", "prompt": "Review 7: fine?", "max_tokens": 100}) + "\n", "more.jsonl"
    )
    more = headway(
        *asked[:1], "more.jsonl", *both[2:], "--dry-run", "--offline", "--journal", "p.results.jsonl.journal"
    )
    assert "0 requests to send" in more.out and "1 more has the content of another one" in more.out


def test_what_failed_before_is_sent_again_only_if_asked(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(4)
    api.set_faults((FaultRule(FaultKind.STATUS, status=400),))
    assert headway("run", "p.jsonl", "--no-progress").status == 1
    assert "0 requests to send" in headway("run", "p.jsonl", "--dry-run", "--offline").out
    assert "4 requests to send" in headway("run", "p.jsonl", "--dry-run", "--offline", "--retry-failed").out


def test_a_dry_run_after_a_run_knows_the_answers(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(10)
    assert headway("run", "p.jsonl", "-q").status == 0
    headway.prompts(5, start=11)
    mean = api.stats().output_tokens / 10
    ended = headway("run", "p.jsonl", "--dry-run", "--offline", "--max-cost", "0.01")
    assert "5 requests to send" in ended.out
    assert "10 more are finished in p.results.jsonl.journal" in ended.out
    assert f"about {round(5 * mean)} tokens (the mean of 10 answers in the journal)" in ended.out
    assert "not calibrated" in ended.out
    assert "$0.0100 is enough if answers are as long as expected" in ended.out
    assert "not known: no limits were told" in ended.out
    assert api.stats().other_calls == {}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--offline"], "--offline and --expect-output belong to --dry-run"),
        (["--dry-run", "--offline", "--limit", "account"], "--limit account asks the API"),
    ],
)
def test_dry_runs_that_cannot_be(headway: Headway, arguments: list[str], said: str) -> None:
    headway.prompts(1)
    ended = headway("run", "p.jsonl", *arguments)
    assert (ended.status, said in ended.err) == (2, True)


def test_costs_by_tag(api: RemoteAPI, headway: Headway) -> None:
    headway.write("tag,text\nblue,sky\nred,fire\nblue,sea\n,fog\n", "t.csv")
    ended = headway(
        "run", "t.csv", "--prompt", "{text} in {tag}", "--tag", "grey", "-o", "o.jsonl", "--no-progress"
    )
    assert ended.status == 0, ended.err
    tags = [row["headway"].get("tag") for row in headway.results("o.jsonl").values()]
    assert sorted(tags) == ["blue", "blue", "grey", "red"]
    assert "by tag    " in ended.out
    assert "blue: $0.00" in ended.out
    assert ", 2 answers" in ended.out
    params = {"model": "claude-haiku-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    named = [
        {"prompt": "x", "tenant": "acme"},
        {"custom_id": "b", "params": params, "tenant": 7},
        {"prompt": "y"},
    ]
    headway.write("".join(json.dumps(line) + "\n" for line in named), "n.jsonl")
    ended = headway("run", "n.jsonl", "--no-progress")
    assert "by tenant " in ended.out and "acme: $0" in ended.out and "7: $0" in ended.out, ended.out
    assert "warning" not in ended.err
    assert "acme" in headway("costs", "n.results.jsonl", "--by", "tenant").out
    shown = headway("results", "n.results.jsonl", "--tenant", "7", "-q").out
    assert json.loads(shown)["headway"]["tenant"] == "7"
    headway.write('{"prompt": "x", "tag": ["a"]}\n')
    assert "tag: must be a string, not list" in headway("run", "p.jsonl").err
