"""Calls of the Batches API with the patience of somebody who waits at a terminal."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import anyio

from headway.cli.credentials import require_credential
from headway.cli.exit_status import CommandError, ExitStatus
from headway.core.error_kind import Scope
from headway.core.job import Attempt
from headway.core.retry import Retry, RetryPolicy
from headway.errors import BatchCallError

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

    from headway.adapters.anthropic.batches import AnthropicBatches

T = TypeVar("T")
PATIENCE: Final = 60.0
"""Seconds for which a call is tried again."""
FIRST_PAUSE: Final = 0.5
"""Seconds after a first refusal by 429 or 529, then doubled (the SDK's own)."""


@asynccontextmanager
async def account_client(warn: Callable[[str], None]) -> AsyncGenerator[AsyncAnthropic]:
    """A client of the account that the environment names. Raises `CommandError` without a credential."""
    require_credential(warn)
    from headway.adapters.anthropic import make_client
    from headway.adapters.anthropic.connect import CredentialError

    try:
        client = make_client()
    except CredentialError as error:
        raise CommandError(str(error)) from None
    async with client:
        yield client


@asynccontextmanager
async def account_batches(warn: Callable[[str], None]) -> AsyncGenerator[AnthropicBatches]:
    """The batches of that account. Raises `CommandError` as `account_client` does."""
    async with account_client(warn) as client:
        from headway.adapters.anthropic import AnthropicTransport

        yield AnthropicTransport(client).batches()


class Patience:
    """Decides about the failures of one errand, as `RetryPolicy` does for a job."""

    def __init__(self) -> None:
        self._policy = RetryPolicy(max_throttle_wait=PATIENCE)
        self._attempts: list[Attempt] = []
        self._end: float | None = None

    async def wait(self, error: BatchCallError) -> None:
        """Wait until the next attempt. Raises `CommandError` when there should be none."""
        now = anyio.current_time()
        self._end = now + PATIENCE if self._end is None else self._end
        self._attempts.append(Attempt(len(self._attempts) + 1, now, now, error.failure))
        jitter = random.random()  # noqa: S311 - jitter, not a secret
        pause = min(8.0, FIRST_PAUSE * 2 ** len(self._attempts)) * (0.5 + jitter / 2)
        decision = self._policy.decide(
            error.failure, self._attempts[:-1], now, deadline=self._end, jitter=jitter, budget_wait=pause
        )
        if not isinstance(decision, Retry):
            raise failed(error) from None
        await anyio.sleep_until(decision.not_before)


def failed(error: BatchCallError) -> CommandError:
    """How a command ends that could not do what it was asked."""
    of_account = error.failure.scope is not Scope.JOB
    return CommandError(str(error), ExitStatus.STOPPED if of_account else ExitStatus.SOME_FAILED)


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Call until it succeeds. Raises `CommandError` when it is hopeless, or takes too long."""
    patience = Patience()
    while True:
        try:
            return await call()
        except BatchCallError as error:
            failure = error
        await patience.wait(failure)


async def all_lines(batches: AnthropicBatches, batch_id: str) -> AsyncGenerator[bytes]:
    """Every line of a batch's results once: after a broken connection they are read again, those that were there
    are left out. Raises `CommandError` like `patiently`."""
    patience, seen = Patience(), set[int]()
    while True:
        try:
            async for line in batches.lines(batch_id):
                if (mark := hash(line)) not in seen:
                    seen.add(mark)
                    yield line
        except BatchCallError as error:
            failure = error
        else:
            return
        await patience.wait(failure)
