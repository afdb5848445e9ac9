"""A rule: how to find one kind of fault, and how to mend it.

A module in ``preflight/rules/`` holds ``RULES``, a tuple of these; it is found by itself, so a new rule
touches one file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from headway.core.change import Change
from headway.core.error_kind import ErrorKind
from headway.preflight.facts import Body, Facts
from headway.preflight.finding import Finding


@dataclass(frozen=True, slots=True)
class Mended:
    """A body after a repair, and all that was changed in it."""

    body: Body
    changes: tuple[Change, ...]


class UnrepairableError(Exception):
    """This body cannot be repaired; the text says why. Never leaves headway: it becomes a finding or failure."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One check and, where there is one, its repair."""

    name: str
    """As in `RepairPolicy` and the documentation."""
    meaning: str
    """One sentence: what the API (or the bill) objects to. Ends with a full stop."""
    repairs: str
    """One sentence: what ``repair`` does; empty where only the user can mend it."""
    check: Callable[[Body, Facts], Iterable[Finding]]
    """Findings in a body: cheap enough for every request of a million."""
    repair: Callable[[Body, Facts], Mended] | None = None
    """Mends everything that ``check`` finds and is mended without outside help. Called only after a finding;
    raises `UnrepairableError`. Repairing twice changes nothing more, and a valid body is returned as it is."""
    after: frozenset[ErrorKind] = frozenset()
    """Failures of the API after which this rule is asked to repair, although its check found nothing."""
    order: int = 50
    """Low goes first: what others depend on (model, then shape, then sizes)."""
    about: frozenset[str] = frozenset()
    """Parameters, and traits of the conversation (`preflight.traits`), of which a body must have one for ``check`` to
    find anything in it; empty: it looks at every body."""
