"""The catalogue corrected by the Models API, by prices of the user's own, and asked for what else there is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.catalog import BUILT_IN, Catalog, resolve_model
from headway.core.faults import RequestError
from headway.core.listed_model import ListedModel
from headway.core.model_facts import MODELS, Price
from headway.core.model_suggestion import suggest
from headway.core.nearest import likeness, nearest_names
from headway.core.request import build_request
from headway.core.usage import Usage

M = 1_000_000
DAY = "2027-01-15"


def listing(*models: ListedModel) -> Catalog:
    return BUILT_IN.with_models(models, DAY)


@pytest.mark.parametrize(
    ("line", "newest"),
    [
        ("sonnet", "claude-sonnet-5-5"),
        ("opus", "claude-opus-5-5"),
        ("haiku", "claude-haiku-5-5"),
        ("fable", "claude-fable-5-2"),
        ("mythos", "claude-mythos-5-2"),
    ],
)
def test_the_newest_of_a_line(line: str, newest: str) -> None:
    assert BUILT_IN.newest(line) == newest
    for name in (f"newest:{line}", f"newest:{line.upper()}", f"Newest: {line} ", f"newest:claude-{line}"):
        assert resolve_model(name) == newest


def test_an_id_is_no_line() -> None:
    assert resolve_model("claude-opus-4-6") == "claude-opus-4-6"
    assert resolve_model("anything") == "anything"
    for name in ("newest:", "newest:gpt", "newest:claude-sonnet-5"):
        with pytest.raises(RequestError, match=r"model: newest:.*lines: fable, haiku, mythos, opus, sonnet"):
            resolve_model(name)


def test_requests_are_built_with_ids_only() -> None:
    fresh = listing(ListedModel("claude-opus-6", "opus", created="2027-01-02"))
    request = build_request("Hi", {"model": "newest:opus", "max_tokens": 5}, {}, catalog=fresh)
    assert request.model == "claude-opus-6"
    assert build_request("Hi", {"max_tokens": 5}, {"model": "newest:opus"}).model == "claude-opus-5-5"
    with pytest.raises(RequestError, match="model"):
        build_request("Hi", {"model": "newest:sonet", "max_tokens": 5}, {})


def test_a_listing_corrects_what_the_table_says() -> None:
    told = ListedModel(
        "claude-opus-5-5", "opus", "deprecated", "2026-09-22", "2027-09-22", 2_000_000, 256_000,
        ("adaptive", "disabled"), images=True, pdfs=False,
    )  # fmt: skip
    facts = listing(told).find("us.anthropic.claude-opus-5-5-v1:0")
    assert facts is not None
    assert (facts.window, facts.max_output, facts.lifecycle, facts.retires) == (
        2_000_000,
        256_000,
        "deprecated",
        "2027-09-22",
    )
    assert (facts.thinking, facts.images, facts.pdf_pages, facts.listed) == (
        {"adaptive", "disabled"},
        600,
        0,
        True,
    )
    before = BUILT_IN.find("claude-opus-5-5")
    assert before is not None
    assert (facts.price, facts.group, facts.cache_minimum) == (
        before.price,
        before.group,
        before.cache_minimum,
    )
    assert before.lifecycle == "active", "the built-in table is not touched"


def test_what_the_listing_does_not_tell_stays() -> None:
    facts = listing(ListedModel("claude-haiku-4-5-20251001")).find("claude-haiku-4-5")
    assert facts is not None
    assert (facts.window, facts.max_output, facts.line, facts.created) == (
        200_000,
        64_000,
        "haiku",
        "2025-10-15",
    )
    assert facts.thinking == {"enabled", "disabled"}


def test_an_alias_has_the_facts_of_its_snapshot() -> None:
    fresh = listing(
        ListedModel("claude-sonnet-4-5-20250929", "sonnet", "retired", "2025-09-29", "2026-11-30")
    )
    for name in (
        "claude-sonnet-4-5",
        "claude-sonnet-4-5-20250929",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
    ):
        gone = fresh.retired(name)
        assert gone is not None
        assert (gone.line, gone.on) == ("sonnet", "2026-11-30")
        assert fresh.group(name) == "sonnet-4"


def test_a_model_newer_than_the_table_is_like_its_line_but_has_its_own_limits_and_no_price() -> None:
    fresh = listing(ListedModel("claude-opus-6-1", "opus", created="2027-01-10", max_output=300_000))
    facts = fresh.find("claude-opus-6-1")
    assert facts is not None
    assert (facts.prefill, facts.preserved_thinking, facts.forced_tool_choice) == (False, True, False)
    assert (facts.max_output, facts.window) == (300_000, 1_000_000)
    assert fresh.group("claude-opus-6-1") == "claude-opus-6-1"
    assert fresh.cost("claude-opus-6-1", Usage(input=M)) is None
    assert fresh.newest("opus") == "claude-opus-6-1"
    assert fresh.find("claude-opus-6") is None


def test_a_line_that_is_new_is_known_from_the_listing() -> None:
    fresh = listing(
        ListedModel("claude-saga-1", "saga", created="2027-01-01", window=500_000, max_output=9_000)
    )
    assert fresh.resolve("newest:saga") == "claude-saga-1"
    facts = fresh.find("claude-saga-1")
    assert facts is not None
    assert (facts.window, facts.max_output, facts.prefill) == (500_000, 9_000, True)
    assert "saga" in fresh.lines


def test_only_what_is_listed_is_proposed() -> None:
    fresh = listing(
        ListedModel("claude-sonnet-5", "sonnet", created="2026-06-30"),
        ListedModel("claude-sonnet-5-5", "sonnet", "retired", created="2026-09-28"),
    )
    assert fresh.ids == ("claude-sonnet-5",)
    assert fresh.newest("sonnet") == "claude-sonnet-5"
    assert fresh.newest("opus") is None
    assert fresh.nearest("claude-sonet-5-5") == ("claude-sonnet-5",)
    assert (
        suggest("claude-sonnet-5-5", fresh)
        == "claude-sonnet-5-5 was retired. The newest active sonnet is claude-sonnet-5."
    )


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("claude-sonet-5-5", "Did you mean claude-sonnet-5-5? The newest active sonnet is claude-sonnet-5-5."),
        ("claude-opus-4-1", "claude-opus-4-1 was retired on 2026-08-05. The newest active opus is claude-opus-5-5."),
        ("claude-5-sonnet", "Did you mean claude-sonnet-5 or claude-sonnet-5-5? "
            "The newest active sonnet is claude-sonnet-5-5."),
        ("claude-2.1", "claude-2.1 was retired on 2025-07-21. "
            "See https://platform.claude.com/docs/en/about-claude/models for the ids."),
        ("claude-opus-5-5", "It is a known model: this key may have no access to it, or this base URL may not "
            "serve it."),
        ("zzz", "See https://platform.claude.com/docs/en/about-claude/models for the ids."),
    ],
)  # fmt: skip
def test_what_is_said_about_a_model_that_does_not_answer(model: str, said: str) -> None:
    assert suggest(model) == said


def test_prices_of_the_users_own() -> None:
    mine = BUILT_IN.with_prices({"claude-haiku-4-5": Price(2, 8, 0.2), "my-model": Price(1, 1, 1)})
    for name in ("claude-haiku-4-5", "claude-haiku-4-5-20251001", "us.anthropic.claude-haiku-4-5-v1:0"):
        assert mine.cost(name, Usage(input=M, output=M)) == 10
    assert mine.cost("my-model", Usage(output=M)) == 1
    assert mine.group("my-model") == "my-model"
    assert mine.cost("claude-opus-5", Usage(input=M)) == 5
    assert BUILT_IN.cost("my-model", Usage(input=M)) is None
    again = mine.with_models([ListedModel("claude-haiku-4-5-20251001", "haiku")], DAY)
    assert again.cost("claude-haiku-4-5", Usage(input=M)) == 2


listed_models = st.builds(
    ListedModel,
    id=st.one_of(st.sampled_from([facts.prefix for facts in MODELS]), st.text(min_size=1, max_size=20)),
    line=st.one_of(st.none(), st.sampled_from(["opus", "haiku", "saga"])),
    lifecycle=st.sampled_from(["active", "deprecated", "retired", "sleeping"]),
    created=st.sampled_from(["", "2026-01-01", "2027-01-01"]),
    retires=st.one_of(st.none(), st.just("2027-02-01")),
    window=st.one_of(st.none(), st.integers(1, 10**7)),
    max_output=st.one_of(st.none(), st.integers(1, 10**6)),
    thinking=st.one_of(st.none(), st.just(()), st.just(("adaptive",))),
    images=st.one_of(st.none(), st.booleans()),
    pdfs=st.one_of(st.none(), st.booleans()),
)


@given(st.lists(listed_models, max_size=8, unique_by=lambda model: model.id), st.text(max_size=30))
def test_any_listing_makes_a_catalogue_that_answers(models: list[ListedModel], name: str) -> None:
    fresh = BUILT_IN.with_models(models, DAY)
    for model in models:
        facts = fresh.find(model.id)
        assert facts is not None
        assert facts.lifecycle == model.lifecycle or facts.prefix != model.id
    for line in fresh.lines:
        newest = fresh.newest(line)
        assert newest is None or newest in (fresh.ids or [facts.prefix for facts in fresh.models])
    assert isinstance(suggest(name, fresh), str)
    assert fresh.group(name) == name or fresh.find(name) is not None
    assert set(fresh.nearest(name)) <= set(fresh.ids or [facts.prefix for facts in MODELS])


@given(listed_models)
def test_a_listed_model_survives_the_disk(model: ListedModel) -> None:
    assert ListedModel.from_json(json.loads(json.dumps(model.to_json()))) == model


@pytest.mark.parametrize("data", [None, [], {}, {"id": 5}, {"id": ""}])
def test_other_data_is_no_listed_model(data: object) -> None:
    with pytest.raises(ValueError, match="model"):
        ListedModel.from_json(data)


def test_likeness() -> None:
    assert likeness("claude-sonnet-5.5", "claude-sonnet-5-5") == 1
    assert likeness("claude-5-sonnet", "claude-sonnet-5") > 0.9
    assert likeness("", "x") == likeness("!", "x") == 0
    assert nearest_names("gpt-4o", ["claude-opus-5"]) == ()
    assert nearest_names("claude-opus-5", ["claude-opus-4-8", "claude-opus-5"], 1) == ("claude-opus-5",)
