"""``stop_sequences``: texts that a model could write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from headway.core.change import Change, brief
from headway.preflight.facts import Body, Facts
from headway.preflight.finding import Finding
from headway.preflight.rule import Mended, Rule, UnrepairableError

NAME: Final = "stop_sequences"


def _check(body: Body, facts: Facts) -> Iterator[Finding]:
    del facts
    given = body.get(NAME)
    if isinstance(given, str):
        yield Finding(NAME, NAME, "is a text, not a list", "Put it into a list.")
        return
    if not isinstance(given, list):
        if given is not None:
            yield Finding(NAME, NAME, f"is {type(given).__name__}, not a list", "Use a list of texts.")
        return
    for index, item in enumerate(cast("list[object]", given)):
        if not isinstance(item, str):
            yield Finding(NAME, f"{NAME}.{index}", "is no text", "Use a list of texts.")
        elif not item.strip():
            problem = "is empty" if not item else "is nothing but white space"
            yield Finding(
                NAME, f"{NAME}.{index}", problem, "Leave it out; cut the answer yourself if you must."
            )


def _repair(body: Body, facts: Facts) -> Mended:
    found = next(_check(body, facts), None)
    if found is None:
        return Mended(body, ())
    old = body[NAME]
    items: list[object] = [old] if isinstance(old, str) else []
    if isinstance(old, list):
        items = cast("list[object]", old)
    if not items or not all(isinstance(item, str) for item in items):
        raise UnrepairableError(str(found))
    kept = [item for item in items if cast("str", item).strip()]
    rest = {name: value for name, value in body.items() if name != NAME}
    change = Change(NAME, NAME, found.problem, brief(body[NAME]), brief(kept) if kept else None)
    return Mended({**rest, NAME: kept} if kept else rest, (change,))


RULES = (
    Rule(
        NAME,
        "Each stop sequence must contain something that is not white space.",
        "Leaves out those that do not; puts a single text into a list.",
        _check,
        _repair,
        order=30,
        about=frozenset({NAME}),
    ),
)
