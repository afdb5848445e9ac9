"""``headway run --lane``: results, money and what is left, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headway.cli.progress import choose_progress
from headway.cli.run_command import RunOptions, make_plan
from headway.core.batching import Batching
from headway.testing.fake_api import INSTANT, FakeAPI, FakeConfig, FaultKind, FaultRule, RemoteAPI

if TYPE_CHECKING:
    from conftest import Headway


@pytest.fixture
def batch_api(monkeypatch: pytest.MonkeyPatch, api: RemoteAPI) -> Iterator[RemoteAPI]:
    with FakeAPI.in_thread(FakeConfig(latency=INSTANT, batch_seconds=0.01)) as own:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", own.base_url)
        yield own


def test_a_run_in_batches(batch_api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(40)
    headway.prompts(1, start=41, speed="fast")
    headway.prompts(1, start=42, custom_id="not / allowed there")
    ended = headway(
        "run", "p.jsonl", "--no-progress", "--lane", "batch", "--no-check", "--batch-queue", "100"
    )
    assert ended.status == 1, ended.out + ended.err
    assert "41 succeeded, 1 failed, 0 left" in ended.out
    assert "lanes     41 answers in batches for $0.0" in ended.out
    results = headway.results()
    assert results["p41"]["result"]["type"] == "errored"
    assert "speed: is not allowed in a batch" in results["p41"]["result"]["error"]["error"]["message"]
    done = [line for line in results.values() if line["result"]["type"] == "succeeded"]
    assert {line["headway"]["lane"] for line in done} == {"batch"}
    stats = batch_api.stats()
    assert (stats.arrivals, sum(stats.batch_billed.values()), len(stats.batches)) == (0, 41, 1)
    again = headway("run", "p.jsonl", "--no-progress", "--lane", "batch", "--no-check")
    assert "42 of them were finished before" in again.out
    assert len(batch_api.stats().batches) == 1


def test_the_size_of_the_queue_is_the_schedulers(tmp_path: Path, api: RemoteAPI) -> None:
    (tmp_path / "p.jsonl").write_text('{"prompt": "x"}\n', encoding="utf-8")
    for given, queued in ((70_000, 70_000), (None, Batching().max_queued)):
        options = RunOptions(input=tmp_path / "p.jsonl", output=tmp_path / "out.jsonl", batch_queue=given)
        plan = make_plan(options, choose_progress(wanted=False))
        plan.source.close()
        assert plan.batching.max_queued == queued


def test_a_run_that_stops_leaves_its_batch_to_the_next(batch_api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(5)
    batch_api.set_faults((FaultRule(FaultKind.STATUS, endpoint="batch_retrieve", status=401),))
    ended = headway("run", "p.jsonl", "--no-progress", "--lane", "batch")
    assert ended.status == 3
    (name,) = batch_api.stats().batches
    assert f"batches   1 goes on, and the next run takes the results: {name}" in ended.out
    batch_api.set_faults(())
    again = headway("run", "p.jsonl", "--no-progress")
    assert "5 succeeded, 0 failed, 0 left" in again.out
    assert "0 sent" in again.out
    assert len(batch_api.stats().batches) == 1
    assert not any(line["headway"].get("maybe_billed") for line in headway.results().values())


def test_auto_stays_live_where_that_is_quick(batch_api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(5)
    ended = headway("run", "p.jsonl", "--no-progress", "--lane", "auto", "--deadline", "6h")
    assert "5 succeeded" in ended.out
    assert not batch_api.stats().batches
    assert headway("run", "p.jsonl", "--deadline", "soon").status == 2


def left_in_a_batch(api: RemoteAPI, headway: Headway, jobs: int, *faults: FaultRule) -> str:
    """A run that could create its batch and was then refused every look at it; its items have these faults."""
    for number in range(1, jobs + 1):
        headway.prompts(1, start=number, metadata={"user_id": f"p{number}"})
    api.set_faults((FaultRule(FaultKind.STATUS, endpoint="batch_retrieve", status=401), *faults))
    assert headway("run", "p.jsonl", "--no-progress", "--lane", "batch").status == 3
    api.set_faults(faults)
    (headway.folder / "p.jsonl").unlink()
    return next(iter(api.stats().batches))


def test_batches_are_resumed_from_the_journal_alone(batch_api: RemoteAPI, headway: Headway) -> None:
    name = left_in_a_batch(batch_api, headway, 12)
    listed = json.loads(headway("batches", "list", "--json", "--journal", "p.results.jsonl").out)
    assert (listed["id"], listed["jobs_waiting"], listed["strays"]) == (name, 12, 0)
    (headway.folder / "other.jsonl").write_text('{"custom_id": "else"}\n')
    refused = headway("batches", "resume", "p.results.jsonl", "-o", "other.jsonl")
    assert (refused.status, "does not hold results of this journal" in refused.err) == (2, True)
    ended = headway("batches", "resume", "p.results.jsonl", "-o", "p.results.jsonl", "--no-progress")
    assert ended.status == 0, ended.out + ended.err
    assert "12 succeeded, 0 failed, 0 left" in ended.out
    assert "0 sent" in ended.out
    lines = headway.results().values()
    assert {(line["result"]["type"], line["headway"]["lane"]) for line in lines} == {("succeeded", "batch")}
    stats = batch_api.stats()
    assert (stats.arrivals, len(stats.batches), set(stats.batch_billed.values())) == (0, 1, {1})
    again = headway("batches", "resume", "p.results.jsonl", "--no-progress")
    assert (again.status, "0 succeeded, 0 failed, 0 left" in again.out) == (0, True)
    assert headway("batches", "resume", "nowhere.journal").status == 2


def test_what_expired_goes_live_or_stays(batch_api: RemoteAPI, headway: Headway) -> None:
    left_in_a_batch(
        batch_api, headway, 4, FaultRule(FaultKind.STATUS, endpoint="batch_item", job="p2", status=500)
    )
    stays = headway("batches", "resume", "p.results.jsonl", "--no-live", "--no-progress")
    assert (stays.status, "3 succeeded, 0 failed, 1 left" in stays.out) == (3, True), stays.out
    assert "1 unfinished job of this journal is in no batch: headway run sends them" in stays.out
    assert batch_api.stats().arrivals == 0
    again = headway("batches", "resume", "p.results.jsonl", "--no-progress")
    assert (again.status, "0 succeeded, 0 failed, 0 left" in again.out) == (0, True), "it is in no batch"


def test_what_a_batch_brought_no_answer_for_is_sent_live(batch_api: RemoteAPI, headway: Headway) -> None:
    fault = FaultRule(FaultKind.STATUS, endpoint="batch_item", job="p2", status=500)
    left_in_a_batch(batch_api, headway, 4, fault)
    ended = headway("batches", "resume", "p.results.jsonl", "-o", "all.csv", "--no-progress")
    assert (ended.status, "4 succeeded, 0 failed, 0 left" in ended.out) == (0, True), ended.out + ended.err
    assert "1 answer live" in ended.out
    assert batch_api.stats().arrivals == 1
    assert len((headway.folder / "all.csv").read_text().splitlines()) == 5


def item(name: object, **params: object) -> str:
    messages = [{"role": "user", "content": "Hi"}]
    body = {"model": "claude-haiku-4-5", "max_tokens": 16, "messages": messages, **params}
    return json.dumps({"custom_id": name, "params": body}) + "\n"


def test_what_no_batch_can_carry_is_told_and_the_rest_goes(batch_api: RemoteAPI, headway: Headway) -> None:
    unfit = {
        "stream": ({"stream": True}, "stream: submit returns whole messages"),
        "speed": ({"speed": "fast"}, "speed: is not allowed in a batch"),
        "thread": ({"thread": {"type": "create"}}, "thread: is not allowed in a batch"),
        "none": ({"max_tokens": 0}, "max_tokens: 0 is not allowed in a batch"),
    }
    good = ["fine", "zwei Wörter/drei", "x" * 200, "日本"]
    wrong = [item("fine"), item(7), item("")]
    lines = [item(name) for name in good] + [item(name, **more) for name, (more, _) in unfit.items()]
    headway.write("".join(lines + wrong))
    ended = headway("run", "p.jsonl", "--no-progress", "--lane", "batch", "--no-check")
    assert (ended.status, "4 succeeded, 7 failed, 0 left" in ended.out) == (1, True), ended.out + ended.err
    assert "p.jsonl:5: stream: submit returns whole messages" in ended.err
    assert "p.jsonl:9: custom_id 'fine' was used on an earlier line" in ended.err
    assert "4 lines will fail without being sent; the rest goes" in ended.err
    strict = headway("run", "p.jsonl", "-o", "none.jsonl", "--lane", "batch", "--strict")
    assert (strict.status, "Nothing was sent." in strict.err) == (2, True), "nor with --strict"
    results = headway.results()
    assert [results[name]["result"]["type"] for name in good] == ["succeeded"] * 4
    assert all(unfit[name][1] in json.dumps(results[name]["result"]) for name in unfit), "under their own ids"
    said = [json.dumps(line["result"]) for line in results.values() if line["result"]["type"] == "errored"]
    reasons = [reason for _, reason in unfit.values()] + ["custom_id 'fine' was used on an earlier line"]
    assert [sum(reason in text for text in said) for reason in reasons] == [1] * 5
    assert sum("must be a text that is not empty" in text for text in said) == 2
    stats = batch_api.stats()
    assert [len(batch.custom_ids) for batch in stats.batches.values()] == [4]
    assert (stats.arrivals, stats.other_calls["POST /v1/messages/batches"]) == (0, 1), (
        "told before, not after"
    )


@pytest.mark.parametrize(("status", "times"), [(413, 3), (400, None)])
def test_a_batch_that_is_refused_whole(
    batch_api: RemoteAPI, headway: Headway, status: int, times: int | None
) -> None:
    headway.prompts(4)
    fault = FaultRule(
        FaultKind.STATUS, endpoint="batch_create", status=status, count=times, message="too much"
    )
    batch_api.set_faults((fault,))
    ended = headway("run", "p.jsonl", "--no-progress", "--lane", "batch")
    sizes = [len(batch.custom_ids) for batch in batch_api.stats().batches.values()]
    if times:
        assert (ended.status, sizes) == (0, [1] * 4), "halves of halves"
    else:
        assert (ended.status, sizes) == (1, [])
        assert all("too much" in str(line["result"]["error"]) for line in headway.results().values())
        assert batch_api.stats().other_calls["POST /v1/messages/batches"] == 7


def test_results_that_belong_to_no_job_are_kept_and_told(batch_api: RemoteAPI, headway: Headway) -> None:
    for number in range(1, 6):
        headway.prompts(1, start=number, metadata={"user_id": f"p{number}"})
    batch_api.set_faults((FaultRule(FaultKind.BODY_SHAPE, endpoint="batch_item", job="p3"),))
    ended = headway("run", "p.jsonl", "--no-progress", "--lane", "batch")
    assert "4 succeeded, 1 failed, 0 left" in ended.out
    assert "1 result of a batch belonged to no job; kept in the journal" in ended.out
    (name,) = batch_api.stats().batches
    stray = json.loads(headway("batches", "strays", "p.results.jsonl").out)
    assert stray == {"batch_id": name, "custom_id": "", "line": "{}"}
    assert "1 stray result" in headway("batches", "list", "--journal", "p.results.jsonl").out
    assert headway.results()["p3"]["headway"]["kind"] == "batch_lost"
