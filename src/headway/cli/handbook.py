"""The error handbook: what the tables say of each kind of failure, put together for people and for JSON."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from headway.core.conduct import conduct
from headway.core.error_code import ERROR_CODES, ErrorCode
from headway.core.error_kind import TABLE, KindRow
from headway.core.failure import ErrorResponse, classify, failure_of
from headway.errors import job_error
from headway.preflight.rule import Rule
from headway.preflight.rules import all_rules


@dataclass(frozen=True, slots=True)
class Entry:
    """All there is to say of one kind of failure."""

    row: KindRow
    conduct: str
    """What headway does."""
    codes: tuple[ErrorCode, ...]
    """The ``error_code`` values that lead here and are known."""
    exception: str
    """The class that ``await job`` raises in the end."""
    rules: tuple[str, ...]
    """Preflight rules that can mend a request the API refused this way."""

    @property
    def name(self) -> str:
        """The kind."""
        return self.row.kind.value

    @property
    def statuses(self) -> tuple[int, ...]:
        """HTTP statuses it comes with, also where a code or the message tells it from others of the status."""
        row = self.row
        types = {name: other.statuses for other in TABLE for name in other.types}
        beside = {status for name in row.within for status in types.get(name, ())}
        return tuple(sorted({*row.statuses, *(code.status for code in self.codes), *beside}))

    def to_json(self) -> dict[str, object]:
        """As plain JSON."""
        row = self.row
        return {
            "kind": self.name,
            "meaning": row.meaning,
            "headway": self.conduct,
            "you": row.remedy,
            "statuses": list(self.statuses),
            "types": list(row.types),
            "also": list(row.also),
            "error_codes": [
                {"name": code.name, "status": code.status, "meaning": code.meaning} for code in self.codes
            ],
            "messages": list(row.patterns),
            "exception": self.exception,
            "scope": row.scope.value,
            "resumable": row.resumable,
            "repair": list(self.rules),
        }


@cache
def handbook() -> tuple[Entry, ...]:
    """Every kind, in the order of the table."""
    rules = all_rules()
    return tuple(
        Entry(
            row,
            conduct(row),
            tuple(code for code in ERROR_CODES if kind_of(code) is row.kind),
            type(job_error(failure_of(row.kind, ""), (), resumable=False)).__name__,
            tuple(rule.name for rule in rules if row.kind in rule.after),
        )
        for row in TABLE
    )


def kind_of(code: ErrorCode) -> object:
    """The kind that an error with this code is."""
    return classify(ErrorResponse(code.status, error_code=code.name)).kind


def rule_json(rule: Rule) -> dict[str, object]:
    """A preflight rule as plain JSON."""
    return {
        "rule": rule.name,
        "meaning": rule.meaning,
        "repairs": rule.repairs,
        "after": sorted(kind.value for kind in rule.after),
    }


def rules_by_name() -> dict[str, list[Rule]]:
    """Rules by their name in `RepairPolicy`; several may share one."""
    found: dict[str, list[Rule]] = {}
    for rule in all_rules():
        found.setdefault(rule.name, []).append(rule)
    return found
