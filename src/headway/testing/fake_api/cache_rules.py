"""What the API refuses in ``cache_control``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from headway.testing.fake_api.wire_error import invalid

Body = dict[str, object]
_MOST: Final = 4


def check_cache(body: Body) -> None:
    """Raise the API's complaint about breakpoints, if any. Tools come first, then system, then messages."""
    blocks = list(_blocks(body))
    found = [
        (where, block["cache_control"]) for where, block in blocks if block.get("cache_control") is not None
    ]
    for where, block in blocks:
        if block.get("cache_control") is not None:
            _check_place(where, block)
    automatic = body.get("cache_control")
    if automatic is not None:
        found.append(("", automatic))
    for where, control in found:
        _check_control(f"{where}.cache_control".lstrip("."), control)
    if len(found) > _MOST:
        raise invalid(f"A maximum of {_MOST} blocks with cache_control may be provided. Found {len(found)}.")
    _check_order(found)
    if automatic is not None and blocks:
        last = blocks[-1][1].get("cache_control")
        if last is not None and ttl_of(last) != ttl_of(automatic):
            raise invalid("cache_control: the last block has a cache_control with a different ttl")


def _blocks(body: Body) -> Iterator[tuple[str, Body]]:
    for name in ("tools", "system"):
        yield from _of(body.get(name), name)
    for index, message in enumerate(cast("list[Body]", body["messages"])):
        yield from _of(message.get("content"), f"messages.{index}.content")


def _of(content: object, where: str) -> Iterator[tuple[str, Body]]:
    if not isinstance(content, list):
        return
    for index, block in enumerate(cast("list[object]", content)):
        if isinstance(block, dict):
            fields = cast("Body", block)
            if fields.get("type") == "tool_result":
                yield from _of(fields.get("content"), f"{where}.{index}.tool_result.content")
            yield f"{where}.{index}", fields


def _check_place(where: str, block: Body) -> None:
    kind = block.get("type")
    if kind in ("thinking", "redacted_thinking"):
        raise invalid(f"{where}.{kind}.cache_control: Extra inputs are not permitted")
    if kind == "text" and not block.get("text"):
        raise invalid(f"{where}.text: cache_control cannot be set for empty text blocks")


def _check_control(where: str, control: object) -> None:
    if not isinstance(control, dict) or cast("Body", control).get("type") != "ephemeral":
        raise invalid(f"{where}: Input should be a valid cache control (type 'ephemeral')")
    if ttl_of(cast("Body", control)) not in ("5m", "1h"):
        raise invalid(f"{where}.ephemeral.ttl: Input should be '5m' or '1h'")


def _check_order(found: list[tuple[str, object]]) -> None:
    short = False
    for where, control in found:
        if short and ttl_of(control) == "1h":
            raise invalid(
                f"{where}.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' "
                "cache_control block. Note that blocks are processed in the following order: `tools`, "
                "`system`, `messages`."
            )
        short = short or ttl_of(control) == "5m"


def ttl_of(control: object) -> object:
    """The life that a ``cache_control`` asks for."""
    return cast("Body", control).get("ttl") or "5m"
