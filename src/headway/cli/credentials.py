"""Looking for a credential before the SDK is imported; no part of one is ever shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from headway.cli.exit_status import CommandError

KEYS: Final = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
ELSEWHERE: Final = ("ANTHROPIC_PROFILE", "ANTHROPIC_IDENTITY_TOKEN", "ANTHROPIC_IDENTITY_TOKEN_FILE")
"""Other ways of the SDK (2.12, ``lib/credentials``), which it checks itself."""
MISSING: Final = (
    "no API key: set ANTHROPIC_API_KEY to a key from https://platform.claude.com/settings/keys\n"
    "  export ANTHROPIC_API_KEY=…      (or ANTHROPIC_AUTH_TOKEN, or ANTHROPIC_PROFILE)\n"
    "To try headway without a key: headway demo"
)


def require_credential(warn: Callable[[str], None], environment: Mapping[str, str] | None = None) -> None:
    """Raise `CommandError` when there is nothing to authenticate with; warn about white space and quotes."""
    environment = os.environ if environment is None else environment
    found = {name: environment[name] for name in KEYS if environment.get(name, "").strip(" \t\r\n\"'")}
    for name, text in found.items():
        if text != text.strip().strip("\"'").strip():
            warn(f"{name} has white space or quotes around it; they are left out")
    if found or any(environment.get(name) for name in ELSEWHERE) or profile_on_disk(environment):
        return
    empty = [name for name in KEYS if name in environment]
    raise CommandError(f"{empty[0]} is empty.\n{MISSING}" if empty else MISSING)


def profile_on_disk(environment: Mapping[str, str]) -> bool:
    """Whether the SDK would find a profile."""
    folder = environment.get("ANTHROPIC_CONFIG_DIR")
    base = Path(folder) if folder else Path.home() / ".config" / "anthropic"
    try:
        return (base / "active_config").is_file() or any((base / "configs").glob("*.json"))
    except OSError:
        return False
