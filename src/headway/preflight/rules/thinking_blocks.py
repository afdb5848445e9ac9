"""Thinking blocks that come back where or how the API does not take them."""

from __future__ import annotations

from typing import Final

from headway.core.error_kind import ErrorKind
from headway.preflight.bound_thinking import without_thinking
from headway.preflight.facts import Body, Facts
from headway.preflight.fault import Fault, mending_rule
from headway.preflight.system_turns import with_messages
from headway.preflight.traits import OTHER, THOUGHTS
from headway.preflight.turns import (
    THINKING,
    Message,
    Place,
    Turn,
    is_blank,
    is_list,
    kinds_in,
    messages_in,
    turns_of,
)

NAME = "thinking_blocks"
_AS_RECEIVED: Final = "Send thinking blocks back exactly as they were received, or leave all of them out."


def _mend(body: Body, facts: Facts) -> tuple[Body, list[Fault]]:
    messages = messages_in(body)
    if not any(kind in THINKING for kind in kinds_in(messages)):
        return body, []
    preserved = facts.model is not None and facts.model.preserved_thinking
    if facts.refused is ErrorKind.THINKING_REFUSED:
        messages, faults = _all_out(messages)
    else:
        messages, faults = _blocks(messages, preserved)
    return (with_messages(body, messages, facts.model) if faults else body), faults


def _all_out(messages: list[Message]) -> tuple[list[Message], list[Fault]]:
    """The API compared them with the conversation before them, which nobody else can."""
    kept, removed = without_thinking(messages)
    problem = "the API refused a thinking block of this conversation"
    return kept, [
        Fault(f"messages.{index}.content", problem, _AS_RECEIVED, f"{count} thinking blocks", None)
        for index, count in removed.items()
    ]


def _blocks(messages: list[Message], preserved: bool) -> tuple[list[Message], list[Fault]]:
    turns = turns_of(messages)
    found = {place: problem for turn in turns for place, problem in _bad(turn, turn is turns[-1])}
    if not found:
        return messages, []
    faults = [
        Fault(place.path, problem, _AS_RECEIVED, "thinking block", None) for place, problem in found.items()
    ]
    first = min(found)
    removed = set(found)
    if preserved:  # each block is bound to those before it: what follows a removed one is refused
        removed |= {place for turn in turns for place, _ in turn.of_type(*THINKING) if place > first}
    return _without(messages, removed, faults), faults


def _without(messages: list[Message], removed: set[Place], faults: list[Fault]) -> list[Message]:
    kept: list[Message] = []
    for index, message in enumerate(messages):
        content = message.get("content")
        if not is_list(content) or not any(place.message == index for place in removed):
            kept.append(message)
            continue
        blocks = [block for n, block in enumerate(content) if Place(index, n) not in removed]
        if blocks:
            kept.append({**message, "content": blocks})
        elif message.get("role") == "user":
            faults.append(Fault(f"messages.{index}", "a user turn of thinking blocks", "Say it.", fatal=True))
    return kept


def _bad(turn: Turn, last: bool) -> list[tuple[Place, str]]:
    """The thinking blocks of a turn that the API refuses, and why."""
    bad: list[tuple[Place, str]] = []
    for place, block in turn.of_type(*THINKING):
        if turn.role != "assistant":
            bad.append((place, "thinking blocks belong to assistant turns"))
        elif block.get("type") == "thinking" and not (
            isinstance(block.get("thinking"), str)
            and isinstance(block.get("signature"), str)
            and block["signature"]
        ):
            bad.append((place, "a thinking block needs its text and its signature"))
        elif block.get("type") == "redacted_thinking" and not isinstance(block.get("data"), str):
            bad.append((place, "a redacted thinking block needs its data"))
    if last and turn.role == "assistant":
        seen = {place for place, _ in bad}
        for place, block in reversed(turn.blocks):
            if block.get("type") not in THINKING and not is_blank(block):
                break
            if block.get("type") in THINKING and place not in seen:
                bad.append((place, "the final assistant turn must not end with a thinking block"))
    return bad


RULES = (
    mending_rule(
        NAME,
        "Thinking blocks come back signed, in assistant turns, and never as the very end of the conversation.",
        "Removes blocks that cannot be valid and, where each is bound to those before it, all later ones; after a "
        "refusal all of them.",
        _mend,
        order=12,
        about=frozenset({OTHER, THOUGHTS}),
        after=frozenset({ErrorKind.THINKING_REFUSED}),
    ),
)
