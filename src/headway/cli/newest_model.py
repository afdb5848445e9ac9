"""``--model newest:sonnet``: which id that is today, said once and kept for the next run."""

from __future__ import annotations

import os
from collections.abc import Callable

from headway.cli.exit_status import CommandError
from headway.core.catalog import NEWEST
from headway.core.request import RequestError


def resolved_model(name: str, base_url: str, say: Callable[[str], None]) -> str:
    """The id that a name stands for, by the listing of the last day if there is one on disk, else by the built-in
    table. Raises `CommandError`."""
    if not name.lower().startswith(NEWEST):
        return name
    from headway.adapters.anthropic.models_cache import cached_catalog

    try:
        model = cached_catalog(os.environ.get("ANTHROPIC_BASE_URL") or base_url).resolve(name)
    except RequestError as error:
        raise CommandError(f"--model: {error.problem}") from None
    say(f"{name} is {model}")
    return model
