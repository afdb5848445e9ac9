"""What the API refuses in tool definitions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, cast

from headway.testing.fake_api.wire_error import invalid

Body = dict[str, object]
_NAME: Final = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")


def check_tools(tools: list[object]) -> Iterator[tuple[str, Body]]:
    """Raise the API's complaint about ``tools``, if any; gives the schemas and where they are."""
    names: set[str] = set()
    for index, tool in enumerate(tools):
        if not isinstance(tool, dict):
            raise invalid(f"tools.{index}: Input should be a valid dictionary")
        fields = cast("Body", tool)
        yield from _check_custom(index, fields)
        name = fields.get("name")
        if isinstance(name, str):
            if name in names:
                raise invalid("tools: Tool names must be unique.")
            names.add(name)
        if fields.get("defer_loading") is True and fields.get("cache_control") is not None:
            raise invalid(
                f"Tool '{name}' cannot have both defer_loading=true and cache_control set. "
                "Tools with defer_loading cannot use prompt caching."
            )


def _check_custom(index: int, fields: Body) -> Iterator[tuple[str, Body]]:
    kind = fields.get("type", "custom")
    if kind == "function":
        raise invalid(
            f"tools.{index}: Input tag 'function' found using 'type' does not match any of the expected tags"
        )
    if kind not in ("custom", None):
        return
    name = fields.get("name")
    if not isinstance(name, str) or not _NAME.match(name):
        raise invalid(f"tools.{index}.custom.name: String should match pattern '{_NAME.pattern}'")
    schema = fields.get("input_schema")
    if not isinstance(schema, dict):
        raise invalid(f"tools.{index}.custom.input_schema: Field required")
    if cast("Body", schema).get("type") != "object":
        raise invalid(f"tools.{index}.custom.input_schema.type: Input should be 'object'")
    yield f"tools.{index}.custom.input_schema", cast("Body", schema)
