"""``--repair max_tokens,pairs``, ``--repair all``, ``--strict``, ``--no-check``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from headway.cli.exit_status import CommandError
from headway.preflight.policy import Mode, RepairPolicy
from headway.preflight.rules import all_rules

ALL: Final = "all"


def parse_policy(repair: Sequence[str], *, strict: bool, check: bool) -> RepairPolicy:
    """The policy these options tell. Raises `CommandError`."""
    names = [name.strip() for text in repair for name in text.split(",") if name.strip()]
    if not check:
        if strict or names:
            raise CommandError("--no-check excludes --strict and --repair: they need the check")
        return RepairPolicy(Mode.OFF)
    if ALL in names:
        return RepairPolicy(Mode.REPAIR)
    known = sorted({rule.name for rule in all_rules()})
    for name in names:
        if name not in known:
            raise CommandError(f"--repair: no rule is called {name!r}; there are {', '.join(known)}, and all")
    return RepairPolicy(Mode.STRICT if strict else Mode.REPORT, dict.fromkeys(names, Mode.REPAIR))
