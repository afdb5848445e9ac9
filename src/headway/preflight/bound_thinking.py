"""Thinking blocks that are bound to the exact conversation before them.

Models with preserved thinking check every returned thinking block against what came before it; once an image or
a document there is another one, the API answers "Invalid `signature` in `thinking` block". The cure is to take all
thinking blocks out (https://platform.claude.com/docs/en/build-with-claude/extended-thinking).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, cast

from headway.core.catalog import facts_of
from headway.core.change import Change
from headway.preflight.facts import Body, blocks_of
from headway.preflight.rule import Mended

THINKING: Final = ("thinking", "redacted_thinking")


def unbound(body: Body, rule: str, edited: Iterable[str]) -> Mended:
    """The body without thinking blocks if one of them follows an ``edited`` place (``messages.0.content.1``) and
    its model checks them; otherwise the body as it is."""
    model = facts_of(str(body.get("model", "")))
    first = min((int(path.split(".")[1]) for path in edited), default=None)
    messages = body.get("messages")
    if model is None or not model.preserved_thinking or first is None or not isinstance(messages, list):
        return Mended(body, ())
    turns = cast("list[Mapping[str, object]]", messages)
    if not any(_thinks(turn) for turn in turns[first:]):
        return Mended(body, ())
    kept: list[Mapping[str, object]] = []
    changes: list[Change] = []
    for index, turn in enumerate(turns):
        if not _thinks(turn):
            kept.append(turn)
            continue
        content = [block for block in blocks_of(turn["content"]) if block.get("type") not in THINKING]
        gone = len(blocks_of(turn["content"])) - len(content)
        reason = "thinking blocks are bound to the conversation as it was"
        changes.append(Change(rule, f"messages.{index}.content", reason, f"{gone} thinking blocks", None))
        if content:  # a turn that was nothing but thinking goes
            kept.append({**turn, "content": content})
    return Mended({**body, "messages": kept}, tuple(changes))


def _thinks(turn: object) -> bool:
    content = cast("Mapping[str, object]", turn).get("content") if isinstance(turn, Mapping) else None
    return any(block.get("type") in THINKING for block in blocks_of(content))
