"""A file that an option names and that holds one JSON object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from headway.cli.exit_status import CommandError


def object_in(path: Path, option: str, wanted: str) -> dict[str, object]:
    """What is in it. Raises `CommandError`, with ``wanted`` where it is something else, or empty."""
    try:
        value: object = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"{option} {path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{option} {path} is not JSON: {error}") from None
    if not isinstance(value, dict) or not value:
        raise CommandError(f"{option} {path} must be {wanted}")
    return cast("dict[str, object]", value)
