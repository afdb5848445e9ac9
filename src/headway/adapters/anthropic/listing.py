"""The limits of the account from the Admin API: which models share a bucket, and how large it is.

SDK 2.12: ``client.organization.rate_limits.list()`` and
``client.organization.workspaces.rate_limits.list(workspace)``. Both need an Admin key.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

import anyio

from headway.adapters.anthropic.connect import CredentialError, clean_key
from headway.adapters.anthropic.failures import rejection_of
from headway.core.account_limits import AccountLimits, GroupLimits
from headway.core.error_kind import ErrorKind
from headway.core.failure import Failure
from headway.core.job import Attempt
from headway.core.limits import Limits
from headway.core.retry import Retry, RetryPolicy
from headway.errors import AccountLimitsError

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

VARIABLE: Final = "ANTHROPIC_ADMIN_KEY"
PATIENCE: Final = 30.0
"""Seconds in all, retries included: a run should not wait longer for what it can learn by itself."""
FIRST_PAUSE: Final = 0.25
"""Seconds; doubled with each refusal by 429 or 529 (the SDK's own: .5 s, doubled)."""
_MISSING: Final = (
    f"no Admin key: set {VARIABLE} to a key from the Console (Settings, Admin keys; it begins with "
    "sk-ant-admin), or pass admin_key=. Without one, leave the limits out: headway learns them from the headers"
)
_REFUSED: Final = (
    "the key was not accepted for reading the account's limits: it must be an Admin key (sk-ant-admin…, made "
    "by an admin of the organisation in the Console), an ordinary API key does not do"
)
_Values = Mapping[str, float]
"""Limiter types (SDK, ``workspace_rate_limit_type.py``) and their values. The type is open: unknown ones are
not looked at."""
_INPUT: Final = ("input_tokens_per_minute_cache_aware", "input_tokens_per_minute")
"""The first does not count cache reads, as today's models; the second, of older ones, counts all input."""


async def account_limits(
    admin_key: str | None = None, *, workspace: str | None = None, base_url: str | None = None
) -> AccountLimits:
    """Read the limits of every model group of the organisation, and of a workspace of it.

    ``Scheduler(limits=await account_limits())``: then it starts at full speed, and models that share their
    limits share a budget. ``admin_key`` defaults to ``ANTHROPIC_ADMIN_KEY``; it is used for this and forgotten.
    ``workspace`` (``wrkspc_…``) is the one your API key belongs to, if that is not the default workspace: its
    own limits and those of the organisation both apply, so the smaller counts.

    Raises `AccountLimitsError`, within half a minute.
    """
    read = await _read(admin_key, workspace, base_url)
    admin_key = None  # a traceback with locals must not show it
    if isinstance(read, AccountLimitsError):
        raise read
    return read


async def _read(
    admin_key: str | None, workspace: str | None, base_url: str | None
) -> AccountLimits | AccountLimitsError:
    """Errors are returned: neither the key nor the SDK's exceptions, which hold it, may get into a traceback."""
    if workspace is not None and not workspace.strip():
        return AccountLimitsError("workspace is empty; name it (wrkspc_…) or leave it out")
    given = os.environ.get(VARIABLE, "") if admin_key is None else admin_key
    if admin_key is None and not given.strip():
        return AccountLimitsError(_MISSING)
    key = clean_key(given, VARIABLE if admin_key is None else "admin_key")
    if isinstance(key, CredentialError):
        return AccountLimitsError(str(key))
    from anthropic import AsyncAnthropic, DefaultAioHttpClient

    http = DefaultAioHttpClient()
    try:
        client = AsyncAnthropic(
            api_key=key, base_url=base_url, max_retries=0, http_client=http, timeout=PATIENCE
        )
    except Exception as error:  # noqa: BLE001 - of a base URL that is none
        await http.aclose()
        return AccountLimitsError(f"no client for {base_url or 'ANTHROPIC_BASE_URL'}: {error}")
    async with client:
        return await _ask_until(client, workspace)


async def _ask_until(client: AsyncAnthropic, workspace: str | None) -> AccountLimits | AccountLimitsError:
    policy, attempts = RetryPolicy(), list[Attempt]()
    end = anyio.current_time() + PATIENCE
    with anyio.move_on_at(end):
        while True:
            started = anyio.current_time()
            try:
                return await fetch(client, workspace)
            except Exception as error:  # noqa: BLE001 - every failure becomes a value; cancellation passes
                failure = rejection_of(error).failure
            attempts.append(Attempt(len(attempts) + 1, started, failure=failure))
            now = anyio.current_time()
            jitter = random.random()  # noqa: S311 - jitter, not a secret
            pause = (
                FIRST_PAUSE * 2 ** len(attempts) * (0.5 + jitter / 2)
            )  # after a 429 or 529: no budget knows
            decision = policy.decide(failure, attempts, now, deadline=end, jitter=jitter, budget_wait=pause)
            if not isinstance(decision, Retry):
                return _error(failure, workspace)
            await anyio.sleep_until(decision.not_before)
    return AccountLimitsError(f"the account's limits could not be read within {PATIENCE:g} s")


def _error(failure: Failure, workspace: str | None) -> AccountLimitsError:
    if failure.kind in (ErrorKind.AUTHENTICATION, ErrorKind.PERMISSION):
        return AccountLimitsError(_REFUSED, failure)
    if failure.kind is ErrorKind.NOT_FOUND and workspace is not None:
        return AccountLimitsError(f"there is no workspace {workspace!r} in this organisation", failure)
    return AccountLimitsError(f"the account's limits could not be read: {failure}", failure)


async def fetch(client: AsyncAnthropic, workspace: str | None = None) -> AccountLimits:
    """Ask once, with a client that holds an Admin key. Raises the SDK's exceptions."""
    entries: dict[str, _Entry] = {}
    async for row in client.organization.rate_limits.list():
        _entry(entries, row).add(row)
    if workspace is not None:
        async for row in client.organization.workspaces.rate_limits.list(workspace, include_inherited=True):
            _entry(entries, row).add(row, apart=True)
    return AccountLimits(tuple(entry.group() for entry in entries.values() if entry.is_models))


def _entry(entries: dict[str, _Entry], row: object) -> _Entry:
    group: object = getattr(row, "group", None)
    name = str(getattr(group, "id", None) or getattr(row, "id", ""))
    return entries.setdefault(name, _Entry(name, group))


class _Entry:
    """One group as both listings have it. The SDK validates nothing, so nothing is taken for granted."""

    def __init__(self, name: str, group: object) -> None:
        self.id = name
        self.title = str(getattr(group, "display_name", "") or "")
        self.is_models = getattr(group, "type", None) == "model_group"
        self.models: dict[str, None] = {}
        self.told: list[_Values] = []

    def add(self, row: object, *, apart: bool = False) -> None:
        """Take in a row; of a workspace's only its own limits, the rest repeats the organisation's.

        ``apart``: of the two limits of input either applies, not the one in place of the other.
        """
        for model in cast("list[object]", getattr(row, "models", None) or []):
            self.models[str(model)] = None
        values: dict[str, float] = {}
        for limit in cast("list[object]", getattr(row, "limits", None) or []):
            kind, value = getattr(limit, "type", None), getattr(limit, "value", None)
            own = getattr(getattr(limit, "source", None), "type", "")
            if own != "organization" and isinstance(kind, str) and isinstance(value, int) and value > 0:
                values[kind] = value
        self.told += [{kind: value} for kind, value in values.items()] if apart else [values]

    def group(self) -> GroupLimits:
        """What counts: the smaller where both listings tell a limit."""
        limits = Limits(
            requests=self._least("requests_per_minute"),
            input=self._input(),
            output=self._least("output_tokens_per_minute"),
        )
        fast = Limits(input=self._least("fast_itpmca"), output=self._least("fast_otpm"))
        return GroupLimits(self.id, self.title, tuple(self.models), limits, fast)

    def _least(self, kind: str) -> float | None:
        return min((values[kind] for values in self.told if kind in values), default=None)

    def _input(self) -> float | None:
        """Of one source the limit that does not count cache reads, if it has one."""
        picked = (next((values[kind] for kind in _INPUT if kind in values), None) for values in self.told)
        return min((value for value in picked if value is not None), default=None)
