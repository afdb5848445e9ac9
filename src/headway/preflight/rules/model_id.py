"""A model id that exists, and for how long."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from headway.core.catalog import Catalog
from headway.core.change import Change
from headway.core.model_suggestion import suggest
from headway.core.nearest import likeness
from headway.preflight.facts import Body, Facts
from headway.preflight.finding import Finding, Severity
from headway.preflight.rule import Mended, Rule, UnrepairableError

NAME: Final = "model"
SURE: Final = 0.85
"""Likeness from which a repair takes the nearest id for the one that was meant."""
_WELL_FORMED: Final = re.compile(r"claude-([a-z]+)-(\d{1,2})(?:-(\d{1,2}))?(?:-\d{8})?$")
"""How ids are spelled from 4 on: line, version, and once a date."""
_DATED: Final = re.compile(r"-(\d{8}|latest)$")


def _check(body: Body, facts: Facts) -> Iterator[Finding]:
    model = body.get("model")
    if isinstance(model, str) and (found := _judged(model, facts.catalog, facts.today)) is not None:
        yield found


@lru_cache(maxsize=512)
def _judged(model: str, catalog: Catalog, today: str) -> Finding | None:
    """What is wrong with an id on a day; worked out once for the jobs of a run."""
    known = catalog.find(model)
    if (gone := catalog.retired(model)) is not None:
        return _finding(f"{model} was retired{f' on {gone.on}' if gone.on else ''}", _advice(catalog, model))
    if known is not None:
        if known.retires and known.retires <= today and not known.listed:
            return _finding(f"{model} was to be retired on {known.retires}", _advice(catalog, model))
        if known.lifecycle == "deprecated":
            will = "was to" if known.retires and known.retires <= today else "will"
            when = f" and {will} be retired on {known.retires}" if known.retires else ""
            return _finding(f"{model} is deprecated{when}", _advice(catalog, model), Severity.WARNING)
        dated = _DATED.search(model) if model.startswith("claude-") else None
        if dated is None or model in {known.prefix, known.snapshot}:
            return None
        stands = known.snapshot or known.prefix
        severity = Severity.ERROR if dated[1] == "latest" or catalog.ids else Severity.WARNING
        return _finding(f"{model} is no id that is known", f"Use {stands}.", severity)
    near = catalog.nearest(model)
    if _may_be_newer(model, catalog):
        problem = f"{model} is not in headway's table of {catalog.as_of}: it may be newer, or not exist"
        return _finding(problem, suggest(model, catalog), Severity.WARNING)
    if (
        model.startswith("claude-")
        or (near and likeness(catalog.spelled(model), near[0]) >= SURE)
        or model in catalog.lines
    ):
        return _finding(f"{model} does not exist", suggest(model, catalog))
    remedy = "It works only if your base URL serves it; otherwise take an id of the models list."
    return _finding(f"{model} is no Claude model that headway knows", remedy, Severity.WARNING)


def _may_be_newer(model: str, catalog: Catalog) -> bool:
    """An id as Anthropic would spell a model that came after a table which nobody has refreshed."""
    found = _WELL_FORMED.match(model)
    if found is None or catalog.ids:
        return False
    newest = _WELL_FORMED.match(catalog.newest(found[1]) or "")
    if newest is None:  # a new line, unless it is an old one mistyped
        return all(likeness(found[1], line) < SURE for line in catalog.lines)
    return _version(found) > _version(newest)


def _version(found: re.Match[str]) -> tuple[int, int]:
    return int(found[2]), int(found[3] or 0)


def _advice(catalog: Catalog, model: str) -> str:
    heir = catalog.successor(model)
    if heir is None:
        return "Move to an active model: https://platform.claude.com/docs/en/about-claude/models."
    return f"Move to {heir}, the newest active one of its line."


def _finding(problem: str, remedy: str, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(NAME, "model", problem, remedy, severity)


def _repair(body: Body, facts: Facts) -> Mended:
    found = next(_check(body, facts), None)
    if found is None or found.severity is Severity.WARNING:
        return Mended(body, ())
    model = str(body["model"])
    heir = _heir(model, facts.catalog)
    if heir is None or heir == model:
        raise UnrepairableError(str(found))
    return Mended({**body, "model": heir}, (Change(NAME, "model", found.problem, model, heir),))


def _heir(model: str, catalog: Catalog) -> str | None:
    known = catalog.find(model)
    if catalog.retired(model) is not None or (known and known.retires):
        return catalog.successor(model)
    if known is not None:
        return known.snapshot or known.prefix
    if model in catalog.lines:
        return catalog.newest(model)
    near = catalog.nearest(model)
    return near[0] if near and likeness(catalog.spelled(model), near[0]) >= SURE else None


RULES = (
    Rule(
        NAME,
        "The model must exist, and should not be about to be retired.",
        "Replaces a retired model by the newest active one of its line, and a mistyped id by the nearest.",
        _check,
        _repair,
        order=0,
    ),
)
