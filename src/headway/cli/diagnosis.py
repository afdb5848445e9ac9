"""What was looked at, how it is, and what to do: the lines of ``headway doctor``."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Mark(StrEnum):
    """How it is."""

    FINE = "fine"
    NOTE = "note"
    """Worth knowing, neither good nor bad."""
    WARNING = "warning"
    """It works, but."""
    BROKEN = "broken"
    """It does not work."""


_SIGN: Final = {Mark.FINE: "✓", Mark.NOTE: "·", Mark.WARNING: "!", Mark.BROKEN: "✗"}
_PLAIN: Final = {Mark.FINE: "ok", Mark.NOTE: "-", Mark.WARNING: "!", Mark.BROKEN: "X"}
_STYLE: Final = {Mark.FINE: "32", Mark.NOTE: "2", Mark.WARNING: "33", Mark.BROKEN: "31;1"}
NAME: Final = 12
WIDTH: Final = 110


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    mark: Mark
    text: str
    remedy: str = ""
    """What to do; empty when there is nothing."""


def show(checks: Sequence[Check], *, as_json: bool) -> None:
    """Print them."""
    if as_json:
        rows = [
            {"check": c.name, "result": c.mark.value, "text": c.text, "remedy": c.remedy or None}
            for c in checks
        ]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    signs = _SIGN if _can_write("✓✗·") else _PLAIN
    for check in checks:
        print("\n".join(_lines(check, signs)))
    worst = [check for check in checks if check.mark is Mark.BROKEN]
    warnings = sum(1 for check in checks if check.mark is Mark.WARNING)
    verdict = f"broken: {', '.join(check.name for check in worst)}" if worst else "nothing is broken"
    print(f"\n{verdict}{f'; warnings: {warnings}' if warnings else ''}")


def _lines(check: Check, signs: dict[Mark, str]) -> Iterator[str]:
    sign = signs[check.mark]
    shown = f"\x1b[{_STYLE[check.mark]}m{sign}\x1b[0m" if sys.stdout.isatty() else sign
    indent = " " * (len(sign) + NAME + 2)
    first, *rest = textwrap.wrap(check.text, WIDTH - len(indent), break_on_hyphens=False) or [""]
    yield f"{shown} {check.name:<{NAME}} {first}"
    yield from (indent + line for line in rest)
    for number, line in enumerate(
        textwrap.wrap(check.remedy, WIDTH - len(indent) - 2, break_on_hyphens=False)
    ):
        yield f"{indent}{'→ ' if number == 0 else '  '}{line}"


def _can_write(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
