"""What a repair changed in a request: nothing is repaired silently."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, cast

PLACED: Final = "cache_auto"
"""The rule of changes that only place a breakpoint for the prompt cache: they mend nothing."""
LONGEST_SHOWN: Final = 200
"""Characters of a value that are kept: an image or a conversation is named by its size."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was changed, in the words of the request."""

    rule: str
    """The rule that did it."""
    path: str
    """Where: ``max_tokens``, ``messages.3.content.0``."""
    reason: str
    """Why the request could not stay as it was."""
    old: object = field(default=None, repr=False)
    """The value before; ``None``: there was none. Long values in brief."""
    new: object = field(default=None, repr=False)
    """The value after; ``None``: it was removed."""

    def __str__(self) -> str:
        """Without the values: they may quote the prompt."""
        return f"{self.path} ({self.rule}: {self.reason})"

    def to_json(self) -> dict[str, object]:
        """As plain JSON, for outcome and journal."""
        return {"rule": self.rule, "path": self.path, "reason": self.reason, "old": self.old, "new": self.new}

    @classmethod
    def from_json(cls, data: dict[str, object]) -> Change:
        """The inverse of `to_json`."""
        rule, path, reason = (str(data.get(name, "")) for name in ("rule", "path", "reason"))
        return cls(rule, path, reason, data.get("old"), data.get("new"))


def brief(value: object) -> object:
    """A value short enough to be kept beside the request: long texts and structures become their size."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value if len(value) <= LONGEST_SHOWN else f"{value[:60]}… ({len(value):,} characters)"
    if isinstance(value, dict | list):
        text = repr(cast("object", value))
        kind = "fields" if isinstance(value, dict) else "items"
        size = len(cast("list[object]", value))
        return cast("object", value) if len(text) <= LONGEST_SHOWN else f"{size:,} {kind}"
    return type(value).__name__
