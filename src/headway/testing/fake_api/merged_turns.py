"""Turns as the API sees them: consecutive messages of one role are one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

Turn = dict[str, object]


@dataclass(slots=True)
class MergedTurn:
    """A role's consecutive messages."""

    role: str
    index: int
    """Of its first message."""
    blocks: list[tuple[str, Turn]] = field(default_factory=list[tuple[str, Turn]])
    """Each with its path, as error messages name it."""

    def of_type(self, kind: str) -> list[tuple[str, Turn]]:
        """Its blocks of a type."""
        return [(path, block) for path, block in self.blocks if block["type"] == kind]


def merged_turns(turns: list[Turn]) -> list[MergedTurn]:
    """The turns of users and assistants; ``system`` messages stand between them."""
    merged: list[MergedTurn] = []
    for index, turn in enumerate(turns):
        role, content = str(turn["role"]), turn["content"]
        if role == "system":
            continue
        blocks: list[Turn] = [{"type": "text", "text": content}]
        if not isinstance(content, str):
            blocks = cast("list[Turn]", content)
        if not merged or merged[-1].role != role:
            merged.append(MergedTurn(role, index))
        merged[-1].blocks += [(f"messages.{index}.content.{n}", block) for n, block in enumerate(blocks)]
    return merged
