"""What to say of a model that the API does not know: the nearest ids, and the newest of its line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headway.core.model_facts import MODELS


@dataclass(frozen=True, slots=True)
class KnownModel:
    """What is needed of a model that exists."""

    id: str
    line: str | None
    """``haiku``, ``sonnet``, ``opus`` …"""
    lifecycle: str
    """``active``, ``deprecated`` or ``retired``."""
    created: str
    """ISO date or time: orders a line."""
    retires: str | None = None

    @property
    def active(self) -> bool:
        """New work may begin with it."""
        return self.lifecycle == "active"


def built_in() -> tuple[KnownModel, ...]:
    """The models of the built-in table, where the API's own list cannot be had."""
    return tuple(
        KnownModel(facts.prefix, facts.line, facts.lifecycle, facts.created, facts.retires)
        for facts in MODELS
    )


def advice(model: str, known: Iterable[KnownModel]) -> str:
    """One or two sentences: what is wrong with ``model``, and which ids to use in its place."""
    models = list(known)
    exact = next((row for row in models if row.id == model), None)
    near = [row for row in _nearest(model, models) if row.id != model]
    until = f" ({exact.retires[:10]})" if exact and exact.retires else ""
    if exact is None:
        alike = " or ".join(row.id for row in near)
        said = f"{model} does not exist" + (f": did you mean {alike}?" if alike else ".")
    elif exact.lifecycle == "retired":
        said = f"{model} is retired{until}."
    elif exact.active:
        said = f"{model} exists, but it is not open to this key or workspace."
    else:
        said = f"{model} is deprecated{until} and is not served here any more, or not open to this key."
    line = exact.line if exact else next((row.line for row in near if row.line), None)
    newest = _newest(line, models)
    return (
        said if newest is None or newest.id == model else f"{said} The newest active {line} is {newest.id}."
    )


def _nearest(model: str, models: Sequence[KnownModel]) -> list[KnownModel]:
    """At most three, nearest first; of equally near ones the newer first, and none that is retired."""
    by_id = {row.id: row for row in sorted(models, key=lambda row: row.created, reverse=True) if row.active}
    found = difflib.get_close_matches(model.lower(), by_id, n=3, cutoff=0.75)
    if not found:
        line = next((row.line for row in by_id.values() if row.line and row.line in model.lower()), None)
        return [newest] if (newest := _newest(line, models)) else []
    if difflib.SequenceMatcher(None, model.lower(), found[0]).ratio() > 0.95:
        found = found[:1]  # a slip of the finger
    return [by_id[name] for name in found]


def _newest(line: str | None, models: Sequence[KnownModel]) -> KnownModel | None:
    rows = [row for row in models if row.active and line is not None and row.line == line]
    return max(rows, key=lambda row: row.created, default=None)
