"""Bodies with every combination of parameters that the rules judge, and what the fake API says of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from headway.core.model_facts import MODELS
from headway.preflight.check import check
from headway.preflight.facts import facts_for
from headway.preflight.finding import Severity
from headway.preflight.policy import RepairPolicy
from headway.preflight.repair import repair
from headway.preflight.rule import Mended
from headway.testing.fake_api.body_rules import check_message
from headway.testing.fake_api.wire_error import WireError

Body = dict[str, Any]
VERSION = "2026-10-21"
TODAY = "2026-11-22"
ASK: Body = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 2048,
    "messages": [{"role": "user", "content": "How deep is the bucket?"}],
}
EVERYTHING = RepairPolicy("repair")


def ask(**changes: Any) -> Body:
    """A valid body with some parameters changed."""
    return ASK | changes


def refusal(body: Body) -> str | None:
    """What the fake API says against it."""
    try:
        check_message(body, VERSION)
    except WireError as error:
        return error.message
    return None


def errors(body: Body, today: str = TODAY) -> list[str]:
    """The rules' findings that would be refused."""
    found = check(body, facts_for(body, today))
    return [f"{one.rule}:{one.path}" for one in found if one.severity is Severity.ERROR]


def warnings(body: Body, today: str = TODAY) -> list[str]:
    found = check(body, facts_for(body, today))
    return [f"{one.rule}:{one.path}" for one in found if one.severity is Severity.WARNING]


def mend(body: Body, today: str = TODAY) -> Mended:
    """Everything repaired that the rules repair."""
    return repair(body, facts_for(body, today), EVERYTHING)


served = st.sampled_from([facts.prefix for facts in MODELS if facts.prefix != "claude-mythos-preview"])
models = st.one_of(
    served,
    st.sampled_from(
        [
            "claude-sonet-5-5",
            "claude-opus-4-1-20250805",
            "claude-sonnet-4-20250514",
            "claude-haiku-4-5-20251001",
        ]
    ),
)
thinking = st.one_of(
    st.builds(lambda kind: {"type": kind}, st.sampled_from(["adaptive", "between_tools", "disabled"])),
    st.builds(
        lambda budget: {"type": "enabled", "budget_tokens": budget},
        st.sampled_from([0, 1023, 1024, 2047, 2048, 5000, 127_999, 128_000, 500_000]),
    ),
)
choices = st.sampled_from(
    [
        {"type": "auto"},
        {"type": "any"},
        {"type": "none"},
        {"type": "tool", "name": "look_up"},
        {"type": "tool", "name": "look_up", "disable_parallel_tool_use": True},
        {"type": "tool", "name": "other"},
        {"type": "required"},
    ]
)
SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}}
definitions = st.sampled_from(
    [
        {"name": "look_up", "input_schema": SCHEMA},
        {"name": "look_up", "input_schema": SCHEMA, "cache_control": {"type": "ephemeral"}},
        {"name": "store", "input_schema": {"properties": {}}},
        {"name": "late", "input_schema": SCHEMA, "defer_loading": True},
        {
            "name": "late_2",
            "input_schema": SCHEMA,
            "defer_loading": True,
            "cache_control": {"type": "ephemeral"},
        },
        {"name": "list", "input_schema": {"type": "array"}},
        {"name": "a b", "input_schema": SCHEMA},
        {"type": "function", "function": {"name": "fn", "parameters": SCHEMA}},
        {"type": "web_search_20250305", "name": "web_search"},
    ]
)
controls = st.sampled_from([None, None, {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}])


def _block(control: object, kind: str) -> Body:
    block: Body = {"type": "text", "text": "word " * 30}
    if kind == "cited":
        block["citations"] = [{"type": "char_location", "cited_text": "word"}]
    if kind == "document":
        block = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}}
    if kind == "thinking":
        block = {"type": "thinking", "thinking": "hm", "signature": "s"}
    return block if control is None else block | {"cache_control": control}


def _turns(marks: list[tuple[object, str]], last: str = "text") -> list[Body]:
    answers = [_block(control, kind) for control, kind in marks]
    said = [{"role": "assistant", "content": answers}] if answers else []
    return [{"role": "user", "content": "Begin."}, *said, {"role": "user", "content": [_block(None, last)]}]


optional = {
    "temperature": st.sampled_from([0, 0.5, 1]),
    "top_p": st.just(0.9),
    "thinking": thinking,
    "tools": st.lists(definitions, min_size=1, max_size=4),
    "tool_choice": choices,
    "stop_sequences": st.lists(st.sampled_from(["END", "\n", "", "  x "]), max_size=3),
    "metadata": st.sampled_from([{}, {"user_id": "u-1"}, {"user_id": None}, {"user_id": "u", "team": "x"}]),
    "service_tier": st.sampled_from(["auto", "standard_only", "priority"]),
    "speed": st.sampled_from(["standard", "fast"]),
    "output_config": st.builds(
        lambda effort: {"effort": effort}, st.sampled_from(["low", "high", "xhigh", "max"])
    ),
    "cache_control": controls.filter(lambda control: control is not None),
    "system": st.lists(st.builds(_block, controls, st.just("text")), min_size=1, max_size=3),
}
bodies: st.SearchStrategy[Body] = st.builds(
    lambda model, cap, marks, last, more: (
        {"model": model, "max_tokens": cap, "messages": _turns(marks, last)} | more
    ),
    models,
    st.sampled_from([0, 1, 1024, 1025, 2048, 64_000, 64_001, 128_000, 200_000]),
    st.lists(st.tuples(controls, st.sampled_from(["text", "thinking", "cited", "document"])), max_size=4),
    st.sampled_from(["text", "cited", "document"]),
    st.fixed_dictionaries({}, optional=optional),
)
