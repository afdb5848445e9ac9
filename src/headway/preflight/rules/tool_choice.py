"""``tool_choice``: in the API's form, of a tool that is there, and not forced where that is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, cast

from headway.core.change import Change, brief
from headway.preflight.facts import Body, Facts
from headway.preflight.finding import Finding
from headway.preflight.rule import Mended, Rule, UnrepairableError

NAME: Final = "tool_choice"
TYPES: Final = ("auto", "any", "tool", "none")
FORCED: Final = ("any", "tool")
_WORDS: Final = {"auto": "auto", "none": "none", "any": "any", "required": "any"}
"""The same choices as other APIs write them."""


def _fields(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def _translated(choice: object) -> dict[str, object] | None:
    """The same choice in this API's form, when it was written in another's."""
    if isinstance(choice, str):
        word = _WORDS.get(choice)
        return None if word is None else {"type": word}
    fields = _fields(choice)
    if fields.get("type") == "function":
        name = _fields(fields.get("function")).get("name") or fields.get("name")
        return {"type": "tool", "name": name} if isinstance(name, str) else None
    if fields.get("type") == "required":
        return {**fields, "type": "any"}
    return None


def _unknown_tool(body: Body, choice: Mapping[str, object]) -> object:
    """The name of a chosen tool that is not offered; toolsets and MCP servers bring names of their own."""
    tools = body.get("tools") or list[object]()
    if choice.get("type") != "tool" or not isinstance(tools, list) or body.get("mcp_servers"):
        return None
    names = [_fields(tool).get("name") for tool in cast("list[object]", tools)]
    wanted = choice.get("name")
    return None if wanted in names or None in names else wanted


def _thinks(body: Body, facts: Facts) -> bool:
    """Asked to think in a way that does not go with a forced tool."""
    kind = _fields(body.get("thinking")).get("type")
    manual = facts.model is not None and "enabled" in facts.model.thinking
    return kind == "enabled" or (kind == "adaptive" and manual)


def _check(body: Body, facts: Facts) -> Iterator[Finding]:
    choice = body.get("tool_choice")
    if choice is None:
        return
    fields = _fields(choice)
    kind = fields.get("type")
    if kind not in TYPES:
        remedy = 'Use {"type": "auto"}, "any", "none", or {"type": "tool", "name": …}.'
        yield Finding(NAME, "tool_choice", "is not in the form of the Messages API", remedy)
    elif kind in FORCED and facts.model is not None and not facts.model.forced_tool_choice:
        remedy = 'Use {"type": "auto"} and say in the prompt that a tool must be called.'
        yield Finding(NAME, "tool_choice", f"{kind!r} is refused by {facts.model.prefix}", remedy)
    elif kind in FORCED and _thinks(body, facts):
        remedy = 'Use {"type": "auto"}, or leave thinking out.'
        yield Finding(NAME, "tool_choice", f"{kind!r} does not go with thinking", remedy)
    elif (name := _unknown_tool(body, fields)) is not None:
        yield Finding(NAME, "tool_choice.name", f"no tool is called {brief(name)!r}", "Name one of tools.")


def _repair(body: Body, facts: Facts) -> Mended:
    found = next(_check(body, facts), None)
    if found is None:
        return Mended(body, ())
    old = body["tool_choice"]
    if (translated := _translated(old)) is not None:
        change = Change(NAME, "tool_choice", "written as in another API", brief(old), translated)
        rest = _repair({**body, "tool_choice": translated}, facts)
        return Mended(rest.body, (change, *rest.changes))
    fields = _fields(old)
    if fields.get("type") not in FORCED or found.path != "tool_choice":
        raise UnrepairableError(str(found))
    new = {name: value for name, value in fields.items() if name != "name"} | {"type": "auto"}
    change = Change(NAME, "tool_choice", found.problem, brief(dict(fields)), new)
    return Mended({**body, "tool_choice": new}, (change,))


RULES = (
    Rule(
        NAME,
        "tool_choice must be of the API's form; some models refuse to be forced to use a tool.",
        "Translates other APIs' forms; lets the model choose (auto) where forcing is refused.",
        _check,
        _repair,
        order=16,
        about=frozenset({"tool_choice"}),
    ),
)
