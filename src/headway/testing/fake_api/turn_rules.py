"""What the API refuses in the turns of a conversation: empty text, prefill, tools without results."""

from __future__ import annotations

from typing import Final, cast

from headway.testing.fake_api.catalog import Model
from headway.testing.fake_api.wire_error import invalid

Turn = dict[str, object]
_ROLES: Final = ("user", "assistant", "system")


def check_turns(messages: list[object], model: Model, counting: bool = False) -> None:
    """Raise the API's complaint about ``messages``, if any."""
    turns = [_checked_turn(index, message) for index, message in enumerate(messages)]
    if turns[0]["role"] == "system":
        raise invalid("messages.0.role: A system message must not be the first message")
    _check_tool_pairs(_merged(turns))
    last = turns[-1]
    if last["role"] == "assistant" and not counting:
        _check_prefill(len(turns) - 1, last, model)


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
    elif not content:
        raise invalid(f"{where}: all messages must have non-empty content")
    else:
        for position, block in enumerate(cast("list[object]", content)):
            _check_block(block, str(turn["role"]), f"{where}.content.{position}")
    return turn


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
    elif kind == "document" and role == "assistant":
        raise invalid(f"{where}: `document` blocks are not permitted in `assistant` messages")


def _merged(turns: list[Turn]) -> list[tuple[int, str, list[Turn]]]:
    """Consecutive turns of one role as one: index of the first, role, blocks."""
    merged: list[tuple[int, str, list[Turn]]] = []
    for index, turn in enumerate(turns):
        role, content = str(turn["role"]), turn["content"]
        blocks: list[Turn] = [{"type": "text", "text": content}]
        if not isinstance(content, str):
            blocks = cast("list[Turn]", content)
        if merged and merged[-1][1] == role:
            merged[-1][2].extend(blocks)
        else:
            merged.append((index, role, list(blocks)))
    return merged


def _check_tool_pairs(turns: list[tuple[int, str, list[Turn]]]) -> None:
    pending: list[str] = []
    asked_at = 0
    for index, role, blocks in turns:
        if role == "assistant":
            _no_pending(pending, asked_at)
            pending = [str(block.get("id")) for block in blocks if block["type"] == "tool_use"]
            asked_at = index
            continue
        answers = [str(block.get("tool_use_id")) for block in blocks if block["type"] == "tool_result"]
        for position, answer in enumerate(answers):
            if answer not in pending:
                raise invalid(
                    f"messages.{index}.content.{position}: unexpected `tool_use_id` found in `tool_result` "
                    f"blocks: {answer}. Each `tool_result` block must have a corresponding `tool_use` block "
                    "in the previous message."
                )
        _no_pending([name for name in pending if name not in answers], asked_at)
        pending = []
        _check_results_first(index, blocks)
    _no_pending(pending, asked_at)


def _no_pending(missing: list[str], index: int) -> None:
    if missing:
        raise invalid(
            f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in "
            "the next message."
        )


def _check_results_first(index: int, blocks: list[Turn]) -> None:
    kinds = [block["type"] == "tool_result" for block in blocks]
    if kinds != sorted(kinds, reverse=True):
        raise invalid(f"messages.{index}: `tool_result` blocks must come before other content blocks")


def _check_prefill(index: int, turn: Turn, model: Model) -> None:
    if model.rejects_prefill:
        if _ends_with_server_tool(turn):
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


def _ends_with_server_tool(turn: Turn) -> bool:
    """The turn of a ``pause_turn`` is sent back as it is."""
    content = turn["content"]
    if not isinstance(content, list):
        return False
    kind = str(cast("list[Turn]", content)[-1]["type"])
    return kind == "server_tool_use" or kind.endswith("_tool_result")
