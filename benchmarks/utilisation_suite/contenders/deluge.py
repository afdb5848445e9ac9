"""lm-deluge 0.0.168, tuned: its own HTTP client, one request and one token bucket of a minute's depth.

It counts ``characters / 4 + max_new_tokens`` for a request against one token limit. That limit is set so that its
own count admits what the binding dimension carries; the depth of its buckets cannot be set.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, Self

import aiohttp
from lm_deluge import LLMClient
from lm_deluge.models import register_model

from utilisation_suite.contenders.contender import Contender, Done, Setup, all_of
from utilisation_suite.job import CHARS_PER_TOKEN, MODEL, Job

AT_ONCE: Final = 100
ATTEMPTS: Final = 50
"""429s use up attempts as other errors do; the default is 5."""
MEAN_INPUT: Final = {"input": 250, "output": 120}


class Deluge(Contender):
    """Bulk and interactive jobs through one client, with an HTTP session for all."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        os.environ["ANTHROPIC_API_KEY"] = "benchmark"
        register_model(
            "benchmark", MODEL, f"{setup.base_url}/v1", "ANTHROPIC_API_KEY", "anthropic", reasoning_model=True
        )
        self.max_tokens = 256 if setup.binding == "input" else 1200
        requests, tokens = self._rates()
        self.client = LLMClient(
            "benchmark",
            max_requests_per_minute=requests,
            max_tokens_per_minute=tokens,
            max_concurrent_requests=max(1, AT_ONCE // setup.processes),
            max_attempts=ATTEMPTS,
            request_timeout=120,
            max_new_tokens=self.max_tokens,
        )
        self.session: aiohttp.ClientSession | None = None

    def _rates(self) -> tuple[int, int]:
        told = self.setup.told
        if told is None:  # as much as asked for; its pause after a 429 is what holds it back
            return 1_000_000, 1_000_000_000
        size = MEAN_INPUT[self.setup.binding]
        jobs = told.input / size if self.setup.binding == "input" else told.output / self.setup.mean_output
        counted = size * CHARS_PER_TOKEN / 4 + 6 + self.max_tokens
        return int(told.requests / self.setup.processes), int(jobs * counted / self.setup.processes)

    async def __aenter__(self) -> Self:
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE + 50))
        self.client.open(show_progress=False)
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self.session is not None:
            await self.session.close()

    async def bulk(self, jobs: Sequence[Job], done: Done) -> None:
        await all_of(jobs, self.interactive, done)

    async def interactive(self, job: Job) -> float:
        response = await self.client.wait_for(self.client.start_nowait(job.prompt, http_session=self.session))
        if response.is_error or response.usage is None:
            raise RuntimeError(str(response.error_message))
        return response.usage.output_tokens
