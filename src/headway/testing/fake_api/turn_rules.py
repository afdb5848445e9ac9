"""What the API refuses in the turns of a conversation: empty text, prefill, tools without results."""

from __future__ import annotations

from typing import Final, cast

from headway.testing.fake_api.catalog import Model
from headway.testing.fake_api.system_turn_rules import check_system_turns, is_directive
from headway.testing.fake_api.thinking_rules import check_thinking_blocks
from headway.testing.fake_api.tool_pair_rules import check_tool_pairs
from headway.testing.fake_api.wire_error import invalid

Turn = dict[str, object]
_ROLES: Final = ("user", "assistant", "system")


def check_turns(body: Turn, model: Model, counting: bool = False) -> None:
    """Raise the API's complaint about the conversation in a body, if any."""
    _check_system(body.get("system"))
    messages = cast("list[object]", body["messages"])
    turns = [_checked_turn(index, message) for index, message in enumerate(messages[:-1])]
    spoken = [turn for turn in turns if turn["role"] != "system"]
    after_answer = bool(spoken) and spoken[-1]["role"] == "assistant"
    if after_answer or not _is_open_prefill(messages[-1], model):
        turns.append(_checked_turn(len(turns), messages[-1]))
    check_system_turns(turns, model)
    check_tool_pairs(turns)
    check_thinking_blocks(body, turns, model)
    at, last = next((n, turn) for n, turn in reversed(list(enumerate(turns))) if turn["role"] != "system")
    if last["role"] == "assistant" and not counting:
        _check_prefill(at, last, model)


def _is_open_prefill(message: object, model: Model) -> bool:
    """All messages must have content "except for the optional final assistant message": it says nothing."""
    if not isinstance(message, dict) or model.rejects_prefill:
        return False
    turn = cast("Turn", message)
    return turn.get("role") == "assistant" and turn.get("content") in ("", [])


def _checked_turn(index: int, message: object) -> Turn:
    where = f"messages.{index}"
    if not isinstance(message, dict):
        raise invalid(f"{where}: Input should be a valid dictionary")
    turn = cast("Turn", message)
    if turn.get("role") not in _ROLES:
        raise invalid(f"{where}.role: Input should be 'user', 'assistant' or 'system'")
    if "content" not in turn:
        raise invalid(f"{where}.content: Field required")
    content = turn["content"]
    if isinstance(content, str):
        _check_text(content, f"{where}: text content blocks")
    elif not isinstance(content, list):
        raise invalid(f"{where}.content: Input should be a valid string or list")
    elif not content and turn["role"] == "system":
        if not is_directive(turn):
            raise invalid(f"{where}: system content must contain at least one block")
    elif not content:
        raise invalid(f"{where}: all messages must have non-empty content")
    else:
        for position, block in enumerate(cast("list[object]", content)):
            _check_block(block, str(turn["role"]), f"{where}.content.{position}")
    return turn


def _check_system(system: object) -> None:
    for block in cast("list[object]", system if isinstance(system, list) else []):
        if isinstance(block, dict):
            _check_text(str(cast("Turn", block).get("text", "")), "system: text content blocks")


def _check_text(text: str, subject: str) -> None:
    if not text:
        raise invalid(f"{subject} must be non-empty")
    if not text.strip():
        raise invalid(f"{subject} must contain non-whitespace text")


def _check_block(block: object, role: str, where: str) -> None:
    if not isinstance(block, dict):
        raise invalid(f"{where}: Input should be a valid dictionary")
    fields = cast("Turn", block)
    kind = fields.get("type")
    if not isinstance(kind, str):
        raise invalid(f"{where}.type: Field required")
    if kind == "text":
        text = fields.get("text")
        if not isinstance(text, str):
            raise invalid(f"{where}.text.text: Input should be a valid string")
        _check_text(text, f"{where.rpartition('.content.')[0]}: text content blocks")
        if role == "user" and fields.get("citations"):
            raise invalid(f"{where}.text.citations: citations are not permitted on text in `user` messages")
    elif kind == "tool_use" and role != "assistant":
        raise invalid(f"{where}: `tool_use` blocks can only be in `assistant` messages")
    elif kind == "tool_result" and role != "user":
        raise invalid(f"{where}: `tool_result` blocks can only be in `user` messages")
    elif kind == "tool_result":
        _check_result(fields, where)
    elif kind == "document" and role == "assistant":
        raise invalid(f"{where}: `document` blocks are not permitted in `assistant` messages")


def _check_result(block: Turn, where: str) -> None:
    if not isinstance(block.get("tool_use_id"), str):
        raise invalid(f"{where}.tool_result.tool_use_id: Field required")
    content = block.get("content")
    for nested in cast("list[object]", content if isinstance(content, list) else []):
        if isinstance(nested, dict) and cast("Turn", nested).get("type") == "text":
            _check_text(str(cast("Turn", nested).get("text", "")), f"{where}: text content blocks")


def _check_prefill(index: int, turn: Turn, model: Model) -> None:
    if model.rejects_prefill:
        if _is_paused(turn):
            return
        raise invalid(
            "This model does not support assistant message prefill. "
            "The conversation must end with a user message."
        )
    content = turn["content"]
    if isinstance(content, list):
        last = cast("list[Turn]", content)[-1]
        content = last.get("text", "") if last["type"] == "text" else ""
    if isinstance(content, str) and content != content.rstrip():
        raise invalid(f"messages.{index}: final assistant content cannot end with trailing whitespace")


def _is_paused(turn: Turn) -> bool:
    """The turn of a ``pause_turn`` is sent back as it is."""
    content = turn["content"]
    if not isinstance(content, list):
        return False
    kind = str(cast("list[Turn]", content)[-1]["type"])
    return kind in ("server_tool_use", "mcp_tool_use") or kind.endswith("_tool_result")
