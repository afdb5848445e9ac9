"""Breakpoints: how many, where, for how long, and which of too many goes."""

from __future__ import annotations

from typing import Any

import pytest
from parameter_bodies import Body, ask, errors, mend, refusal, warnings

from headway.preflight.rule import UnrepairableError

FIVE: Body = {"type": "ephemeral"}
HOUR: Body = {"type": "ephemeral", "ttl": "1h"}
LONG = "word " * 3000


def text(words: str = LONG, control: Body | None = None) -> Body:
    return {"type": "text", "text": words} | ({} if control is None else {"cache_control": control})


def user(*blocks: Body) -> Body:
    return {"role": "user", "content": list(blocks)}


def marks(body: Any, at: str = "") -> list[str]:
    """Paths of all breakpoints, sorted."""
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    here = [at.strip(".")] if isinstance(body, dict) and body.get("cache_control") else []
    deeper = [path for key, value in items if key != "cache_control" for path in marks(value, f"{at}.{key}")]
    return sorted(here + deeper)


TOOL: Body = {"name": "f", "input_schema": {"type": "object"}, "description": LONG}
FULL: Body = ask(
    tools=[TOOL | {"cache_control": FIVE}],
    system=[text("short", FIVE), text(LONG, FIVE)],
    messages=[user(text(LONG, FIVE)), {"role": "assistant", "content": "Yes."}, user(text("Go on.", FIVE))],
)


def test_of_too_many_the_one_that_adds_least_goes_and_the_last_stays() -> None:
    assert errors(FULL) == ["cache:messages.2.content.0.cache_control"]
    assert refusal(FULL) == "A maximum of 4 blocks with cache_control may be provided. Found 5."
    mended = mend(FULL)
    assert marks(mended.body) == ["messages.0.content.0", "messages.2.content.0", "system.1", "tools.0"]
    assert [one.path for one in mended.changes] == ["system.0.cache_control"]


def test_one_below_the_minimum_goes_first() -> None:
    body = FULL | {"tools": [TOOL | {"description": "d", "cache_control": FIVE}]}
    left = ["messages.0.content.0", "messages.2.content.0", "system.0", "system.1"]
    assert marks(mend(body).body) == left


def test_the_automatic_one_counts() -> None:
    body = FULL | {
        "cache_control": FIVE,
        "system": [text(LONG, FIVE)],
        "messages": [user(text(LONG, FIVE), text(LONG, FIVE), text())],
    }
    assert "Found 5" in str(refusal(body))
    mended = mend(body)
    assert refusal(dict(mended.body)) is None
    assert mended.body["cache_control"] == FIVE
    assert len(marks(mended.body)) == 4  # with the one at the top


def test_the_automatic_one_falls_on_the_last_block() -> None:
    body = ask(messages=[user(text(LONG, FIVE))], cache_control=HOUR)
    assert errors(body)
    assert refusal(body)
    assert mend(body).body["cache_control"] == {"type": "ephemeral", "ttl": "5m"}
    assert warnings(ask(messages=[user(text(LONG, FIVE))], cache_control=FIVE)) == ["cache:cache_control"]


def test_an_hour_after_five_minutes_is_shortened() -> None:
    body = ask(
        tools=[TOOL | {"cache_control": HOUR}], system=[text(LONG, FIVE)], messages=[user(text(LONG, HOUR))]
    )
    assert errors(body) == ["cache:messages.0.content.0.cache_control.ttl"]
    assert "must not come after" in str(refusal(body))
    mended = mend(body)
    assert mended.body["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral", "ttl": "5m"}  # type: ignore[index]
    assert mended.body["tools"] is body["tools"], "what is right stays the same object"
    right = ask(tools=[TOOL | {"cache_control": HOUR}], messages=[user(text(LONG, FIVE))])
    assert errors(right) == warnings(right) == []


@pytest.mark.parametrize(
    "block",
    [
        {"type": "thinking", "thinking": "t", "signature": "s", "cache_control": FIVE},
        {"type": "redacted_thinking", "data": "x", "cache_control": FIVE},
    ],
)
def test_thinking_is_no_place_for_one(block: Body) -> None:
    body = ask(
        messages=[user(text()), {"role": "assistant", "content": [block, text("ok")]}, user(text("On."))]
    )
    assert errors(body) == ["cache:messages.1.content.0.cache_control"]
    assert refusal(body)
    assert marks(mend(body).body) == []


def test_a_nested_block_counts_too() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": [text("a", FIVE)], "cache_control": FIVE}
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    turns = [user(text("x")), {"role": "assistant", "content": [call]}, user(result)]
    body = FULL | {"messages": turns}
    assert "Found 5" in str(refusal(body))
    assert any(one.startswith("cache:") for one in errors(body))
    assert refusal(dict(mend(body).body)) is None


def test_what_is_too_short_to_be_cached_is_reported_and_left() -> None:
    body = ask(system=[text("word " * 50, FIVE)], messages=[user(text("word " * 50))])
    assert warnings(body) == ["cache:system.0.cache_control"]
    assert mend(body).body == body
    for model, expected in (("claude-opus-5-5", []), ("claude-haiku-4-5", ["cache:system.0.cache_control"])):
        assert warnings(ask(model=model, system=[text("word " * 1000, FIVE)])) == expected
    assert warnings(ask(cache_control=FIVE)) == ["cache:cache_control"]
    assert warnings(ask(model="my-model", cache_control=FIVE)) == ["model:model"]


def test_an_unknown_life_is_given_up() -> None:
    body = ask(system=[text(LONG, {"type": "ephemeral", "ttl": "2h"})])
    assert refusal(body)
    with pytest.raises(UnrepairableError, match=r"system\.0\.cache_control"):
        mend(body)


def test_a_body_without_breakpoints_has_nothing_to_say() -> None:
    assert errors(ask(system=LONG)) == warnings(ask(system=LONG)) == []
