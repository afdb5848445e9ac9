"""What answers cost, by a name: a tenant, or a tag that the caller chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from headway.core.usage import NO_USAGE, Usage
from headway.core.usage_sum import UsageSum

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


class _Line:
    """A `CostLine` that is still being written."""

    __slots__ = ("answers", "maybe_billed", "unpriced", "usage", "usd")

    def __init__(self) -> None:
        self.usd = 0.0
        self.answers = self.unpriced = self.maybe_billed = 0
        self.usage = UsageSum()

    def fixed(self) -> CostLine:
        return CostLine(self.usd, self.answers, self.usage.total(), self.unpriced, self.maybe_billed)


class CostSheet:
    """Adds up by name; names beyond the first `MOST` share a line."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    def answer(self, name: str, usage: Usage, usd: float | None) -> None:
        """An answer came."""
        line = self._line(name)
        if line.answers:
            line.usage.add(usage)
        else:
            line.usage = UsageSum(usage)
        line.answers += 1
        if usd is None:
            line.unpriced += 1
        else:
            line.usd += usd

    def unanswered(self, name: str, count: int) -> None:
        """So many requests may have been billed without an answer."""
        if count:
            self._line(name).maybe_billed += count

    def lines(self) -> dict[str, CostLine]:
        """Every name, in the order in which they came."""
        return {name: line.fixed() for name, line in self._lines.items()}

    def _line(self, name: str) -> _Line:
        found = self._lines.get(name)
        if found is not None:
            return found
        if len(self._lines) >= MOST:
            name = OTHERS
        return self._lines.setdefault(name, _Line())
