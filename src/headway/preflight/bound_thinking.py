"""Thinking blocks that are bound to the exact conversation before them, and how they are taken out.

Models with preserved thinking check every returned thinking block against what came before it; once a turn, an image
or a document there is another one, the API answers "Invalid `signature` in `thinking` block". The cure is to take all
thinking blocks out (https://platform.claude.com/docs/en/build-with-claude/extended-thinking).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from headway.core.catalog import facts_of
from headway.core.change import Change
from headway.preflight.facts import Body
from headway.preflight.rule import Mended
from headway.preflight.system_turns import with_messages
from headway.preflight.turns import THINKING, Message, as_object, is_list, messages_in

_REASON: Final = "thinking blocks are bound to the conversation as it was"


def without_thinking(messages: Sequence[Message]) -> tuple[list[Message], dict[int, int]]:
    """The messages without thinking blocks, and how many each of them had, by its index as given.

    A message that was nothing but thinking goes.
    """
    kept: list[Message] = []
    removed: dict[int, int] = {}
    for index, message in enumerate(messages):
        content = message.get("content")
        blocks = [block for block in content if not _is_thinking(block)] if is_list(content) else []
        if not is_list(content) or len(blocks) == len(content):
            kept.append(message)
            continue
        removed[index] = len(content) - len(blocks)
        if blocks:
            kept.append({**message, "content": blocks})
    return kept, removed


def unbound(body: Body, rule: str, edited: Iterable[str]) -> Mended:
    """The body without thinking blocks if one of them follows an ``edited`` place (``messages.0.content.1``) and
    its model checks them; otherwise the body as it is."""
    model = facts_of(str(body.get("model", "")))
    first = min((int(path.split(".")[1]) for path in edited), default=None)
    if model is None or not model.preserved_thinking or first is None:
        return Mended(body, ())
    messages = messages_in(body)
    kept, removed = without_thinking(messages)
    if not any(index >= first for index in removed):
        return Mended(body, ())
    changes = tuple(
        Change(rule, f"messages.{index}.content", _REASON, f"{count} thinking blocks", None)
        for index, count in removed.items()
    )
    if len(kept) < len(messages):  # a `system` message may stand elsewhere now
        return Mended(with_messages(body, kept, model), changes)
    return Mended({**body, "messages": kept}, changes)


def _is_thinking(block: object) -> bool:
    return str(as_object(block).get("type")) in THINKING
