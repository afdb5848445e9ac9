"""What the API refuses about thinking blocks that are sent back."""

from __future__ import annotations

import hashlib
import json
from typing import Final, cast

from headway.testing.fake_api.catalog import Model
from headway.testing.fake_api.merged_turns import MergedTurn, Turn, merged_turns
from headway.testing.fake_api.wire_error import invalid

_THINKING: Final = ("thinking", "redacted_thinking")
_SEAL: Final = "seal:"
_BOUND: Final = (
    "Invalid `signature` in `thinking` block. The block is bound to a different conversation. Remove the block, or "
    'set `thinking.block_binding.prefix_mismatch_behavior` to "drop_block".'
)


def thinking_seal(body: Turn, messages: int) -> str:
    """A signature bound to the system prompt, the tools and the first ``messages`` messages of a body.

    Models with preserved thinking (5.1 and later) refuse a block with such a signature anywhere else. Other
    signatures are taken as they are.
    """
    prefix = [body.get("system"), body.get("tools"), cast("list[object]", body["messages"])[:messages]]
    return _SEAL + hashlib.sha256(json.dumps(prefix, sort_keys=True).encode()).hexdigest()


def check_thinking_blocks(body: Turn, turns: list[Turn], model: Model) -> None:
    """Raise the API's complaint about thinking blocks, if any."""
    for index, turn in enumerate(turns):
        content = turn["content"]
        for position, block in enumerate(cast("list[Turn]", content if isinstance(content, list) else [])):
            if block["type"] not in _THINKING:
                continue
            where = f"messages.{index}.content.{position}"
            if turn["role"] != "assistant":
                raise invalid(f"{where}: `{block['type']}` blocks can only be in `assistant` messages")
            _check_block(block, where)
            signature = str(block.get("signature", ""))
            bound = model.version >= (5, 1) and signature.startswith(_SEAL)
            if bound and signature != thinking_seal(body, index):
                raise invalid(f"{where}: {_BOUND}")
    merged = merged_turns(turns)
    last = merged[-1] if merged else None
    if (
        last is not None
        and last.role == "assistant"
        and last.blocks
        and last.blocks[-1][1]["type"] in _THINKING
    ):
        raise invalid(f"messages.{last.index}: The final block in an assistant message cannot be `thinking`.")
    if cast("Turn", body.get("thinking") or {}).get("type") == "enabled":
        _check_head(merged)


def _check_block(block: Turn, where: str) -> None:
    for name in ("thinking", "signature") if block["type"] == "thinking" else ("data",):
        if not isinstance(block.get(name), str):
            raise invalid(f"{where}.{block['type']}.{name}: Field required")
    if block["type"] == "thinking" and not block["signature"]:
        raise invalid(f"{where}: Invalid `signature` in `thinking` block")


def _check_head(turns: list[MergedTurn]) -> None:
    """The answer under way (a prefill, or calls and results) must hold its thinking."""
    answers: list[MergedTurn] = []
    for turn in reversed(turns):
        if turn.role == "user" and not turn.of_type("tool_result"):
            break
        if turn.role == "assistant":
            answers.append(turn)
    if answers and not any(turn.of_type(kind) for turn in answers for kind in _THINKING):
        path, first = answers[-1].blocks[0]
        raise invalid(
            f"{path}.type: Expected `thinking` or `redacted_thinking`, but found `{first['type']}`. When `thinking` "
            "is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set "
            "of `tool_use` and `tool_result` blocks)."
        )
