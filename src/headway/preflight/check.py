"""Looking a request over before it is paid for."""

from __future__ import annotations

from headway.preflight.facts import Body, Facts
from headway.preflight.finding import Finding
from headway.preflight.policy import Mode, RepairPolicy
from headway.preflight.rules import rules_about
from headway.preflight.traits import traits_of


def check(body: Body, facts: Facts, policy: RepairPolicy | None = None) -> list[Finding]:
    """Everything the rules find in a body, in the order of the rules; rules that are ``off`` do not look."""
    found: list[Finding] = []
    for rule in rules_about(traits_of(body)):
        if policy is None or policy.mode(rule.name) is not Mode.OFF:
            found += rule.check(body, facts)
    return found
