"""``headway doctor``: is everything in place to send messages? Looks, asks, and sends nothing that costs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from headway.cli.diagnosis import Check, Mark, show
from headway.cli.doctor_local import DEFAULT_URL, address, credential, open_files, versions
from headway.cli.exit_status import ExitStatus
from headway.cli.head_look import today
from headway.cli.input_source import DEFAULT_MODEL

TIMEOUT: Final = 20.0
"""Seconds for each question."""


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """The options of ``headway doctor`` as they were given."""

    base_url: str | None = None
    model: str = DEFAULT_MODEL
    send: bool = False
    """One message of one token may be sent."""
    as_json: bool = False


def doctor(options: DoctorOptions) -> ExitStatus:
    """Examine everything and say how it is; status 1 when something is broken."""
    environment = os.environ
    base_url = (options.base_url or environment.get("ANTHROPIC_BASE_URL") or DEFAULT_URL).rstrip("/")
    checks = _local(environment, base_url)
    if not any(check.mark is Mark.BROKEN for check in checks):
        checks += asyncio.run(_remote(options, base_url))
    show(checks, as_json=options.as_json)
    broken = any(check.mark is Mark.BROKEN for check in checks)
    return ExitStatus.SOME_FAILED if broken else ExitStatus.DONE


def _local(environment: Mapping[str, str], base_url: str) -> list[Check]:
    from headway.adapters.anthropic.connect import POOL, RESERVED_FILES, open_file_limit

    files = open_file_limit()
    return [
        *versions(),
        open_files(files, max(8, min(POOL, files - RESERVED_FILES))),
        *address(base_url, environment),
        *credential(environment, base_url),
    ]


async def _remote(options: DoctorOptions, base_url: str) -> list[Check]:
    from headway.adapters.anthropic import make_client
    from headway.adapters.anthropic.connect import CredentialError
    from headway.adapters.anthropic.listing import VARIABLE as ADMIN_VARIABLE
    from headway.cli.doctor_remote import ask, listed_limits

    try:
        client = make_client()
    except CredentialError as error:
        return [Check("key", Mark.BROKEN, str(error))]
    async with client:
        asked = client.with_options(base_url=base_url, timeout=TIMEOUT)
        checks = await ask(asked, options.model, today(), send=options.send)
    if os.environ.get(ADMIN_VARIABLE, "").strip():
        checks += await listed_limits(base_url, options.model)
    return checks
