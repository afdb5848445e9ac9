"""Ids of tool calls: well formed and used once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from headway.preflight.fault import Fault
from headway.preflight.turns import Block, Place, Turn

_VALID: Final = re.compile(r"[a-zA-Z0-9_-]+\Z")
_UNIQUE: Final = (
    "Give every tool call an id of its own, of letters, digits, _ and -, and its result the same."
)


def renamed_ids(turns: list[Turn]) -> tuple[dict[Place, Block], list[Fault]]:
    """Tool calls and their results that need another id, by their place, with that id in them."""
    edits: dict[Place, Block] = {}
    faults: list[Fault] = []
    taken = {str(block.get("id")) for turn in turns for _, block in turn.of_type("tool_use")}
    seen: set[str] = set()
    for number, turn in enumerate(turns):
        if turn.role != "assistant":
            continue
        answers = turns[number + 1].of_type("tool_result") if number + 1 < len(turns) else []
        open_answers = list(answers)
        for place, use in turn.of_type("tool_use"):
            old = use.get("id")
            answer = next((pair for pair in open_answers if pair[1].get("tool_use_id") == old), None)
            if answer is not None:
                open_answers.remove(answer)
            if isinstance(old, str) and _VALID.match(old) and old not in seen:
                seen.add(old)
                continue
            new = next(name for name in _candidates(old) if name not in taken)
            again = isinstance(old, str) and old in seen
            problem = "tool call ids must be unique" if again else "this is no valid tool call id"
            taken.add(new)
            seen.add(new)
            faults.append(Fault(f"{place.path}.id", problem, _UNIQUE, old, new))
            edits[place] = {**use, "id": new}
            if answer is not None:
                edits[answer[0]] = {**answer[1], "tool_use_id": new}
    return edits, faults


def _candidates(old: object) -> Iterator[str]:
    clean = re.sub(r"[^a-zA-Z0-9_-]", "_", old) if isinstance(old, str) and old else "toolu"
    yield clean
    number = 2
    while True:
        yield f"{clean}_{number}"
        number += 1
