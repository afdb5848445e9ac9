"""A conversation that ends with an assistant turn, on models that continue no given answer (4.6 and later)."""

from __future__ import annotations

from typing import Final

from headway.preflight.facts import Body, Facts
from headway.preflight.fault import Fault, mending_rule
from headway.preflight.system_turns import with_messages
from headway.preflight.traits import OTHER, SHAPE
from headway.preflight.turns import SERVER_USES, Block, is_server_result, messages_in, turns_of

NAME = "prefill"
_QUOTED: Final = 200
"""Characters of the answer's end that the continuation quotes: enough to find the place."""
_REMEDY: Final = (
    "End with a user turn that asks to continue; for a format, use output_config.format instead of a prefill."
)


def _mend(body: Body, facts: Facts) -> tuple[Body, list[Fault]]:
    if facts.model is None or facts.model.prefill or body.get("fallback_credit_token") is not None:
        return body, []
    messages = messages_in(body)
    if not messages or messages[-1].get("role") == "user":
        return body, []  # the usual case, told without a look at the rest
    turns = turns_of(messages)
    if not turns or turns[-1].role != "assistant":
        return body, []
    turn = turns[-1]
    # A paused turn is resumed by sending it back; a tool call waits for its result, which `pairs` sees to.
    if turn.has("tool_use") or (turn.blocks and _is_paused(turn.blocks[-1][1])):
        return body, []
    text = _continuation([block for _, block in turn.blocks])
    where = f"messages.{turn.indices[-1]}"
    fault = Fault(where, "this model continues no given answer (prefill)", _REMEDY, None, text)
    return with_messages(body, [*messages, {"role": "user", "content": text}], facts.model), [fault]


def _is_paused(block: Block) -> bool:
    return block.get("type") in SERVER_USES or is_server_result(block)


def _continuation(blocks: list[Block]) -> str:
    """The user turn that the streaming guide gives for interrupted answers
    (https://platform.claude.com/docs/en/build-with-claude/streaming#error-recovery)."""
    texts = [str(block.get("text", "")) for block in blocks if block.get("type") == "text"]
    ended = f" and ended with [{texts[-1][-_QUOTED:].strip()}]" if texts else ""
    return f"Your previous response was interrupted{ended}. Continue from where you left off, without repeating it."


RULES = (
    mending_rule(
        NAME,
        "Models from 4.6 on refuse a conversation that ends with an assistant turn, except a paused one.",
        "Keeps the assistant turn and adds the documented user turn that asks to continue it.",
        _mend,
        order=30,
        about=frozenset({OTHER, SHAPE}),
    ),
)
