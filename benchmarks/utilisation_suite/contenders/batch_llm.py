"""async-batch-llm 0.28, tuned: its pool over the SDK, admission by requests and by the tokens that bind.

Its one token limit is set to the dimension that binds, with a calibrated estimator, and usage is reported in that
dimension alone: input and output are limited apart by the API, which the library does not know. The depth of
its buckets is the true one. Cooldowns are short and there is no slow start, whose defaults are made for
batches of hours. 529 counts as a rate limit, as 429 does.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final, Self, cast

from anthropic import APIStatusError, AsyncAnthropic, DefaultAioHttpClient
from async_batch_llm import (
    CallableStrategy,
    CallOutcome,
    ErrorClassifier,
    ErrorInfo,
    LLMCallPool,
    ProcessorConfig,
    RateLimitConfig,
    RetryConfig,
    TokenEstimate,
)

from utilisation_suite.contenders.contender import Contender, Done, Setup, all_of
from utilisation_suite.job import CHARS_PER_TOKEN, OVERHEAD, Job

AT_ONCE: Final = 100
SPARE: Final = 20
"""Workers that the bulk leaves to who is urgent."""


class Classifier(ErrorClassifier):
    """What may heal, and what is a rate limit."""

    def classify(self, exception: Exception) -> ErrorInfo:
        status = exception.status_code if isinstance(exception, APIStatusError) else None
        throttled = status in {429, 529}
        wait = None
        if throttled and isinstance(exception, APIStatusError):
            asked = exception.response.headers.get("retry-after", "")
            wait = float(asked) if asked.isdigit() else None
        return ErrorInfo(
            is_retryable=status is None or status in {408, 409, 429} or status >= 500,
            is_rate_limit=throttled,
            is_timeout=isinstance(exception, TimeoutError),
            error_category="throttled" if throttled else "transient",
            suggested_wait=wait,
        )


class BatchLLM(Contender):
    """One pool for bulk and interactive jobs, so that they share the limits."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        logging.disable(logging.WARNING)
        self.jobs: dict[str, Job] = {}
        self.client = AsyncAnthropic(
            api_key="benchmark", base_url=setup.base_url, max_retries=0, http_client=DefaultAioHttpClient()
        )
        told, parts = setup.told, setup.processes
        limits: dict[str, Any] = {}
        if told is not None:
            limits = {
                "max_requests_per_minute": told.requests / parts,
                "max_tokens_per_minute": int(getattr(told, setup.binding) / parts),
                "quota_burst_seconds": told.burst,
                "token_estimator": self._estimate,
            }
        self.at_once = max(1, AT_ONCE // parts)
        self.pool = LLMCallPool(
            CallableStrategy(self._invoke),
            config=ProcessorConfig(
                concurrency=self.at_once + SPARE,
                attempt_timeout=120,
                retry=RetryConfig(max_attempts=10, initial_wait=0.5, max_wait=8, max_rate_limit_retries=1000),
                rate_limit=RateLimitConfig(
                    cooldown_seconds=0.5,
                    max_cooldown_seconds=8,
                    backoff_multiplier=1.5,
                    slow_start_items=0,
                    slow_start_initial_delay=0.0,
                    slow_start_final_delay=0.0,
                ),
                **limits,
            ),
            error_classifier=Classifier(),
        )

    async def __aenter__(self) -> Self:
        await self.pool.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.pool.__aexit__(None, None, None)
        await self.client.close()

    async def bulk(self, jobs: Sequence[Job], done: Done) -> None:
        await all_of(jobs, self.interactive, done, self.at_once)

    async def interactive(self, job: Job) -> float:
        self.jobs[job.prompt] = job
        return await self.pool.submit(job.prompt)

    async def _invoke(self, prompt: str, **_: object) -> CallOutcome[int]:
        message = await self.client.messages.create(**cast("dict[str, Any]", self.jobs[prompt].params()))
        usage = message.usage
        used = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
        name = f"{self.setup.binding}_tokens"
        return CallOutcome(usage.output_tokens, token_usage={name: used[name], "total_tokens": used[name]})

    def _estimate(self, prompt: str, **_: object) -> TokenEstimate:
        if self.setup.binding == "input":
            return TokenEstimate(round(len(prompt) / CHARS_PER_TOKEN) + OVERHEAD)
        return TokenEstimate(0, round(self.setup.mean_output))
