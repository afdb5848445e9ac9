"""Prompt caching: how many breakpoints, where, for how long, and whether they do anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from headway.core.change import Change, brief
from headway.preflight.breakpoints import (
    LONG,
    MOST,
    SHORT,
    Place,
    fields_of,
    has_breakpoint,
    is_empty_text,
    is_thinking,
    places,
    ttl_of,
    with_value,
)
from headway.preflight.facts import Body, Facts
from headway.preflight.finding import Finding, Severity
from headway.preflight.rule import Mended, Rule, UnrepairableError
from headway.preflight.traits import OTHER

NAME: Final = "cache"
SURELY: Final = 1.4
"""Newer tokenizers make about 30 % more tokens than is estimated; only what is short all the same is called so."""


def _check(body: Body, facts: Facts) -> Iterator[Finding]:
    if not has_breakpoint(body):
        return
    every = list(places(body, facts))
    marked = [place for place in every if place.control is not None]
    automatic = body.get("cache_control")
    yield from _count(marked, automatic)
    yield from _placed(marked)
    yield from _lives(every, marked, automatic)
    yield from _useless(every, automatic, facts)


def _count(marked: list[Place], automatic: object) -> Iterator[Finding]:
    number = len(marked) + (automatic is not None)
    if number > MOST:
        counted = f"{number} breakpoints" + (" with the automatic one" if automatic is not None else "")
        remedy = "Keep those at the ends of the longest parts that stay the same."
        where = marked[-1].path if marked else "cache_control"
        yield Finding(NAME, f"{where}.cache_control", f"{counted}; {MOST} are allowed", remedy)


def _placed(marked: list[Place]) -> Iterator[Finding]:
    for place in marked:
        what = (
            "a thinking block"
            if is_thinking(place.block)
            else "empty text"
            if is_empty_text(place.block)
            else ""
        )
        if what:
            remedy = "Put it on the block before or after."
            yield Finding(NAME, f"{place.path}.cache_control", f"{what} cannot be a breakpoint", remedy)


def _lives(every: list[Place], marked: list[Place], automatic: object) -> Iterator[Finding]:
    found = [(f"{place.path}.cache_control", place.control) for place in marked]
    if automatic is not None:
        found.append(("cache_control", automatic))
    short_at = None
    for where, control in found:
        ttl = ttl_of(control)
        if fields_of(control).get("type") != "ephemeral" or ttl not in (SHORT, LONG):
            remedy = 'Use {"type": "ephemeral"}, with "ttl": "5m" or "1h" if you like.'
            yield Finding(NAME, where, f"{brief(control)!r} is no cache_control", remedy)
        elif ttl == LONG and short_at is not None:
            remedy = "Entries that live longer come first (order: tools, system, messages)."
            yield Finding(NAME, f"{where}.ttl", f"1h comes after 5m at {short_at}", remedy)
        elif ttl == SHORT:
            short_at = short_at or where
    last = next((place for place in reversed(every) if place.takes_breakpoint and not place.nested), None)
    if automatic is not None and last is not None and last.control is not None:
        if ttl_of(last.control) != ttl_of(automatic):
            problem = "the last block has another ttl than the automatic breakpoint, which falls on it"
            yield Finding(NAME, "cache_control", problem, "Give both the same, or drop one.")
        else:
            problem = f"the same place as {last.path}"
            yield Finding(NAME, "cache_control", problem, "Drop one of them.", Severity.WARNING)


def _useless(every: list[Place], automatic: object, facts: Facts) -> Iterator[Finding]:
    """Breakpoints that come before the model's minimum: no error, and no cache."""
    if facts.model is None:
        return
    least = facts.model.cache_minimum
    before = 0.0
    for place in every:
        before += place.tokens
        if place.control is not None and before * SURELY < least:
            yield _too_short(f"{place.path}.cache_control", before, least)
    if automatic is not None and before * SURELY < least:
        yield _too_short("cache_control", before, least)


def _too_short(where: str, tokens: float, least: int) -> Finding:
    problem = (
        f"about {tokens:,.0f} tokens up to here are silently not cached: the model's minimum is {least:,}"
    )
    return Finding(
        NAME, where, problem, "Move it behind more that stays the same, or drop it.", Severity.WARNING
    )


def _repair(body: Body, facts: Facts) -> Mended:
    if not any(found.severity is Severity.ERROR for found in _check(body, facts)):
        return Mended(body, ())
    changes: list[Change] = []
    body = _without_misplaced(body, facts, changes)
    while (place := _least_useful(body, facts)) is not None:
        body = _without(body, place, f"more than {MOST} breakpoints", changes)
    body = _with_order(body, facts, changes)
    left = next((found for found in _check(body, facts) if found.severity is Severity.ERROR), None)
    if left is not None:
        raise UnrepairableError(str(left))
    return Mended(body, tuple(changes))


def _without(body: Body, place: Place, reason: str, changes: list[Change]) -> Body:
    changes.append(Change(NAME, f"{place.path}.cache_control", reason, brief(place.control)))
    return with_value(body, place.keys, {"cache_control": None})


def _without_misplaced(body: Body, facts: Facts, changes: list[Change]) -> Body:
    for place in list(places(body, facts)):
        if place.control is not None and (is_thinking(place.block) or is_empty_text(place.block)):
            body = _without(body, place, "cannot be a breakpoint", changes)
    return body


def _least_useful(body: Body, facts: Facts) -> Place | None:
    """Of too many breakpoints the one that is missed least: below the model's minimum, else the one that adds
    least to the one before it. The last one stays: it covers most."""
    marked: list[tuple[Place, float]] = []
    since = before = 0.0
    least = facts.model.cache_minimum if facts.model else 0
    for place in places(body, facts):
        since, before = since + place.tokens, before + place.tokens
        if place.control is not None:
            marked.append((place, -1.0 if before < least else since))
            since = 0.0
    if len(marked) + (body.get("cache_control") is not None) <= MOST:
        return None
    candidates = marked if body.get("cache_control") is not None else marked[:-1]
    return min(candidates, key=lambda pair: pair[1])[0]


def _with_order(body: Body, facts: Facts, changes: list[Change]) -> Body:
    """What lives longer than something before it lives as long as that: never at a higher price than asked."""
    short = False
    reason = "1h must not come after 5m"
    for place in [place for place in places(body, facts) if fields_of(place.control)]:
        if short and ttl_of(place.control) == LONG:
            changes.append(Change(NAME, f"{place.path}.cache_control.ttl", reason, LONG, SHORT))
            body = with_value(body, (*place.keys, "cache_control"), {"ttl": SHORT})
        short = short or ttl_of(place.control) == SHORT
    automatic = body.get("cache_control")
    if not fields_of(automatic):
        return body
    last = next((p for p in reversed(list(places(body, facts))) if p.takes_breakpoint and not p.nested), None)
    ttl = ttl_of(last.control) if last is not None and last.control is not None else SHORT if short else None
    if ttl is not None and ttl_of(automatic) != ttl:
        changes.append(Change(NAME, "cache_control.ttl", reason, ttl_of(automatic), ttl))
        body = with_value(body, ("cache_control",), {"ttl": ttl})
    return body


RULES = (
    Rule(
        NAME,
        "At most four breakpoints with the automatic one, 1h before 5m, not on thinking or empty text; below the "
        "model's minimum nothing is cached, silently.",
        "Removes misplaced breakpoints and the least useful surplus; shortens a 1h that comes after a 5m.",
        _check,
        _repair,
        order=60,
        about=frozenset({"cache_control", "tools", OTHER}),
    ),
)
