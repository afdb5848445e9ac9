"""The request that continues a broken answer."""

from __future__ import annotations

from typing import cast

import pytest

from headway.core.catalog import BUILT_IN
from headway.core.partial import Kept
from headway.core.request import Request, build_request
from headway.core.resume import CONTINUE, resumed
from headway.testing.fake_api.body_rules import check_message
from headway.testing.fake_api.catalog import MODELS
from headway.testing.fake_api.wire_error import WireError

VERSION = "2026-10-21"


def request(**params: object) -> Request:
    return build_request("Tell me.", {"model": "m", "max_tokens": 100}, params)


def test_old_models_continue_a_prefill() -> None:
    again = resumed(request(), Kept(1, True, ("Once upon ",)), 3, prefill=True)
    assert again is not None
    assert again.params["messages"] == [
        {"role": "user", "content": "Tell me."},
        {"role": "assistant", "content": [{"type": "text", "text": "Once upon"}]},
    ]
    assert again.max_tokens == 97


def test_new_models_are_asked() -> None:
    again = resumed(request(), Kept(1, True, ("Once upon ",)), 3, prefill=False)
    assert again is not None
    messages = again.params["messages"]
    assert isinstance(messages, list)
    assert messages[1:] == [
        {"role": "assistant", "content": [{"type": "text", "text": "Once upon"}]},
        {"role": "user", "content": CONTINUE.format(end="Once upon")},
    ]
    assert "Your previous response was interrupted and ended with [Once upon]." in CONTINUE.format(
        end="Once upon"
    )


@pytest.mark.parametrize("content", ["{", [{"type": "text", "text": "{"}]])
def test_a_prefill_of_the_caller_goes_on_without_a_seam(content: object) -> None:
    given = build_request(
        [{"role": "user", "content": "JSON"}, {"role": "assistant", "content": content}],
        {"model": "m", "max_tokens": 10},
        {},
    )
    again = resumed(given, Kept(1, True, ('"a": 1',)), 50, prefill=True)
    assert again is not None
    last = again.params["messages"][-1]["content"]  # type: ignore[index]
    assert last == '{"a": 1' or last == [{"type": "text", "text": '{"a": 1'}]
    assert again.max_tokens == 1


def test_what_cannot_be_resumed() -> None:
    schema = {"format": {"type": "json_schema", "schema": {}}}
    assert resumed(request(output_config=schema), Kept(1, True, ("{",)), 1, prefill=True) is None
    assert resumed(request(), Kept(0, False), 0, prefill=True) is None
    assert resumed(request(), Kept(1, True, (" \n",)), 0, prefill=True) is None


def test_a_type_of_structured_output_is_not_resumed_either() -> None:
    for params in ({"output_format": dict}, {"output_format": {"type": "json_schema", "schema": {}}}):
        assert resumed(request(**params), Kept(1, True, ("{",)), 1, prefill=True) is None


ASK: dict[str, object] = {"role": "user", "content": "Tell me."}
CACHED = {"type": "text", "text": "Long. " * 2000, "cache_control": {"type": "ephemeral"}}
CALLED: list[dict[str, object]] = [
    {"role": "user", "content": [CACHED]},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "4"}]},
]
TOOL = {"name": "look", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}}
BODIES: list[dict[str, object]] = [
    {"messages": [ASK]},
    {"messages": [ASK], "max_tokens": 1100, "thinking": {"type": "enabled", "budget_tokens": 1024}},
    {"messages": [ASK], "thinking": {"type": "adaptive"}},
    {"messages": CALLED, "tools": [TOOL], "tool_choice": {"type": "auto"}, "system": [CACHED]},
    {"messages": CALLED, "tools": [TOOL], "thinking": {"type": "enabled", "budget_tokens": 2000}},
    {"messages": [ASK], "system": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    {"messages": [ASK, {"role": "assistant", "content": [{"type": "text", "text": "So"}]}]},
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("model", sorted(MODELS))
def test_a_continuation_is_accepted_where_the_request_was_and_keeps_its_prefix(
    model: str, body: dict[str, object]
) -> None:
    asked = {"model": model, "max_tokens": 4000, **body}
    try:
        check_message(asked, VERSION)
    except WireError:
        return  # this model does not take the request itself
    facts = BUILT_IN.find(model)
    assert facts is not None
    kept = Kept(2, True, ("Once. ", " \n", "Upon a time "))
    again = resumed(Request(asked), kept, 500, prefill=facts.prefill)
    assert again is not None
    check_message(again.params, VERSION)  # type: ignore[arg-type]
    changed = {name for name in asked if again.params[name] != asked[name]}
    assert changed == {"messages", "max_tokens"}
    given, sent = cast("list[dict[str, object]]", asked["messages"]), again.params["messages"]
    own = given[-1]["role"] == "assistant"
    assert cast("list[object]", sent)[: len(given) - own] == given[: len(given) - own]
    thinks = cast("dict[str, int]", asked.get("thinking") or {}).get("budget_tokens")
    assert again.max_tokens == max(asked["max_tokens"] - 500, (thinks or 0) + 1)  # type: ignore[operator]
    # With a thinking budget the API wants an assistant turn at the end to begin with thinking.
    prefilled = cast("list[dict[str, object]]", sent)[-1]["role"] == "assistant"
    assert prefilled == (facts.prefill and thinks is None)
