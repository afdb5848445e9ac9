"""Findings over many requests: counted in groups, so that a million of the same take a line, not a gigabyte."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from headway.core.catalog import BUILT_IN, Catalog
from headway.core.request import Request
from headway.preflight.check import check
from headway.preflight.facts import Facts, facts_for
from headway.preflight.finding import Finding, Severity
from headway.preflight.policy import RepairPolicy
from headway.preflight.repair import repair
from headway.preflight.rule import UnrepairableError
from headway.preflight.rules import all_rules

MOST_GROUPS: Final = 1000
"""Different kinds of finding that are told apart; the rest is counted by rule alone."""
LINE_RULE: Final = "line"
"""Stands in place of a rule for lines that are no request."""
_NUMBER: Final = re.compile(r"\d[\d,._]*")
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")


@dataclass(slots=True)
class Group:
    """Findings that differ only in numbers and names."""

    example: Finding
    number: int
    """The first line."""
    count: int = 1
    """Requests concerned."""
    mends: str | None = None
    """What ``--repair`` needs to be told; ``None``: only the user can mend it."""


@dataclass(slots=True)
class FindingsTally:
    """What preflight found in the requests it was shown."""

    today: str
    """ISO date."""
    policy: RepairPolicy | None = None
    """Rules that are ``off`` do not look."""
    catalog: Catalog = BUILT_IN
    checked: int = 0
    refused: int = 0
    """Requests with at least one error."""
    warned: int = 0
    """Requests with warnings only."""
    groups: dict[tuple[str, ...], Group] = field(default_factory=dict[tuple[str, ...], Group])
    _facts: dict[str, Facts] = field(default_factory=dict[str, Facts])

    def look(self, request: Request, number: int) -> Sequence[Finding]:
        """Check a request and count what is found."""
        facts = self.facts_of(request)
        findings = check(request.params, facts, self.policy)
        self.checked += 1
        if findings:
            self._count(findings, number, request.params, facts)
        return findings

    def add_bad_line(self, problem: str, number: int) -> Finding:
        """Count a line that is no request; gives it as a finding."""
        finding = Finding(LINE_RULE, f"line {number}", problem, "Correct the line.")
        self.checked += 1
        self._count([finding], number, {}, None)
        return finding

    def by_weight(self) -> Iterator[Group]:
        """Groups: errors before warnings, the most frequent first."""
        return iter(
            sorted(self.groups.values(), key=lambda g: (g.example.severity is not Severity.ERROR, -g.count))
        )

    def facts_of(self, request: Request) -> Facts:
        """What is known of its model."""
        model = request.model
        facts = self._facts.get(model)
        if facts is None:
            facts = facts_for(request.params, self.today, self.catalog)
            if len(self._facts) < MOST_GROUPS:
                self._facts[model] = facts
        return facts

    def _count(
        self, findings: Sequence[Finding], number: int, body: Mapping[str, object], facts: Facts | None
    ) -> None:
        if any(finding.severity is Severity.ERROR for finding in findings):
            self.refused += 1
        else:
            self.warned += 1
        keys: set[tuple[str, ...]] = set()
        for finding in findings:
            key = _likeness(finding)
            if key not in self.groups and len(self.groups) >= MOST_GROUPS:
                key = (finding.rule, finding.severity)
            if key in keys:  # twice in one request
                continue
            keys.add(key)
            if group := self.groups.get(key):
                group.count += 1
            else:
                self.groups[key] = Group(finding, number, mends=_mends(finding, body, facts))


def _likeness(finding: Finding) -> tuple[str, ...]:
    said = _QUOTED.sub("'…'", _NUMBER.sub("#", finding.problem))
    return finding.rule, finding.severity, _NUMBER.sub("#", finding.path), said


def _mends(finding: Finding, body: Mapping[str, object], facts: Facts | None) -> str | None:
    """Whether the rule's repair really takes the finding away (or a tool is there to try)."""
    if facts is None or finding.rule not in _repairing():
        return finding.rule if finding.tool else None
    if finding.tool:
        return finding.rule
    policy = RepairPolicy("off", rules={finding.rule: "repair"})
    try:
        mended = repair(body, facts, policy)
    except UnrepairableError:
        return None
    left = check(mended.body, facts, policy)
    same = any((other.path, other.problem) == (finding.path, finding.problem) for other in left)
    return None if same or not mended.changes else finding.rule


@cache
def _repairing() -> frozenset[str]:
    return frozenset(rule.name for rule in all_rules() if rule.repair is not None)
