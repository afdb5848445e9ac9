"""The catalogue from the Models API over real HTTP: asked once, shared, kept on disk for a day, never in the way."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import anyio
import pytest
from anthropic import AsyncAnthropicVertex
from anthropic_rig import Rig, Start, client_of

from headway.adapters.anthropic.models import AnthropicModels, list_models, listed
from headway.adapters.anthropic.models_cache import ModelsCache, cache_folder, cached_catalog
from headway.core.catalog import BUILT_IN
from headway.core.listed_model import ListedModel

pytestmark = pytest.mark.anyio
HOUR = 3600.0
CALL = "GET /v1/models"


class Clock:
    """Wall time that a test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HEADWAY_CATALOG")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def models_of(rig: Rig, clock: Clock) -> AnthropicModels:
    return AnthropicModels(rig.client, clock=clock)


async def test_everything_is_told_as_the_sdk_has_it(start: Start) -> None:
    rig = await start()
    models = {model.id: model for model in await list_models(rig.client)}
    assert models["claude-sonnet-4-5-20250929"] == ListedModel(
        "claude-sonnet-4-5-20250929", "sonnet", "deprecated", "2025-09-29", "2026-11-30", 200_000, 64_000,
        ("disabled", "enabled"), True, True,
    )  # fmt: skip
    assert models["claude-sonnet-5-5"].thinking == ("adaptive", "between_tools")
    assert models["claude-opus-4-1-20250805"].lifecycle == "retired"
    fresh = BUILT_IN.with_models(models.values(), "2026-11-22")
    for line in BUILT_IN.lines:
        assert fresh.newest(line) == BUILT_IN.newest(line)
    for facts in BUILT_IN.models:
        now = fresh.find(facts.prefix)
        assert now is not None
        told = (now.window, now.max_output, now.thinking, now.line, now.created, now.retires)
        table = (facts.window, facts.max_output, facts.thinking, facts.line, facts.created, facts.retires)
        assert told == table, "fake API and table are of the same day"


async def test_it_is_asked_once_a_day_and_many_share_one_question(start: Start, clock: Clock) -> None:
    rig = await start()
    models = models_of(rig, clock)
    assert models.catalog is BUILT_IN, "nothing is asked before there is a reason"
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(models.refresh)
    assert rig.api.stats.other_calls[CALL] == 1
    assert models.catalog.ids[0] in {"claude-fable-5-2", "claude-mythos-5-2"}
    clock.now += 23 * HOUR
    assert (await models.refresh()) is models.catalog
    assert rig.api.stats.other_calls[CALL] == 1
    clock.now += 2 * HOUR
    await models.refresh()
    assert rig.api.stats.other_calls[CALL] == 2


async def test_another_process_reads_it_from_disk(start: Start, clock: Clock, cache_home: Path) -> None:
    rig = await start()
    await models_of(rig, clock).refresh()
    catalog = await models_of(rig, clock).refresh()
    assert rig.api.stats.other_calls[CALL] == 1
    assert "claude-opus-5-5" in catalog.ids
    (file,) = (cache_home / "headway").iterdir()
    assert file.name.startswith("models-")
    assert "sk-test" not in file.read_text()
    assert "127.0.0.1" not in file.read_text()


async def test_two_base_urls_do_not_share(start: Start, clock: Clock) -> None:
    one, two = await start(), await start()
    for rig in (one, two):
        await models_of(rig, clock).refresh()
        assert rig.api.stats.other_calls[CALL] == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"version": 2}',
        b'{"version": 1, "at": "x", "models": []}',
        b"\xff\xfe",
        b"[" * 99999,
    ],
)
async def test_a_damaged_file_is_ignored_and_replaced(
    start: Start, clock: Clock, cache_home: Path, content: bytes
) -> None:
    rig = await start()
    cache = ModelsCache(str(rig.client.base_url), cache_folder())
    assert cache.path is not None
    cache.path.parent.mkdir()
    cache.path.write_bytes(content)
    assert "claude-opus-5-5" in (await models_of(rig, clock).refresh()).ids
    assert json.loads(cache.path.read_bytes())["version"] == 1


async def test_a_disk_that_cannot_be_used_does_no_harm(start: Start, clock: Clock, cache_home: Path) -> None:
    rig = await start()
    (cache_home / "headway").write_text("a file where a folder should be")
    assert "claude-opus-5-5" in (await models_of(rig, clock).refresh()).ids


async def test_turned_off_it_asks_nobody(start: Start, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = await start()
    monkeypatch.setenv("HEADWAY_CATALOG", "off")
    models = models_of(rig, clock)
    assert await models.refresh() is BUILT_IN
    assert "claude-sonnet-5-5" in await models.suggest("claude-sonet-5-5")
    assert not rig.api.stats.other_calls
    assert cache_folder() is None


async def test_an_api_that_cannot_be_asked_leaves_what_is_known(
    start: Start, backend: str, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    rig = await start(accepted_keys=frozenset({"another"}))
    caplog.set_level(logging.DEBUG, "headway")
    models = models_of(rig, clock)
    for _ in range(3):
        assert await models.refresh() is BUILT_IN
    assert rig.api.stats.other_calls[CALL] == 1, "not once for every job that fails"
    assert "sk-test" not in caplog.text
    clock.now += 301
    await models.refresh()
    assert rig.api.stats.other_calls[CALL] == 2
    async with client_of(backend, "http://127.0.0.1:9") as nobody:
        assert await AnthropicModels(nobody, clock=clock).refresh() is BUILT_IN


async def test_a_platform_without_a_models_endpoint(clock: Clock) -> None:
    client = AsyncAnthropicVertex(region="us-east5", project_id="p", access_token="t")
    assert await AnthropicModels(client, clock=clock).refresh() is BUILT_IN  # type: ignore[arg-type]


def test_what_a_gateway_leaves_out_is_unknown() -> None:
    class Bare:
        id = "claude-x"

    assert listed(Bare()) == ListedModel("claude-x")  # type: ignore[arg-type]


def test_commands_read_the_disk_without_asking(cache_home: Path) -> None:
    url = "https://api.example/"
    assert cached_catalog(url) is BUILT_IN
    cache = ModelsCache(url, cache_folder())
    cache.write([ListedModel("claude-opus-9", "opus", created="2027-01-01")])
    assert cached_catalog("https://api.example").newest("opus") == "claude-opus-9"
    assert cache.read(now=1.0) is None, "from the future: the clock was moved"
    assert cached_catalog("https://other.example") is BUILT_IN


def test_where_the_files_are() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "/x"}) == Path("/x/headway")
    for relative in ({}, {"XDG_CACHE_HOME": "here"}):
        assert cache_folder(relative) == Path.home() / ".cache" / "headway"
    for off in ("off", "OFF", "0", "false"):
        assert cache_folder({"HEADWAY_CATALOG": off, "XDG_CACHE_HOME": "/x"}) is None


async def test_suggestions_know_what_the_api_has(start: Start, clock: Clock) -> None:
    rig = await start()
    said = await models_of(rig, clock).suggest("claude-opus-4-1-20250805")
    assert (
        said
        == "claude-opus-4-1-20250805 was retired on 2026-08-05. The newest active opus is claude-opus-5-5."
    )
