"""What is said of a model that the API does not know."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.model_advice import KnownModel, advice, built_in

NOW = (
    KnownModel("claude-opus-5-5", "opus", "active", "2026-09-24T00:00:00Z"),
    KnownModel("claude-opus-4-1", "opus", "retired", "2025-08-05T00:00:00Z", "2026-08-05"),
    KnownModel("claude-sonnet-4-5", "sonnet", "deprecated", "2025-09-29T00:00:00Z", "2026-11-30"),
    KnownModel("claude-sonnet-5", "sonnet", "active", "2026-07-14T00:00:00Z"),
    KnownModel("claude-sonnet-5-5", "sonnet", "active", "2026-10-21T00:00:00Z"),
    KnownModel("nova-lite", None, "active", ""),
)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            "claude-sonet-5-5",
            "claude-sonet-5-5 does not exist: did you mean claude-sonnet-5-5? "
            "The newest active sonnet is claude-sonnet-5-5.",
        ),
        (
            "claude-opus-4-1",
            "claude-opus-4-1 is retired (2026-08-05). The newest active opus is claude-opus-5-5.",
        ),
        ("claude-sonnet-5-5", "claude-sonnet-5-5 exists, but it is not open to this key or workspace."),
        (
            "claude-sonnet-4-5",
            "claude-sonnet-4-5 is deprecated (2026-11-30) and is not served here any more, or not open to this "
            "key. The newest active sonnet is claude-sonnet-5-5.",
        ),
        (
            "claude-3-5-sonnet-20241022",
            "claude-3-5-sonnet-20241022 does not exist: did you mean claude-sonnet-5-5? "
            "The newest active sonnet is claude-sonnet-5-5.",
        ),
        ("gpt-4o", "gpt-4o does not exist."),
        ("nova-lit", "nova-lit does not exist: did you mean nova-lite?"),
    ],
)
def test_advice(model: str, said: str) -> None:
    assert advice(model, NOW) == said


def test_the_built_in_table_serves_when_there_is_no_list() -> None:
    assert "did you mean claude-sonnet-5-5?" in advice("claude-sonet-5-5", built_in())
    assert advice("claude-x", ()) == "claude-x does not exist."


@given(st.text(max_size=60))
def test_any_name_gets_an_answer(model: str) -> None:
    said = advice(model, NOW)
    assert said.startswith(model)
    assert "did you mean claude-opus-4-1" not in said, "nothing retired is recommended"
