"""Models that answer 404: ids that live on in scripts, with the line to look for a successor in.

From https://platform.claude.com/docs/en/about-claude/model-deprecations and ``DEPRECATED_MODELS`` of
``anthropic`` 2.12.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class RetiredModel:
    """A model that is gone."""

    id: str
    line: str | None = None
    """``None``: no model of today continues it."""
    on: str | None = None
    """ISO date of its end."""


_ENDS: Final[tuple[tuple[str | None, str, tuple[str, ...]], ...]] = (
    (None, "2024-11-06", ("1.3", "1.3-100k", "instant-1.1", "instant-1.1-100k", "instant-1.2")),
    (None, "2025-07-21", ("2.0", "2.1")),
    ("sonnet", "2025-07-21", ("3-sonnet-20240229",)),
    ("sonnet", "2025-10-28",
        ("3-5-sonnet-20240620", "3-5-sonnet-20241022", "3-5-sonnet-latest", "3-5-sonnet")),
    ("opus", "2026-01-05", ("3-opus-20240229", "3-opus-latest")),
    ("sonnet", "2026-02-19", ("3-7-sonnet-20250219", "3-7-sonnet-latest", "3-7-sonnet")),
    ("haiku", "2026-02-19", ("3-5-haiku-20241022", "3-5-haiku-latest", "3-5-haiku")),
    ("haiku", "2026-04-20", ("3-haiku-20240307",)),
    ("opus", "2026-06-15", ("opus-4-20250514", "opus-4-0")),
    ("sonnet", "2026-06-15", ("sonnet-4-20250514", "sonnet-4-0")),
    ("opus", "2026-08-05", ("opus-4-1-20250805", "opus-4-1")),
)  # fmt: skip
RETIRED: Final[dict[str, RetiredModel]] = {
    f"claude-{name}": RetiredModel(f"claude-{name}", line, on) for line, on, names in _ENDS for name in names
}
"""By id."""
