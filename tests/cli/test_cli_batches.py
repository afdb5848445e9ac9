"""``headway batches``: the batches of the account, at the fake API."""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from headway.testing.fake_api import INSTANT, FakeAPI, FakeConfig, FaultKind, FaultRule, RemoteAPI

if TYPE_CHECKING:
    from conftest import Headway

CANARY = "sk-ant-canary-0123456789"
"""As in conftest."""
DAY = 86_400


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RemoteAPI]:
    """The clock of its batches stands as good as still: only ``pass_time`` moves it."""
    monkeypatch.setattr(httpx2, "create_ssl_context", functools.cache(httpx2.create_ssl_context))
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path / "none"))
    with FakeAPI.in_thread(FakeConfig(latency=INSTANT, batch_time_scale=1e-9)) as api:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", api.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
        yield api


def create(api: RemoteAPI, *names: str, **params: object) -> str:
    body = {"model": "claude-sonnet-5-5", "max_tokens": 20, "messages": [{"role": "user", "content": "Hi"}]}
    items = [
        {"custom_id": name, "params": {**body, "metadata": {"user_id": name}, **params}} for name in names
    ]
    headers = {"x-api-key": "k", "anthropic-version": "2026-10-21"}
    url = f"{api.base_url}/v1/messages/batches"
    made = httpx2.post(url, json={"requests": items}, headers=headers, verify=False).json()
    return made["id"]


def test_list_cancel_and_results(api: RemoteAPI, headway: Headway):
    assert headway("batches").out == "no batches\n"
    done = create(api, "a", "b", "c", "hot")
    api.set_faults((FaultRule(FaultKind.STATUS, endpoint="batch_item", job="hot", status=400),))
    api.pass_time(2)
    running = create(api, "x", "y")
    listed = headway("batches", "list").out.splitlines()
    assert [line.split()[0] for line in listed] == [running, done]
    assert "in_progress" in listed[0]
    assert (
        "2 requests; expires in 24 h 00 min" in listed[0] or "2 requests; expires in 23 h 59 min" in listed[0]
    )
    assert "ended" in listed[1]
    assert "4 requests: 3 succeeded, 1 errored; results for 29 days" in listed[1]
    assert headway("batches").out.splitlines()[1] == listed[1]
    assert headway("batches", "list", "-n", "1", "--running").out.split()[0] == running
    found = [json.loads(line) for line in headway("batches", "list", "--json").out.splitlines()]
    assert [batch["processing_status"] for batch in found] == ["in_progress", "ended"]
    assert found[1]["request_counts"]["succeeded"] == 3

    early = headway("batches", "results", running)
    assert (early.status, early.out) == (1, "")
    assert "in_progress; it has results when it has ended" in early.err
    ended = headway("batches", "results", done)
    assert ended.status == 0
    lines = {line["custom_id"]: line["result"] for line in map(json.loads, ended.out.splitlines())}
    assert {name: result["type"] for name, result in lines.items()} == {
        "a": "succeeded", "b": "succeeded", "c": "succeeded", "hot": "errored",
    }  # fmt: skip
    assert "4 results: 1 errored, 3 succeeded" in ended.err

    cancelled = headway("batches", "cancel", running, done, "msgbatch_none")
    assert cancelled.status == 1
    assert cancelled.out.startswith(f"{running}  canceling  2 requests")
    assert "already ended" in cancelled.err
    assert "not found: msgbatch_none" in cancelled.err
    api.pass_time(30 * DAY)
    assert "archived" in headway("batches").out
    gone = headway("batches", "results", done)
    assert (gone.status, "kept for 29 days" in gone.err) == (1, True)


def test_results_to_a_file_survive_what_breaks_on_the_way(
    api: RemoteAPI, headway: Headway, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("headway.cli.batch_calls.random.random", lambda: 0.0)  # full jitter: no wait
    names = [f"n{number}" for number in range(40)]
    batch = create(api, *names)
    api.set_faults(
        (
            FaultRule(FaultKind.BODY_CUT, endpoint="batch_results", attempts="first"),
            FaultRule(FaultKind.BODY_MALFORMED, endpoint="batch_item", job="n7"),
        )
    )
    api.pass_time(2)
    ended = headway("batches", "results", batch, "-o", "r.jsonl.gz")
    assert (ended.status, ended.out) == (0, "")
    assert "40 results to r.jsonl.gz: 39 succeeded, 1 unreadable" in ended.err
    lines = gzip.decompress((headway.folder / "r.jsonl.gz").read_bytes()).splitlines()
    assert sorted(line.split(b'"')[3].decode() for line in lines) == sorted(names)
    assert [path.name for path in headway.folder.iterdir()] == ["r.jsonl.gz"]
    missing = headway("batches", "results", "msgbatch_none", "-o", "no.jsonl")
    assert (missing.status, (headway.folder / "no.jsonl").exists()) == (1, False)


def test_a_refused_key_and_a_missing_one(api: RemoteAPI, headway: Headway, monkeypatch: pytest.MonkeyPatch):
    assert "an ID is empty" in headway("batches", "results", "").err
    api.set_faults((FaultRule(FaultKind.STATUS, endpoint="batch_list", status=401),))
    refused = headway("batches")
    assert (refused.status, "ANTHROPIC_API_KEY" in refused.err) == (3, True)
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    missing = headway("batches", "list")
    assert (missing.status, "no API key" in missing.err) == (2, True)
