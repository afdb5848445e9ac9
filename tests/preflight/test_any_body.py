"""Whatever stands in a body: the rules answer with values and never crash, and leave the caller's body alone."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

from conversations import bodies, whole_bodies
from hypothesis import given, settings
from hypothesis import strategies as st
from parameter_bodies import ask, mend

from headway.preflight.batch import check_batch
from headway.preflight.cache_auto import CachePlacer
from headway.preflight.check import check
from headway.preflight.facts import facts_for
from headway.preflight.rule import UnrepairableError
from headway.preflight.rules import all_rules

WORDS = st.sampled_from(
    ["type", "text", "role", "user", "assistant", "content", "cache_control", "ephemeral", "ttl", "1h", "5m", "name",
     "input_schema", "object", "thinking", "enabled", "budget_tokens", "tool", "any", "function", "citations",
     "tool_result", "document", "claude-opus-5", "claude-haiku-4-5", "fast", "user_id", ""]
)  # fmt: skip
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-1, 200_000), st.floats(allow_nan=False), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=15,
)
keys = st.sampled_from(
    ["model", "max_tokens", "messages", "system", "tools", "tool_choice", "thinking", "cache_control", "metadata",
     "stop_sequences", "service_tier", "speed", "output_config", "temperature", "betas", "mcp_servers", "n"]
)  # fmt: skip
odd = st.dictionaries(keys, values, max_size=6)


@given(odd, st.booleans())
@settings(deadline=None)
def test_rules_never_crash(change: dict[str, Any], whole: bool) -> None:
    body = ask(**change) if whole else change
    before = copy.deepcopy(body)
    for finding in check(body, facts_for(body)):
        assert finding.path
        assert finding.remedy.endswith((".", "?")), finding
        assert not finding.problem.endswith(".")
    try:
        mended = mend(body)
    except UnrepairableError as error:
        assert str(error)
    else:
        assert mended.changes or mended.body == body
    assert body == before


@given(st.one_of(st.builds(ask), bodies(), whole_bodies()), odd, st.integers(0, 2))
@settings(deadline=None)
def test_rules_that_do_not_look_would_find_nothing(
    body: dict[str, Any], change: dict[str, Any], n: int
) -> None:
    body = body | {name: change[name] for name in sorted(change)[:n]}
    facts = facts_for(body)
    assert check(body, facts) == [finding for rule in all_rules() for finding in rule.check(body, facts)]


@given(st.lists(odd, max_size=4))
def test_placing_never_crashes(bodies: list[dict[str, Any]]) -> None:
    placer = CachePlacer()
    for body in bodies:
        placer.observe([body], facts_for(body))
        placer.place(body, facts_for(body))


@given(st.lists(values, max_size=4))
def test_checking_a_batch_never_crashes(items: list[Any]) -> None:
    for finding in check_batch(items):
        assert finding.path.startswith("requests")


BASE64 = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
RICH = ask(
    model="claude-opus-4-5",
    system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
    tools=[{"name": "f", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}}],
    tool_choice={"type": "tool", "name": "f"},
    thinking={"type": "enabled", "budget_tokens": 2000},
    messages=[
        {"role": "user", "content": [{"type": "image", "source": BASE64}, {"type": "text", "text": "Look."}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "…", "signature": "s"},
                {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {}, "caller": {"tool_id": "s1"}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [BASE64]}]},
        {"role": "system", "content": [{"type": "text", "text": "Be brief."}], "output_config": {}},
        {"role": "assistant", "content": "It "},
    ],
)


def _spoilt(value: Any) -> Iterator[Any]:
    """The value with an object that does not belong there in every place of it."""
    yield {"not": ["this"]}
    places = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for place, inner in places:
        for spoilt in _spoilt(inner):
            outer = copy.copy(value)
            outer[place] = spoilt
            yield outer


def test_no_place_of_a_conversation_is_taken_on_trust() -> None:
    for body in (spoilt for spoilt in _spoilt(RICH) if "messages" in spoilt):
        check(body, facts_for(body))
        with contextlib.suppress(UnrepairableError):
            mend(body)
