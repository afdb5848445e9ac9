"""What answers cost, by a name: a tenant, or a tag that the caller chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from headway.core.usage import NO_USAGE, Usage

MOST: Final = 10_000
"""Names told apart: a service may have millions of tenants, and a status is no database."""
OTHERS: Final = "(others)"


@dataclass(frozen=True, slots=True)
class CostLine:
    """What one name has cost."""

    usd: float = 0.0
    """At list price, of the models whose price is known."""
    answers: int = 0
    usage: Usage = NO_USAGE
    unpriced: int = 0
    """Answers of models whose price is unknown; not in ``usd``."""
    maybe_billed: int = 0
    """Requests that may have been billed although no answer reached us; not in ``usd``."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What was spent, by who and for what. Jobs without a name are under the empty one."""

    by_tenant: Mapping[str, CostLine] = field(default_factory=dict[str, CostLine])
    by_tag: Mapping[str, CostLine] = field(default_factory=dict[str, CostLine])


class CostSheet:
    """Adds up by name; names beyond the first `MOST` share a line."""

    def __init__(self) -> None:
        self._lines: dict[str, CostLine] = {}

    def answer(self, name: str, usage: Usage, usd: float | None) -> None:
        """An answer came."""
        name, line = self._line(name)
        self._lines[name] = CostLine(
            line.usd + (usd or 0.0),
            line.answers + 1,
            line.usage + usage if line.answers else usage,
            line.unpriced + (usd is None),
            line.maybe_billed,
        )

    def unanswered(self, name: str, count: int) -> None:
        """So many requests may have been billed without an answer."""
        if count:
            name, line = self._line(name)
            self._lines[name] = replace(line, maybe_billed=line.maybe_billed + count)

    def lines(self) -> dict[str, CostLine]:
        """Every name, in the order in which they came."""
        return dict(self._lines)

    def _line(self, name: str) -> tuple[str, CostLine]:
        if name not in self._lines and len(self._lines) >= MOST:
            name = OTHERS
        return name, self._lines.get(name, CostLine())
