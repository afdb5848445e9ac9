"""What many write themselves: aiolimiter in front, tenacity around, the SDK's retries off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from aiolimiter import AsyncLimiter
from anthropic import APIStatusError, AsyncAnthropic, DefaultAioHttpClient
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from utilisation_suite.contenders.contender import Contender, Done, Setup, all_of
from utilisation_suite.job import CHARS_PER_TOKEN, OVERHEAD, Job

AT_ONCE: Final = 100
ATTEMPTS: Final = 30
_backoff: Final = wait_random_exponential(multiplier=0.5, max=8)


def may_heal(error: BaseException) -> bool:
    """429, 5xx, and whatever breaks on the way or in the body."""
    if isinstance(error, APIStatusError):
        return error.status_code in {408, 409, 429} or error.status_code >= 500
    return isinstance(error, Exception)


def wait(state: RetryCallState) -> float:
    """``Retry-After`` if the answer had one, otherwise exponential with full jitter."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.response.headers.get("retry-after", "") if isinstance(error, APIStatusError) else ""
    return max(_backoff(state), float(asked) if asked.isdigit() else 0.0)


class LimiterAndTenacity(Contender):
    """One limiter for requests, one for the dimension that binds; each process takes its part of the limits."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.client = AsyncAnthropic(
            api_key="benchmark", base_url=setup.base_url, max_retries=0, http_client=DefaultAioHttpClient()
        )
        self.requests = self._limiter("requests")
        self.tokens = self._limiter(setup.binding)

    def _limiter(self, dimension: str) -> AsyncLimiter | None:
        told = self.setup.told
        if told is None:
            return None
        depth = getattr(told, dimension) / 60 * told.burst / self.setup.processes
        return AsyncLimiter(depth, told.burst)

    async def __aexit__(self, *exc: object) -> None:
        await self.client.close()

    async def bulk(self, jobs: Sequence[Job], done: Done) -> None:
        await all_of(jobs, self.interactive, done, max(1, AT_ONCE // self.setup.processes))

    async def interactive(self, job: Job) -> float:
        """Past the semaphore, but through the limiters: they know no priorities."""
        attempts = AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS), wait=wait, retry=retry_if_exception(may_heal), reraise=True
        )
        return await attempts(self._once, job)

    async def _once(self, job: Job) -> float:
        if self.tokens is not None:
            tokens = self.setup.mean_output
            if self.setup.binding == "input":
                tokens = len(job.prompt) / CHARS_PER_TOKEN + OVERHEAD
            await self.tokens.acquire(min(tokens, self.tokens.max_rate))
        if self.requests is not None:
            await self.requests.acquire()
        message = await self.client.messages.create(**cast("dict[str, Any]", job.params()))
        return message.usage.output_tokens
