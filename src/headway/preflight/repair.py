"""Mending a request: only the rules that the policy allows, and every change is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from headway.core.change import Change
from headway.core.error_kind import ErrorKind
from headway.preflight.facts import Body, Facts
from headway.preflight.policy import Mode, RepairPolicy
from headway.preflight.rule import Mended
from headway.preflight.rules import all_rules

_ROUNDS: Final = 4
"""What one rule takes away can leave work for another: a turn that vanishes joins its neighbours. Each round
takes something away, so few are needed; the bound only keeps two rules from undoing each other for ever."""


def repair(body: Body, facts: Facts, policy: RepairPolicy, after: ErrorKind | None = None) -> Mended:
    """The body with everything mended that a rule in mode ``repair`` finds and can mend without outside help.

    With ``after`` also the rules that can help against that refusal of the API, although their check found
    nothing. Raises `UnrepairableError` when such a rule says that it cannot.
    """
    changes: list[Change] = []
    for _ in range(_ROUNDS):
        given = body
        body, facts = _round(body, facts, policy, after, changes)
        if body is given:
            break
        after, facts = None, _unsaid(facts)
    return Mended(body, tuple(changes))


def _unsaid(facts: Facts) -> Facts:
    """Without what was said of the body as it came: it is another one now."""
    return replace(facts, counted=None, overflow=None, refused=None, side_limit=None, most_output=None)


def _round(
    body: Body, facts: Facts, policy: RepairPolicy, after: ErrorKind | None, changes: list[Change]
) -> tuple[Body, Facts]:
    """Every rule once, in order."""
    for rule in all_rules():
        if rule.repair is None or policy.mode(rule.name) is not Mode.REPAIR:
            continue
        if after in rule.after or any(True for _ in rule.check(body, facts)):
            mended = rule.repair(body, facts)
            model = mended.body.get("model")
            if model != body.get("model"):  # the rules after it judge the new one
                facts = replace(facts, model=facts.catalog.find(str(model)))
            body = mended.body
            changes += mended.changes
    return body, facts
