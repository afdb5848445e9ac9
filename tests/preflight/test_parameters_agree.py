"""The rules and the API agree: what one finds the other refuses, and what is mended is accepted."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from parameter_bodies import ASK, Body, ask, bodies, errors, mend, refusal, warnings

from headway.preflight.check import check
from headway.preflight.facts import facts_for
from headway.preflight.rule import UnrepairableError


@given(bodies)
@settings(deadline=None)
def test_a_body_is_refused_just_when_a_rule_finds_an_error(body: Body) -> None:
    assert bool(errors(body)) == (refusal(body) is not None), (errors(body), refusal(body))


@given(bodies)
@settings(deadline=None)
def test_a_repaired_body_is_accepted_and_repair_is_idempotent(body: Body) -> None:
    before = copy.deepcopy(body)
    try:
        mended = mend(body)
    except UnrepairableError as error:
        assert str(error)
        assert errors(body), "only what is wrong is given up"
        return
    finally:
        assert body == before, "the caller's body is never touched"
    assert refusal(dict(mended.body)) is None, (errors(body), mended.changes)
    assert errors(dict(mended.body)) == []
    again = mend(dict(mended.body))
    assert again.changes == ()
    assert again.body == mended.body
    if not errors(body):
        assert mended.changes == ()
        assert mended.body == body


TEXT = {"type": "text", "text": "Hello"}
CASES = [
    ("max_tokens", ask(max_tokens=128_001), ask(max_tokens=128_000)),
    (
        "max_tokens",
        ask(model="claude-haiku-4-5", max_tokens=100_000),
        ask(model="claude-haiku-4-5", max_tokens=64_000),
    ),
    (
        "thinking",
        ask(thinking={"type": "enabled", "budget_tokens": 1500, "display": "omitted"}),
        ask(thinking={"type": "adaptive", "display": "omitted"}),
    ),
    ("thinking", ask(thinking={"type": "disabled"}), ask(thinking={"type": "between_tools"})),
    (
        "thinking",
        ask(model="claude-opus-5-5", thinking={"type": "disabled"}),
        ask(model="claude-opus-5-5"),
    ),
    (
        "thinking",
        ask(model="claude-opus-5", thinking={"type": "between_tools"}),
        ask(model="claude-opus-5", thinking={"type": "disabled"}),
    ),
    (
        "thinking",
        ask(model="claude-haiku-4-5", thinking={"type": "adaptive"}, max_tokens=8000),
        ask(model="claude-haiku-4-5", thinking={"type": "enabled", "budget_tokens": 4000}, max_tokens=8000),
    ),
    (
        "thinking",
        ask(model="claude-haiku-4-5", thinking={"type": "adaptive"}, max_tokens=1000),
        ask(model="claude-haiku-4-5", max_tokens=1000),
    ),
    (
        "thinking",
        ask(model="claude-opus-5", thinking={"type": "disabled"}, output_config={"effort": "max"}),
        ask(model="claude-opus-5", thinking={"type": "disabled"}, output_config={"effort": "high"}),
    ),
    (
        "max_tokens",
        ask(model="claude-haiku-4-5", thinking={"type": "enabled", "budget_tokens": 4000}, max_tokens=2000),
        ask(model="claude-haiku-4-5", thinking={"type": "enabled", "budget_tokens": 4000}, max_tokens=6000),
    ),
    (
        "max_tokens",
        ask(
            model="claude-haiku-4-5", thinking={"type": "enabled", "budget_tokens": 70_000}, max_tokens=64_000
        ),
        ask(
            model="claude-haiku-4-5", thinking={"type": "enabled", "budget_tokens": 32_000}, max_tokens=64_000
        ),
    ),
    (
        "max_tokens",
        ask(model="claude-haiku-4-5", thinking={"type": "enabled", "budget_tokens": 10}),
        ask(model="claude-haiku-4-5", thinking={"type": "enabled", "budget_tokens": 1024}),
    ),
    ("sampling", ask(temperature=0.2, top_k=5), ask()),
    ("stop_sequences", ask(stop_sequences=["\n\n", "END"]), ask(stop_sequences=["END"])),
    ("stop_sequences", ask(stop_sequences=[" "]), ask()),
    ("stop_sequences", ask(stop_sequences="END"), ask(stop_sequences=["END"])),
    ("metadata", ask(metadata={"user_id": "u", "run": 3}), ask(metadata={"user_id": "u"})),
    ("speed", ask(speed="fast"), ask()),
    ("service_tier", ask(service_tier="priority"), ask(service_tier="auto")),
    ("tool_choice", ask(tool_choice="auto"), ask(tool_choice={"type": "auto"})),
    (
        "api_version",
        ask(messages=[{"role": "user", "content": [TEXT | {"citations": [{"type": "char_location"}]}]}]),
        ask(messages=[{"role": "user", "content": [TEXT]}]),
    ),
]


@pytest.mark.parametrize(("rule", "body", "mended"), CASES)
def test_what_a_repair_makes_of_it(rule: str, body: Body, mended: Body) -> None:
    assert errors(body)
    assert {one.split(":")[0] for one in errors(body)} == {rule}
    found = mend(body)
    assert found.body == mended
    assert {change.rule for change in found.changes} == {rule}
    assert all(change.old != change.new for change in found.changes)


TOOL = {"name": "look_up", "input_schema": {"type": "object"}}


@pytest.mark.parametrize(
    ("body", "tools"),
    [
        (ask(tools=[TOOL, dict(TOOL)]), [TOOL]),
        (ask(tools=[{"name": "a", "input_schema": {}}]), [{"name": "a", "input_schema": {"type": "object"}}]),
        (
            ask(tools=[TOOL | {"defer_loading": True, "cache_control": {"type": "ephemeral"}}]),
            [TOOL | {"defer_loading": True}],
        ),
        (
            ask(
                tools=[
                    {"type": "function", "name": "f", "description": "d", "parameters": TOOL["input_schema"]}
                ]
            ),
            [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
        ),
    ],
)
def test_tools_are_mended_where_their_meaning_is_kept(body: Body, tools: list[Body]) -> None:
    assert refusal(body)
    assert mend(body).body["tools"] == tools


@pytest.mark.parametrize(
    "body",
    [
        ask(tools=[{"name": "a b", "input_schema": {"type": "object"}}]),
        ask(tools=[{"name": "x" * 65, "input_schema": {"type": "object"}}]),
        ask(tools=[TOOL, TOOL | {"description": "another"}]),
        ask(tools=[{"name": "a", "input_schema": {"type": "string"}}]),
        ask(tools=[{"name": "a"}]),
        ask(service_tier="batch"),
        ask(tools=[TOOL], tool_choice={"type": "tool", "name": "other"}, model="claude-opus-5"),
        ask(model="claude-haiku-4-5", max_tokens=0, thinking={"type": "enabled", "budget_tokens": 2000}),
    ],
)
def test_what_only_the_user_can_mend_is_given_up_with_the_reason(body: Body) -> None:
    assert refusal(body)
    with pytest.raises(UnrepairableError, match=r"tools\.|tool_choice|max_tokens|service_tier"):
        mend(body)


def test_a_forced_tool_is_left_to_the_model_where_forcing_is_refused() -> None:
    choice = {"type": "tool", "name": "look_up", "disable_parallel_tool_use": True}
    for model in ("claude-opus-5-5", "claude-fable-5-1"):
        mended = mend(ask(model=model, tools=[TOOL], tool_choice=choice))
        assert mended.body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert errors(ask(model="claude-fable-5", tools=[TOOL], tool_choice=choice)) == []


def test_old_models_elsewhere_still_take_sampling_parameters() -> None:
    for model in ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5@20251001"):
        assert errors(ask(model=model, temperature=0)) == []
        assert errors(ask(model=model.replace("haiku-4-5", "haiku-5-5"), temperature=0)) == [
            "sampling:temperature"
        ]


def test_the_betas_that_move_a_bound() -> None:
    thinks = {"type": "enabled", "budget_tokens": 50_000}
    body = ask(model="claude-opus-4-6", thinking=thinks)
    assert errors(body) == ["max_tokens:thinking.budget_tokens"]
    assert errors(body | {"betas": ["interleaved-thinking-2025-05-14"]}) == []
    assert errors(ask(max_tokens=300_000, betas=["output-300k-2026-03-24"])) == []
    assert errors(ask(max_tokens=300_001, betas=["output-300k-2026-03-24"])) == ["max_tokens:max_tokens"]


def test_unknown_parameters_are_warned_about_with_what_was_meant() -> None:
    assert warnings(ASK) == []
    assert warnings(ask(max_completion_tokens=5)) == ["parameters:max_completion_tokens"]
    assert warnings(ask(betas=["x"], context_management={}, container="c", temperature=None)) == []


def test_fast_mode_of_a_model_ends_on_a_day() -> None:
    body = ask(model="claude-opus-4-8", speed="fast")
    assert warnings(body) == ["speed:speed"]
    assert errors(body, "2026-11-30") == ["speed:speed"]
    assert errors(ask(model="claude-opus-5-5", speed="fast"), "2027-01-01") == []


@pytest.mark.parametrize(
    "body",
    [
        ask(thinking="on"),
        ask(thinking={"type": "deep"}),
        ask(tool_choice=7),
        ask(tools=["look_up"]),
        ask(stop_sequences=5),
        ask(stop_sequences=[5]),
        ask(metadata="me"),
        ask(cache_control="yes"),
        ask(system=[{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "2h"}}]),
        ask(model=7),
        ask(tools="none"),
        ask(messages=["text", {"role": "user", "content": [TEXT | {"citations": [1]}, 5]}]),
        ask(system=5, messages=7),
    ],
)
def test_values_of_the_wrong_kind_are_findings_and_never_crashes(body: Body) -> None:
    try:
        mended = mend(body)
    except UnrepairableError:
        return
    assert mended.changes == () or not errors(dict(mended.body))


def test_no_finding_quotes_what_it_should_not() -> None:
    secret = "SECRET " * 100
    body = ask(stop_sequences=[secret, " "], metadata={secret: 1}, service_tier=secret, **{secret: 1})
    for finding in check(body, facts_for(body)):
        assert len(str(finding)) < 700
