"""A small value that fits a JSON schema: the input of a tool call, a structured output."""

from __future__ import annotations

import math
from typing import Final, cast

Schema = dict[str, object]
_MOST_PARTS: Final = 500
_DEEPEST: Final = 20


def sample(schema: Schema) -> object:
    """A value for the usual keywords: type, properties, items, enum, const, anyOf, $ref, minimum.

    Raises ValueError if a keyword has the wrong shape. A schema that refers to itself ends in nulls.
    """
    try:
        return _Sampler(schema).value(schema, 0)
    except (TypeError, AttributeError, KeyError, IndexError, OverflowError) as error:
        raise ValueError(f"not a JSON schema: {error}") from None


class _Sampler:
    """Walks one schema; the number of parts is bounded, whatever refers to what."""

    def __init__(self, root: Schema) -> None:
        self.root = root
        self.parts = 0

    def value(self, schema: Schema, depth: int) -> object:
        self.parts += 1
        if self.parts > _MOST_PARTS or depth > _DEEPEST:
            return None
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return cast("list[object]", schema["enum"])[0]
        for keyword in ("anyOf", "oneOf", "allOf"):
            if options := cast("list[Schema] | None", schema.get(keyword)):
                return self.value(options[0], depth + 1)
        if isinstance(schema.get("$ref"), str):
            return self.value(self._resolve(str(schema["$ref"])), depth + 1)
        return self._of_type(schema, depth)

    def _of_type(self, schema: Schema, depth: int) -> object:
        kind = schema.get("type") or "object"
        if isinstance(kind, list):
            kind = cast("list[object]", kind)[0]
        if kind == "object":
            properties = cast("dict[str, Schema]", schema.get("properties") or {})
            return {name: self.value(part, depth + 1) for name, part in properties.items()}
        if kind == "array":
            items = schema.get("items")
            return [self.value(cast("Schema", items), depth + 1)] if isinstance(items, dict) else []
        least = cast("float", schema.get("minimum", 1))
        simple = {"string": "headway", "integer": math.ceil(least), "number": float(least), "boolean": True}
        return simple.get(str(kind))

    def _resolve(self, pointer: str) -> Schema:
        found = self.root
        for part in pointer.removeprefix("#/").split("/"):
            found = cast("Schema", found.get(part) or {})
        return found
