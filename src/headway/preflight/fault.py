"""A rule that finds and mends in one pass: what is found and what was changed cannot drift apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from headway.core.change import Change, brief
from headway.core.error_kind import ErrorKind
from headway.preflight.facts import Body, Facts
from headway.preflight.finding import Finding
from headway.preflight.rule import Mended, Rule, UnrepairableError


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and the values before and after it was mended."""

    path: str
    problem: str
    remedy: str
    old: object = None
    new: object = None
    fatal: bool = False
    """Only the user can mend it."""


Mend = Callable[[Body, Facts], tuple[Body, list[Fault]]]
"""The mended body (the very same one when there was nothing to do) and everything that was wrong."""


def mending_rule(
    name: str,
    meaning: str,
    repairs: str,
    mend: Mend,
    *,
    order: int,
    after: frozenset[ErrorKind] = frozenset(),
    about: frozenset[str] = frozenset(),
) -> Rule:
    """A rule made of one function."""

    def check(body: Body, facts: Facts) -> Iterator[Finding]:
        for fault in mend(body, facts)[1]:
            yield Finding(name, fault.path, fault.problem, fault.remedy)

    def repair(body: Body, facts: Facts) -> Mended:
        mended, faults = mend(body, facts)
        for fault in faults:
            if fault.fatal:
                raise UnrepairableError(f"{fault.path}: {fault.problem}. {fault.remedy}")
        changes = tuple(
            Change(name, fault.path, fault.problem, brief(fault.old), brief(fault.new)) for fault in faults
        )
        return Mended(mended, changes)

    return Rule(name, meaning, repairs, check, repair, after, order, about)
