"""headway, as its quick start shows it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Self

from headway import JobState, Limits, Priority, Scheduler
from utilisation_suite.contenders.contender import Contender, Done, Setup
from utilisation_suite.job import Job


class HeadwayScheduler(Contender):
    """Nothing is configured but, where told, the limits."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        os.environ |= {"ANTHROPIC_BASE_URL": setup.base_url, "ANTHROPIC_API_KEY": "sk-ant-benchmark"}
        told = setup.told
        limits = Limits(requests=told.requests, input=told.input, output=told.output) if told else None
        self.scheduler = Scheduler(limits=limits)

    async def __aenter__(self) -> Self:
        await self.scheduler.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.scheduler.__aexit__(None, None, None)

    async def bulk(self, jobs: Sequence[Job], done: Done) -> None:
        requests = ({"custom_id": job.name, "params": job.params()} for job in jobs)
        async for outcome in self.scheduler.map(requests):
            done(outcome.key, None if outcome.state is JobState.SUCCEEDED else str(outcome.failure))

    async def interactive(self, job: Job) -> float:
        message = await self.scheduler.submit(job.params(), priority=Priority.INTERACTIVE)
        return message.usage.output_tokens
