"""Tool definitions: names, schemas, duplicates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, cast

from headway.core.change import Change, brief
from headway.preflight.facts import Body, Facts
from headway.preflight.finding import Finding, Severity
from headway.preflight.rule import Mended, Rule, UnrepairableError

NAME: Final = "tools"
TOOL_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools"""
Tool = Mapping[str, object]


def _tools(body: Body) -> list[object]:
    tools = body.get("tools")
    return cast("list[object]", tools) if isinstance(tools, list) else []


def _fields(value: object) -> Tool:
    return cast("Tool", value) if isinstance(value, Mapping) else {}


def _check(body: Body, facts: Facts) -> Iterator[Finding]:
    del facts
    seen: set[object] = set()
    for index, item in enumerate(_tools(body)):
        where = f"tools.{index}"
        if not isinstance(item, Mapping):
            yield Finding(NAME, where, "is no object", "Each tool is an object with name and input_schema.")
            continue
        tool = cast("Tool", item)
        if tool.get("type") == "function":
            remedy = "Write it as {name, description, input_schema}."
            yield Finding(NAME, where, "is written as in another API (type 'function')", remedy)
            continue
        yield from _check_one(tool, where)
        name = tool.get("name")
        if isinstance(name, str):
            if name in seen:
                yield Finding(
                    NAME, f"{where}.name", f"{brief(name)!r} is there twice", "Names must be unique."
                )
            seen.add(name)


def _check_one(tool: Tool, where: str) -> Iterator[Finding]:
    if tool.get("defer_loading") is True and tool.get("cache_control") is not None:
        remedy = "Put the breakpoint on a tool that is loaded at once."
        yield Finding(NAME, f"{where}.cache_control", "a deferred tool cannot be cached", remedy)
    if tool.get("type") not in (None, "custom"):
        return  # the API's own tools have names and inputs of their own
    name = tool.get("name")
    if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
        problem = "is missing" if name is None else f"{brief(name)!r} does not match {TOOL_NAME.pattern}"
        yield Finding(NAME, f"{where}.name", problem, "Use letters, digits, _ and -, at most 64.")
    schema = tool.get("input_schema")
    if not isinstance(schema, Mapping):
        remedy = 'A tool without input has {"type": "object", "properties": {}}.'
        yield Finding(NAME, f"{where}.input_schema", "is missing or no object", remedy)
    elif (kind := cast("Tool", schema).get("type")) != "object":
        problem = "type is missing" if kind is None else f"type is {brief(kind)!r}"
        remedy = "It must be 'object': wrap other inputs in a property."
        yield Finding(NAME, f"{where}.input_schema.type", problem, remedy)


def _repair(body: Body, facts: Facts) -> Mended:
    if next(_check(body, facts), None) is None:
        return Mended(body, ())
    kept: list[object] = []
    changes: list[Change] = []
    for index, item in enumerate(_tools(body)):
        tool = _fields(item)
        for mend in (_translated, _uncached, _with_schema_type):
            if (done := mend(tool, f"tools.{index}")) is not None:
                tool, change = done
                changes.append(change)
        if tool and tool in kept:
            changes.append(Change(NAME, f"tools.{index}", "the same tool again", brief(tool.get("name"))))
        else:
            kept.append(tool or item)
    mended = {**body, "tools": kept}
    left = [found for found in _check(mended, facts) if found.severity is Severity.ERROR]
    if left:  # another name would not be the one that the caller listens to
        raise UnrepairableError(str(left[0]))
    return Mended(mended, tuple(changes))


def _translated(tool: Tool, where: str) -> tuple[Tool, Change] | None:
    if tool.get("type") != "function":
        return None
    inner = _fields(tool.get("function")) or tool
    new: dict[str, object] = {"name": inner.get("name")}
    if inner.get("description") is not None:
        new["description"] = inner["description"]
    new["input_schema"] = inner.get("parameters") or {"type": "object", "properties": {}}
    return new, Change(NAME, where, "written as in another API", "type 'function'", "name, input_schema")


def _uncached(tool: Tool, where: str) -> tuple[Tool, Change] | None:
    if tool.get("defer_loading") is not True or tool.get("cache_control") is None:
        return None
    new = {name: value for name, value in tool.items() if name != "cache_control"}
    change = Change(
        NAME, f"{where}.cache_control", "a deferred tool cannot be cached", brief(tool["cache_control"])
    )
    return new, change


def _with_schema_type(tool: Tool, where: str) -> tuple[Tool, Change] | None:
    schema = tool.get("input_schema")
    if not isinstance(schema, Mapping) or tool.get("type") not in (None, "custom") or "type" in schema:
        return None
    fields = cast("Tool", schema)
    if fields and "properties" not in fields:
        return None  # a schema of something else
    change = Change(NAME, f"{where}.input_schema.type", "missing", None, "object")
    return {**tool, "input_schema": {"type": "object", **fields}}, change


RULES = (
    Rule(
        NAME,
        "Tools need names that match [a-zA-Z0-9_-]{1,64} and are unique, and an input schema of type object.",
        "Adds a missing schema type, drops exact duplicates and breakpoints on deferred tools, translates "
        "other APIs' form; names are never changed.",
        _check,
        _repair,
        order=12,
        about=frozenset({"tools"}),
    ),
)
