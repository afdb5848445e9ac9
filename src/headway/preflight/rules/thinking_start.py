"""An answer under way that must begin with its thinking."""

from __future__ import annotations

from headway.preflight.facts import Body, Facts
from headway.preflight.fault import Fault, mending_rule
from headway.preflight.turns import THINKING, Turn, as_object, is_blank, messages_in, turns_of

NAME = "thinking_start"
_DISABLED = {"type": "disabled"}


def _mend(body: Body, facts: Facts) -> tuple[Body, list[Fault]]:
    if as_object(body.get("thinking")).get("type") != "enabled":
        return body, []
    if facts.model is not None and "enabled" not in facts.model.thinking:
        return body, []  # refused for its type, which is another rule's matter
    answers = _under_way(turns_of(messages_in(body)))
    if not answers or any(turn.has(*THINKING) for turn in answers):
        return body, []
    fault = Fault(
        f"messages.{answers[0].indices[0]}",
        "with thinking enabled, the answer under way must begin with its thinking block",
        "Send the thinking blocks back with the tool calls, or set thinking to disabled.",
        "enabled",
        "disabled",
    )
    return {**body, "thinking": dict(_DISABLED)}, [fault]


def _under_way(turns: list[Turn]) -> list[Turn]:
    """The assistant turns since the last prompt: a prefill, or tool calls with their results."""
    found: list[Turn] = []
    for turn in reversed(turns):
        if turn.is_prompt:
            break
        if turn.role == "assistant" and not all(is_blank(block) for _, block in turn.blocks):
            found.insert(0, turn)
    return found


RULES = (
    mending_rule(
        NAME,
        "With thinking enabled, a prefilled answer and one with tool calls under way must begin with thinking.",
        "Disables thinking for this request, as the API advises, when the blocks were not sent back.",
        _mend,
        order=28,
        about=frozenset({"thinking"}),
    ),
)
