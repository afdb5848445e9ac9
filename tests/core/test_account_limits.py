"""Groups and limits of an account as values: which budget a model belongs to, and what is told of it."""

from __future__ import annotations

import pytest

from headway import AccountLimits, GroupLimits, Limits
from headway.core.account_limits import told_for, told_group
from headway.core.catalog import group_of

OPUS = GroupLimits("rlg_1", "Claude Opus 4.x", ("claude-opus-4-8", "claude-opus-4-5-20251101"), Limits(50))
HAIKU = GroupLimits(
    "rlg_2", "Claude Haiku", ("claude-haiku-4-5", "claude-haiku-5-5"), Limits(60), Limits(input=7)
)
NEW = GroupLimits("rlg_3", "Claude Novella", ("claude-novella-1",), Limits(70))
ACCOUNT = AccountLimits((OPUS, HAIKU, NEW))


@pytest.mark.parametrize(
    ("model", "group", "requests"),
    [
        pytest.param("claude-opus-4-8", "opus-4", 50, id="the built-in name where the table agrees"),
        pytest.param("claude-opus-4-5", "opus-4", None, id="not listed: the table's group, which is listed"),
        pytest.param("claude-haiku-5-5", "Claude Haiku", 60, id="two groups of the table are one here"),
        pytest.param("claude-haiku-5-5-20261028", "Claude Haiku", 60, id="a dated id of a listed model"),
        pytest.param("eu.anthropic.claude-haiku-4-5-20251001-v1:0", "Claude Haiku", 60, id="a platform's id"),
        pytest.param("claude-novella-1", "Claude Novella", 70, id="unknown to the table"),
        pytest.param("claude-sonnet-5", "sonnet-5", None, id="not listed"),
        pytest.param("gpt-oss", "gpt-oss", None, id="known to nobody"),
    ],
)
def test_groups(model: str, group: str, requests: float | None) -> None:
    assert ACCOUNT.group_of(model) == told_group(ACCOUNT, model) == group
    if model != "claude-opus-4-5":
        assert ACCOUNT.of(group).requests == requests


def test_fast_mode_has_limits_of_its_own() -> None:
    assert told_for(ACCOUNT, "Claude Haiku", "fast") == Limits(input=7)
    assert told_for(ACCOUNT, "opus-4", "fast") == Limits()


def test_one_set_of_limits_is_for_all() -> None:
    limits = Limits(5)
    assert told_for(limits, "opus-4") is told_for(limits, "whatever", "fast") is limits
    assert told_group(limits, "claude-opus-4-6") == group_of("claude-opus-4-6")


def test_a_share_is_of_every_group_listed_or_not() -> None:
    half = ACCOUNT.share(0.5)
    assert [half.of(name).share for name in ("opus-4", "Claude Haiku", "sonnet-5")] == [0.5] * 3
    assert half.of("Claude Haiku", "fast") == Limits(input=7, share=0.5)
    assert half.share(1.0) == ACCOUNT
    with pytest.raises(ValueError, match="share must be above 0"):
        ACCOUNT.share(0)


def test_groups_that_the_table_takes_for_one_get_names_that_differ() -> None:
    groups = AccountLimits(
        (
            GroupLimits("rlg_a", "Claude Opus", ("claude-opus-4-8",)),
            GroupLimits("rlg_b", "Claude Opus", ("claude-opus-4-7",)),
            GroupLimits("rlg_c", "", ("claude-opus-4-6",)),
        )
    ).groups
    assert [group.name for group in groups] == ["Claude Opus", "rlg_b", "rlg_c"]


def test_a_model_in_two_groups_belongs_to_the_first() -> None:
    account = AccountLimits((OPUS, GroupLimits("rlg_9", "Again", ("claude-opus-4-8", "x"))))
    assert account.group_of("claude-opus-4-8") == account.groups[0].name


def test_it_is_a_value() -> None:
    assert AccountLimits((OPUS, HAIKU, NEW)) == ACCOUNT
    assert "_by_model" not in repr(ACCOUNT)
