"""The SDK alone: its own retries (more than the default two, so that none is lost) under a semaphore."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from anthropic import AsyncAnthropic, DefaultAioHttpClient

from utilisation_suite.contenders.contender import Contender, Done, Setup, all_of
from utilisation_suite.job import Job

AT_ONCE: Final = 100
RETRIES: Final = 30
"""With the default of 2 a good part of the jobs fails at any limit."""


class SDKRetries(Contender):
    """The default HTTP backend."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.client = self._client()

    def _client(self) -> AsyncAnthropic:
        return AsyncAnthropic(api_key="benchmark", base_url=self.setup.base_url, max_retries=RETRIES)

    async def __aexit__(self, *exc: object) -> None:
        await self.client.close()

    async def bulk(self, jobs: Sequence[Job], done: Done) -> None:
        await all_of(jobs, self.interactive, done, max(1, AT_ONCE // self.setup.processes))

    async def interactive(self, job: Job) -> float:
        """Past the semaphore: who is urgent does not queue behind the bulk."""
        message = await self.client.messages.create(**cast("dict[str, Any]", job.params()))
        return message.usage.output_tokens


class SDKRetriesAioHTTP(SDKRetries):
    """The faster backend, with as many connections as the default one."""

    def _client(self) -> AsyncAnthropic:
        return AsyncAnthropic(
            api_key="benchmark",
            base_url=self.setup.base_url,
            max_retries=RETRIES,
            http_client=DefaultAioHttpClient(),
        )
