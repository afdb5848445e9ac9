"""The models the fake API serves: windows, caps, what they reject, and who shares a rate limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Model:
    """What a request's checks need to know of a model."""

    id: str
    line: str
    version: tuple[int, int]
    created_at: str
    window: int = 1_000_000
    """Most input tokens."""
    max_output: int = 128_000
    lifecycle: str = "active"
    retires_at: str | None = None
    alias_of: str | None = None
    group: str = ""
    """Name of the rate limit it shares."""

    @property
    def rejects_prefill(self) -> bool:
        """Whether a request must not end with an assistant turn (4.6 and later)."""
        return self.version >= (4, 6)

    @property
    def tokens_per_estimate(self) -> float:
        """Newer tokenizers make about 30 % more tokens of the same text."""
        return 1.3 if self.version >= (4, 7) or (self.line, self.version) == ("haiku", (5, 5)) else 1.0

    @property
    def cache_minimum(self) -> int:
        """Tokens below which a prefix is silently not cached
        (https://platform.claude.com/docs/en/build-with-claude/prompt-caching)."""
        if self.line == "haiku":
            return 512 if self.version >= (5, 5) else 4096
        if self.line == "sonnet":
            return 512 if self.version >= (5, 5) else 1024
        if self.line == "opus" and self.version < (5, 0):
            return 1024 if self.version == (4, 8) else 2048 if self.version == (4, 7) else 4096
        return 1024 if self.id == "claude-mythos-preview" else 512

    @property
    def display_name(self) -> str:
        """``Claude Sonnet 5.5``."""
        major, minor = self.version
        return f"Claude {self.line.capitalize()} {major}" + (f".{minor}" if minor else "")


def _group(line: str, version: tuple[int, int], own: str) -> str:
    if line == "opus" and (4, 5) <= version <= (4, 8):
        return "opus-4.x"
    if line == "sonnet" and version in ((4, 5), (4, 6)):
        return "sonnet-4.x"
    if line == "fable":
        return "fable-5.x"
    return own


def _model(name: str, line: str, version: tuple[int, int], created: str, **facts: str) -> Model:
    small = version <= (4, 5)
    return Model(
        id=name,
        line=line,
        version=version,
        created_at=f"{created}T00:00:00Z",
        window=200_000 if small else 1_000_000,
        max_output=64_000 if small else 128_000,
        lifecycle=facts.get("lifecycle", "active"),
        retires_at=facts.get("retires_at"),
        alias_of=facts.get("alias_of"),
        group=_group(line, version, facts.get("alias_of", name)),
    )


def _gone(on: str) -> dict[str, str]:
    return {"lifecycle": "retired", "retires_at": f"{on}T00:00:00Z"}


_ROWS: Final = (
    _model("claude-fable-5-2", "fable", (5, 2), "2026-11-09"),
    _model("claude-mythos-5-2", "mythos", (5, 2), "2026-11-09"),
    _model("claude-haiku-5-5", "haiku", (5, 5), "2026-10-07"),
    _model("claude-sonnet-5-5", "sonnet", (5, 5), "2026-09-28"),
    _model("claude-fable-5-1", "fable", (5, 1), "2026-09-01"),
    _model("claude-opus-5-5", "opus", (5, 5), "2026-09-22"),
    _model("claude-mythos-5-1", "mythos", (5, 1), "2026-09-01"),
    _model("claude-sonnet-5", "sonnet", (5, 0), "2026-06-30"),
    _model("claude-fable-5", "fable", (5, 0), "2026-06-09"),
    _model("claude-mythos-5", "mythos", (5, 0), "2026-06-09"),
    _model("claude-opus-5", "opus", (5, 0), "2026-07-24"),
    _model("claude-opus-4-8", "opus", (4, 8), "2026-05-28"),
    _model("claude-opus-4-7", "opus", (4, 7), "2026-04-16"),
    _model(
        "claude-mythos-preview",
        "mythos",
        (4, 9),
        "2026-04-07",
        lifecycle="deprecated",
        retires_at="2026-06-30T00:00:00Z",
    ),
    _model("claude-sonnet-4-6", "sonnet", (4, 6), "2026-02-17"),
    _model("claude-opus-4-6", "opus", (4, 6), "2026-02-05"),
    _model("claude-opus-4-5-20251101", "opus", (4, 5), "2025-11-24"),
    _model("claude-haiku-4-5-20251001", "haiku", (4, 5), "2025-10-15"),
    _model(
        "claude-sonnet-4-5-20250929",
        "sonnet",
        (4, 5),
        "2025-09-29",
        lifecycle="deprecated",
        retires_at="2026-11-30T00:00:00Z",
    ),
    _model("claude-opus-4-1-20250805", "opus", (4, 1), "2025-08-05", **_gone("2026-08-05")),
    _model("claude-sonnet-4-20250514", "sonnet", (4, 0), "2025-05-22", **_gone("2026-06-15")),
    _model("claude-opus-4-5", "opus", (4, 5), "2025-11-24", alias_of="claude-opus-4-5-20251101"),
    _model("claude-haiku-4-5", "haiku", (4, 5), "2025-10-15", alias_of="claude-haiku-4-5-20251001"),
    _model("claude-sonnet-4-5", "sonnet", (4, 5), "2025-09-29", alias_of="claude-sonnet-4-5-20250929"),
)
MODELS: Final[dict[str, Model]] = {
    row.id: row for row in sorted(_ROWS, key=lambda row: row.created_at, reverse=True)
}
"""By id, aliases included; newest first."""
