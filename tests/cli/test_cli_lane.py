"""``headway run --lane``: results, money and what is left, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

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
    ended = headway("run", "p.jsonl", "--no-progress", "--lane", "batch", "--no-check")
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
