"""``temperature``, ``top_p`` and ``top_k``, which the API of today refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from headway.core.change import Change
from headway.preflight.facts import Body, Facts
from headway.preflight.finding import Finding
from headway.preflight.rule import Mended, Rule

NAME: Final = "sampling"
PARAMETERS: Final = ("temperature", "top_p", "top_k")


def has_own_version(model: str) -> bool:
    """By its spelling the id of a platform (Bedrock, Vertex, a gateway) that does not speak API version
    2026-10-21 but one of its own."""
    return not model.startswith("claude-") or "@" in model


def _given(body: Body, facts: Facts) -> list[str]:
    given = [name for name in PARAMETERS if body.get(name) is not None]
    if not given:
        return []
    elsewhere = has_own_version(str(body.get("model")))  # where older models still take them
    return [] if elsewhere and (facts.model is None or facts.model.sampling) else given


def _check(body: Body, facts: Facts) -> Iterator[Finding]:
    for name in _given(body, facts):
        problem = "refused since API version 2026-10-21, which the SDK sends, even at its default value"
        yield Finding(NAME, name, problem, "Leave it out; say in the prompt how varied answers should be.")


def _repair(body: Body, facts: Facts) -> Mended:
    given = _given(body, facts)
    if not given:
        return Mended(body, ())
    changes = tuple(Change(NAME, name, "refused by the API", body[name], None) for name in given)
    return Mended({name: value for name, value in body.items() if name not in given}, changes)


RULES = (
    Rule(
        NAME,
        "API version 2026-10-21 and models from 4.7 on refuse temperature, top_p and top_k.",
        "Removes them.",
        _check,
        _repair,
        order=10,
        about=frozenset({*PARAMETERS}),
    ),
)
