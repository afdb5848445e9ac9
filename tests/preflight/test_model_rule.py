"""Ids that are gone, going, mistyped, too new to be known, or somebody else's."""

from __future__ import annotations

import pytest
from parameter_bodies import ask, errors, mend, warnings

from headway.core.catalog import BUILT_IN
from headway.core.listed_model import ListedModel
from headway.preflight.check import check
from headway.preflight.facts import facts_for
from headway.preflight.finding import Finding, Severity
from headway.preflight.policy import RepairPolicy
from headway.preflight.repair import repair
from headway.preflight.rule import UnrepairableError


def judged(model: str, today: str = "2026-11-22", catalog=BUILT_IN) -> Finding | None:  # type: ignore[no-untyped-def]
    body = ask(model=model)
    found = [one for one in check(body, facts_for(body, today, catalog)) if one.rule == "model"]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize(
    ("model", "heir", "words"),
    [
        ("claude-3-5-sonnet-20241022", "claude-sonnet-5-5", "retired on 2025-10-28"),
        ("claude-3-5-haiku-latest", "claude-haiku-5-5", "retired on 2026-02-19"),
        ("claude-3-opus-20240229", "claude-opus-5-5", "retired on 2026-01-05"),
        ("claude-opus-4-1", "claude-opus-5-5", "retired on 2026-08-05"),
        ("claude-opus-4-20250514", "claude-opus-5-5", "retired on 2026-06-15"),
        ("anthropic.claude-3-haiku-20240307-v1:0", "claude-haiku-5-5", "retired"),
        ("claude-mythos-preview", "claude-mythos-5-2", "was to be retired on 2026-06-30"),
        ("claude-sonet-5-5", "claude-sonnet-5-5", "does not exist"),
        ("claude-sonnet-5.5", "claude-sonnet-5-5", "does not exist"),
        ("Claude Sonnet 5.5", "claude-sonnet-5-5", "does not exist"),
        ("claude_haiku_5_5", "claude-haiku-5-5", "does not exist"),
        ("claude-5-sonnet", "claude-sonnet-5", "does not exist"),
        ("sonnet", "claude-sonnet-5-5", "does not exist"),
        ("sonnet-5-5", "claude-sonnet-5-5", "does not exist"),
        ("claude-sonnet-4-6-latest", "claude-sonnet-4-6", "no id that is known"),
        ("claude-haiku-4-5-latest", "claude-haiku-4-5-20251001", "no id that is known"),
    ],
)
def test_what_does_not_answer_is_an_error_that_names_the_right_id(model: str, heir: str, words: str) -> None:
    found = judged(model)
    assert found is not None
    assert found.severity is Severity.ERROR
    assert words in str(found)
    assert heir in found.remedy
    mended = mend(ask(model=model))
    assert mended.body["model"] == heir
    assert [(one.rule, one.old, one.new) for one in mended.changes] == [("model", model, heir)]


@pytest.mark.parametrize(
    "model", ["claude-opus-4-4", "claude-sonnet-5-1", "claude-haiku", "claude-", "claude-2.1"]
)
def test_where_it_is_unclear_what_was_meant_the_user_chooses(model: str) -> None:
    found = judged(model)
    assert found is not None
    assert found.severity is Severity.ERROR
    if model in {"claude-2.1", "claude-"}:
        with pytest.raises(UnrepairableError):
            mend(ask(model=model))


@pytest.mark.parametrize(
    "model",
    ["claude-opus-5-6", "claude-sonnet-6", "claude-saga-1", "claude-haiku-6-20270101", "gpt-4o", "my-model"],
)
def test_what_may_exist_is_only_warned_about_and_never_changed(model: str) -> None:
    found = judged(model)
    assert found is not None
    assert found.severity is Severity.WARNING
    assert mend(ask(model=model)).body["model"] == model


def test_a_date_behind_an_id_that_has_none() -> None:
    found = judged("claude-sonnet-4-6-20260217")
    assert found is not None
    assert (found.severity, found.remedy) == (Severity.WARNING, "Use claude-sonnet-4-6.")


@pytest.mark.parametrize(
    "model",
    [
        "claude-sonnet-5-5", "claude-haiku-4-5", "claude-haiku-4-5-20251001", "claude-opus-4-5-20251101",
        "us.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-opus-4-5@20251101", "claude-fable-5-2",
    ],
)  # fmt: skip
def test_models_of_today_are_not_talked_about(model: str) -> None:
    assert judged(model) is None


def test_a_model_that_goes_is_warned_about_until_its_day() -> None:
    for day, severity in (
        ("2026-10-01", Severity.WARNING),
        ("2026-11-29", Severity.WARNING),
        ("2026-11-30", Severity.ERROR),
    ):
        found = judged("claude-sonnet-4-5-20250929", day)
        assert found is not None
        assert found.severity is severity
        assert "2026-11-30" in found.problem
        assert "claude-sonnet-5-5" in found.remedy
    body = ask(model="claude-sonnet-4-5")
    assert mend(body).body is body, "what still works is not changed"
    assert mend(body, "2026-12-01").body["model"] == "claude-sonnet-5-5"


def test_a_listing_knows_better_than_dates_and_spelling() -> None:
    listing = [
        ListedModel("claude-sonnet-4-5-20250929", "sonnet", "deprecated", "2025-09-29", "2026-11-30"),
        ListedModel(
            "claude-sonnet-6", "sonnet", created="2026-12-05", max_output=200_000, thinking=("adaptive",)
        ),
        ListedModel("claude-sonnet-5", "sonnet", "retired", "2026-06-30", "2026-12-01"),
    ]
    fresh = BUILT_IN.with_models(listing, "2026-12-10")
    assert judged("claude-sonnet-6", "2026-12-10", fresh) is None
    overdue = judged("claude-sonnet-4-5", "2026-12-10", fresh)
    assert overdue is not None
    assert (overdue.severity, "was to be retired" in overdue.problem) == (Severity.WARNING, True)
    gone = judged("claude-sonnet-5", "2026-12-10", fresh)
    assert gone is not None
    assert gone.severity is Severity.ERROR
    assert "claude-sonnet-6" in gone.remedy
    unknown = judged("claude-opus-9", "2026-12-10", fresh)
    assert unknown is not None
    assert unknown.severity is Severity.ERROR, "the API was asked, and does not have it"


def test_the_rules_after_it_judge_the_model_that_took_its_place() -> None:
    body = ask(
        model="claude-opus-4-1", thinking={"type": "enabled", "budget_tokens": 2000}, max_tokens=200_000
    )
    assert errors(body) == ["model:model"]
    mended = mend(body)
    assert mended.body["model"] == "claude-opus-5-5"
    assert mended.body["thinking"] == {"type": "adaptive"}
    assert mended.body["max_tokens"] == 128_000
    assert [one.rule for one in mended.changes] == ["model", "thinking", "max_tokens"]


def test_only_what_is_allowed_is_repaired() -> None:
    body = ask(model="claude-opus-4-1", temperature=1)
    mended = repair(body, facts_for(body), RepairPolicy(rules={"sampling": "repair"}))
    assert mended.body == ask(model="claude-opus-4-1")
    assert warnings(body) == []
