"""The models as the commands know them: the built-in table, corrected by what the Models API said."""

from __future__ import annotations

import asyncio
import os
from typing import Final

import anyio

from headway.cli.credentials import require_credential
from headway.cli.doctor_local import DEFAULT_URL
from headway.cli.exit_status import CommandError
from headway.core.catalog import Catalog

PATIENCE: Final = 5.0
"""Seconds for which a check waits for the Models API; without it the table serves."""


def remembered() -> Catalog:
    """What was listed within the last day, or the built-in table. Asks nobody."""
    from headway.adapters.anthropic.models_cache import cached_catalog

    return cached_catalog(os.environ.get("ANTHROPIC_BASE_URL") or DEFAULT_URL)


def refreshed() -> Catalog:
    """The same, but the Models API is asked (once a day) when there is a key."""
    try:
        require_credential(lambda _: None)
    except CommandError:
        return remembered()
    return asyncio.run(_ask())


async def _ask() -> Catalog:
    from headway.adapters.anthropic import make_client
    from headway.adapters.anthropic.connect import CredentialError
    from headway.adapters.anthropic.models import AnthropicModels

    try:
        client = make_client()
    except CredentialError:
        return remembered()
    async with client:
        models = AnthropicModels(client)
        with anyio.move_on_after(PATIENCE):
            await models.refresh()
        return models.catalog
