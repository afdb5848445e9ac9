"""What to do about findings, rule by rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from headway.preflight.rules import all_rules


class Mode(StrEnum):
    """What to do when a rule finds something."""

    OFF = "off"
    """Do not look."""
    REPORT = "report"
    """Warn, and send it as it is."""
    STRICT = "strict"
    """Fail before sending."""
    REPAIR = "repair"
    """Mend it and say so; what cannot be mended fails before sending."""


@dataclass(frozen=True, slots=True)
class RepairPolicy:
    """How findings are treated: one mode for all rules, others for some. Nothing is repaired unless asked for.

    ``RepairPolicy("repair")``, ``RepairPolicy(rules={"max_tokens": "repair", "context": "strict"})``.
    """

    default: Mode | str = Mode.REPORT
    rules: Mapping[str, Mode | str] = field(default_factory=dict[str, "Mode | str"])
    keep_first_turn: bool = True
    """When a conversation is trimmed its first user turn stays."""
    attempts: int = 2
    """How often one job may be repaired after a refusal of the API, over all rules together."""

    def __post_init__(self) -> None:
        known = {rule.name for rule in all_rules()}
        for name in self.rules:
            if name not in known:
                raise ValueError(
                    f"RepairPolicy.rules: no rule is called {name!r}; there are {', '.join(sorted(known))}"
                )
        for where, mode in (("default", self.default), *self.rules.items()):
            if mode not in set(Mode):
                raise ValueError(f"RepairPolicy {where}: {mode!r} is none of {', '.join(Mode)}")
        if self.attempts < 0:
            raise ValueError(f"RepairPolicy.attempts must be 0 or more, not {self.attempts!r}")

    def mode(self, rule: str) -> Mode:
        """The mode of a rule."""
        mode = self.rules.get(rule, self.default)
        return mode if type(mode) is Mode else Mode(mode)  # asked for each rule of each request
