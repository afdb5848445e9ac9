"""``--limit requests=3000,input=600k,output=120k,burst=6`` and ``--limit account,share=0.5``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from headway.cli.exit_status import CommandError
from headway.core.account_limits import AccountLimits
from headway.core.limits import Limits
from headway.errors import AccountLimitsError

NAMES: Final = ("requests", "input", "output", "burst", "share")
FACTORS: Final = {"k": 1e3, "m": 1e6}
ACCOUNT: Final = "account"
"""In place of numbers: read them from the Admin API."""
WORKSPACE: Final = "workspace"


@dataclass(frozen=True, slots=True)
class AccountOption:
    """The limits are to be read from the account."""

    workspace: str | None = None
    """``wrkspc_…``, if not the default workspace."""


def parse_limit(text: str | None) -> tuple[Limits, AccountOption | None]:
    """What the option tells, and whether the rest is to be read from the account. Raises `CommandError`."""
    parts = [part.strip() for part in (text or "").split(",")]
    if ACCOUNT not in parts:
        return parse_limits(text), None
    named = [part for part in parts if part.partition("=")[0].strip() == WORKSPACE]
    workspaces = [part.partition("=")[2].strip() for part in named]
    rest = [part for part in parts if part not in (ACCOUNT, *named)]
    if len(workspaces) > 1 or "" in workspaces:
        raise CommandError("--limit: name one workspace, for example account,workspace=wrkspc_…")
    limits = parse_limits(",".join(rest))
    if limits != Limits(share=limits.share):
        raise CommandError(
            "--limit: account tells all limits; beside it only share=… and workspace=… are taken"
        )
    return limits, AccountOption(workspaces[0] if workspaces else None)


async def read_account(account: AccountOption, share: float) -> AccountLimits:
    """The limits of the account, and the share of them that is used. Raises `CommandError`."""
    from headway.adapters.anthropic.listing import account_limits

    try:
        return (await account_limits(workspace=account.workspace)).share(share)
    except AccountLimitsError as error:
        raise CommandError(f"--limit account: {error}") from None


def parse_limits(text: str | None) -> Limits:
    """The limits an option tells, per minute (``burst`` in seconds). Raises `CommandError`."""
    values: dict[str, float] = {}
    for part in filter(None, map(str.strip, (text or "").split(","))):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        if not equals or name not in NAMES:
            raise CommandError(
                f"--limit: {part!r} is not understood; write requests=3000,input=600k,output=120k"
            )
        if name in values:
            raise CommandError(f"--limit: {name} is given twice")
        values[name] = _number(name, number)
    try:
        return Limits(**values)
    except ValueError as error:
        raise CommandError(f"--limit: {str(error).removeprefix('Limits.')}") from None


def _number(name: str, text: str) -> float:
    factor = FACTORS.get(text[-1:].lower(), 1.0)
    digits = (text[:-1] if factor != 1.0 else text).replace("_", "")
    try:
        return float(digits) * factor
    except ValueError:
        raise CommandError(
            f"--limit: {name}={text} is not a number; write for example 3000, 600k or 1.5M"
        ) from None
