"""What the API refuses about tool calls and their results."""

from __future__ import annotations

import re
from typing import Final

from headway.testing.fake_api.merged_turns import MergedTurn, Turn, merged_turns
from headway.testing.fake_api.wire_error import invalid

_ID: Final = re.compile(r"^[a-zA-Z0-9_-]+$")


def check_tool_pairs(turns: list[Turn]) -> None:
    """Raise the API's complaint about pairs of calls and results, if any."""
    _check_ids(merged_turns(turns))
    before: MergedTurn | None = None
    for turn in merged_turns(turns):
        if turn.role == "user":
            _check_results(turn, before)
        elif before is not None:
            _check_answered(before, None)
        before = turn
    if before is not None and before.role == "assistant":
        _check_answered(before, None)
    _check_server_tools(merged_turns(turns))


def _check_ids(turns: list[MergedTurn]) -> None:
    seen: set[str] = set()
    for turn in turns:
        for path, block in turn.of_type("tool_use"):
            name = block.get("id")
            if not isinstance(name, str) or not _ID.match(name):
                raise invalid(f"{path}.tool_use.id: String should match pattern '{_ID.pattern}'")
            if name in seen:
                raise invalid(f"{path}: `tool_use` ids must be unique")
            seen.add(name)


def _check_answered(turn: MergedTurn, answer: MergedTurn | None) -> None:
    """All calls of a turn are answered in the run of results with which the next one begins."""
    answered: set[object] = set()
    for _, block in answer.blocks if answer else ():
        if block["type"] != "tool_result":
            break
        answered.add(block.get("tool_use_id"))
    missing = [str(block["id"]) for _, block in turn.of_type("tool_use") if block["id"] not in answered]
    if missing:
        raise invalid(
            f"messages.{turn.index}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in "
            "the next message."
        )


def _check_results(turn: MergedTurn, before: MergedTurn | None) -> None:
    uses = {block["id"]: block for _, block in before.of_type("tool_use")} if before else {}
    seen: set[object] = set()
    for path, block in turn.of_type("tool_result"):
        name = block.get("tool_use_id")
        if name not in uses:
            raise invalid(
                f"{path}: unexpected `tool_use_id` found in `tool_result` blocks: {name}. Each `tool_result` "
                "block must have a corresponding `tool_use` block in the previous message."
            )
        if name in seen:
            raise invalid(
                f"{path}: each tool_use must have a single result. Found multiple `tool_result` blocks with "
                f"id: {name}"
            )
        seen.add(name)
        if block.get("toolset_name") != uses[name].get("toolset_name"):
            raise invalid(f"{path}.tool_result.toolset_name: must match the paired `tool_use` block")
    if before is not None:
        _check_answered(before, turn)


def _goes_on(turn: MergedTurn, after: MergedTurn | None) -> bool:
    """A paused turn, or one that is sent results alone, may hold server tools without a result."""
    if after is None:
        kind = str(turn.blocks[-1][1]["type"]) if turn.blocks else ""
        return kind in ("server_tool_use", "mcp_tool_use", "tool_use") or kind.endswith("_tool_result")
    waits = bool(turn.of_type("tool_use"))
    return waits and all(block["type"] == "tool_result" for _, block in after.blocks)


def _check_server_tools(turns: list[MergedTurn]) -> None:
    known: set[object] = set()
    for number, turn in enumerate(turns):
        calls = [pair for kind in ("server_tool_use", "mcp_tool_use") for pair in turn.of_type(kind)]
        known |= {block.get("id") for _, block in calls}
        results = [pair for pair in turn.blocks if str(pair[1]["type"]).endswith("_tool_result")]
        for path, block in results:
            if block.get("tool_use_id") not in known:
                kind = block["type"]
                raise invalid(
                    f"{path}: unexpected `tool_use_id` found in `{kind}` blocks: {block.get('tool_use_id')}. "
                    f"Each `{kind}` block must have a corresponding `server_tool_use` block before it."
                )
        after = turns[number + 1] if number + 1 < len(turns) else None
        if _goes_on(turn, after):
            continue
        ended = {block.get("tool_use_id") for _, block in results}
        for _, block in calls:
            if block.get("id") not in ended:
                name = block.get("name")
                raise invalid(
                    f"messages.{turn.index}: `{name}` tool use with id `{block.get('id')}` was found without a "
                    f"corresponding `{name}_tool_result` block"
                )
