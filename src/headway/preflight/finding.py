"""What a rule found in a request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """The API would refuse the request."""
    WARNING = "warning"
    """It works today, but wastes money or stops working soon."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a request. It never quotes the prompt."""

    rule: str
    """The rule's name, as in `RepairPolicy`."""
    path: str
    """Where: ``max_tokens``, ``messages.3.content.0``."""
    problem: str
    """What is wrong."""
    remedy: str
    """What the user can do."""
    severity: Severity = Severity.ERROR
    tool: str | None = None
    """What a repair of this finding needs beyond arithmetic: ``images`` (Pillow), ``files`` (the Files API).
    ``None``: the rule repairs it by itself, or nobody can."""
    bound: int | None = None
    """What the value may be at most, where a tool has to know it: pixels a side of an image."""

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}. {self.remedy}"
