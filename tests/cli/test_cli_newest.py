"""``--model newest:sonnet`` on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from headway.adapters.anthropic.models_cache import ModelsCache, cache_folder
from headway.core.listed_model import ListedModel
from headway.testing.fake_api import RemoteAPI


def test_it_is_said_what_it_stands_for_and_kept_for_the_next_run(api: RemoteAPI, headway) -> None:  # type: ignore[no-untyped-def]
    ended = headway("run", headway.prompts(2), "--model", "newest:haiku", "--no-progress")
    assert ended.status == 0
    assert "newest:haiku is claude-haiku-5-5" in ended.err
    models = {value["result"]["message"]["model"] for value in headway.results().values()}
    assert models == {"claude-haiku-5-5"}
    again = headway("run", headway.prompts(1, start=3), "--model", "claude-haiku-5-5", "--no-progress")
    assert again.status == 0, "the journal knows the id, not the wish"


def test_a_line_that_does_not_exist_is_bad_usage(api: RemoteAPI, headway) -> None:  # type: ignore[no-untyped-def]
    ended = headway("run", headway.prompts(1), "--model", "newest:sonet")
    assert ended.status == 2
    assert (
        "newest:sonet: no active model of that line; lines: fable, haiku, mythos, opus, sonnet" in ended.err
    )


def test_a_listing_of_today_counts(
    api: RemoteAPI,
    headway,  # type: ignore[no-untyped-def]
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.delenv("HEADWAY_CATALOG")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    only = [ListedModel("claude-haiku-4-5-20251001", "haiku", created="2025-10-15")]
    ModelsCache(api.base_url, cache_folder()).write(only)
    ended = headway("run", headway.prompts(1), "--model", "newest:haiku", "--no-progress")
    assert "newest:haiku is claude-haiku-4-5-20251001" in ended.err
    assert ended.status == 0
