"""``headway run --cache auto``: the shared beginning is written to the cache once, by the first job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headway.testing.fake_api import RemoteAPI

RULES = "Be kind to reviewers. " * 400


def test_one_pays_and_the_rest_reads(headway: Any, api: RemoteAPI, tmp_path: Path) -> None:
    headway.prompts(60)
    ended = headway("run", "p.jsonl", "--system", RULES, "--cache", "auto", "--no-progress")
    assert ended.status == 0, ended.err
    stats = api.stats()
    assert stats.served == 60
    assert stats.cache_read_tokens == 59 * stats.cache_write_tokens > 0
    assert f"({stats.cache_read_tokens:,} from the cache: 98 % hits)" in ended.out
    shown = headway.results()["p60"]["headway"]["repairs"]
    assert [change["path"] for change in shown] == ["system.cache_control"]
    again = headway("run", "p.jsonl", "--system", RULES, "--cache", "auto", "--no-progress")
    assert again.status == 0 and api.stats().served == 60


def test_an_unknown_way_is_refused(headway: Any, api: RemoteAPI) -> None:
    headway.prompts(1)
    ended = headway("run", "p.jsonl", "--cache", "always")
    assert ended.status == 2 and "--cache always: auto is the only way" in ended.err
