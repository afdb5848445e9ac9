"""Where the API takes ``system`` messages inside a conversation."""

from __future__ import annotations

from typing import Final, cast

from headway.testing.fake_api.catalog import Model
from headway.testing.fake_api.wire_error import invalid

Turn = dict[str, object]
_ANYWHERE: Final = "; the directive-only form (content: [] with output_config) is accepted at any position"


def check_system_turns(turns: list[Turn], model: Model) -> None:
    """Raise the API's complaint about ``system`` messages, if any."""
    if not any(turn["role"] == "user" for turn in turns):
        raise invalid("messages: at least one message with the role 'user' is required")
    for index, turn in enumerate(turns):
        if turn["role"] != "system" or is_directive(turn):
            continue
        if model.version < (4, 8) or (model.line, model.version) == ("sonnet", (5, 0)):
            raise invalid(f"messages.{index}: role 'system' is not supported on this model")
        before = next((t for t in reversed(turns[:index]) if t["role"] != "system"), None)
        if before is None:
            text = "use the top-level 'system' parameter for the initial system prompt"
            raise invalid(f"messages.{index}: {text}{_ANYWHERE}")
        if before["role"] == "assistant" and not _ends_with_server_result(before):
            where = "must follow a 'user' message or an 'assistant' message ending in a server tool result"
            raise invalid(f"messages.{index}: role 'system' {where}{_ANYWHERE}")
        after = next((t for t in turns[index + 1 :] if t["role"] != "system"), None)
        if after is not None and after["role"] == "user":
            text = "role 'system' must precede an 'assistant' message or end the array"
            raise invalid(f"messages.{index}: {text}{_ANYWHERE}")


def is_directive(turn: Turn) -> bool:
    """A message that only sets ``output_config``."""
    return turn.get("role") == "system" and turn.get("content") == [] and "output_config" in turn


def _ends_with_server_result(turn: Turn) -> bool:
    content = turn["content"]
    return isinstance(content, list) and str(cast("list[Turn]", content)[-1]["type"]).endswith("_tool_result")
