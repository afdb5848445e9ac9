"""The scheduler over real HTTP: a fake API in this loop, a client of the user's, quick retries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
from anthropic import AsyncAnthropic, DefaultAioHttpClient, DefaultAsyncHttpxClient

from headway import RetryPolicy, Scheduler
from headway.core.retry import Decision, Retry
from headway.testing.fake_api import INSTANT, FakeAPI, FakeConfig, FaultRule

MODEL = "claude-sonnet-5-5"
BOUND = 10.0
"""Seconds within which what takes milliseconds must happen."""


@dataclass(frozen=True, slots=True)
class Quick(RetryPolicy):
    """The same decisions, a hundred times as soon."""

    def decide(self, failure, history, now, **rest) -> Decision:  # type: ignore[no-untyped-def, override]
        decision = RetryPolicy.decide(self, failure, history, now, **rest)
        return Retry(now + (decision.not_before - now) / 100) if isinstance(decision, Retry) else decision


def client_of(backend: str, base_url: str, **options: object) -> AsyncAnthropic:
    """A user's client with the SDK's retries on."""
    make = DefaultAioHttpClient if backend == "aiohttp" else DefaultAsyncHttpxClient
    settings: dict[str, object] = {"api_key": "sk-test", "max_retries": 5, "http_client": make(verify=False)}
    return AsyncAnthropic(base_url=base_url, **(settings | options))  # type: ignore[arg-type]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it, at most for the bound."""
    end = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.002)


@dataclass(frozen=True)
class House:
    api: FakeAPI
    client: AsyncAnthropic

    def scheduler(self, **options: object) -> Scheduler:
        settings: dict[str, object] = {"model": MODEL, "max_tokens": 64, "retry": Quick()}
        return Scheduler(self.client, **(settings | options))  # type: ignore[arg-type]


Open = Callable[..., Awaitable[House]]


@pytest.fixture(params=["httpx2", "aiohttp"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def house(backend: str, anyio_backend: str) -> AsyncIterator[Open]:
    """``await house(fault, …, client={…}, **config)``; all is closed with the test."""
    async with AsyncExitStack() as stack:

        async def begin(
            *faults: FaultRule, client: dict[str, object] | None = None, **config: object
        ) -> House:
            api = FakeAPI(FakeConfig(**({"latency": INSTANT, "faults": faults} | config)))  # type: ignore[arg-type]
            await stack.enter_async_context(api)
            made = client_of(backend, api.base_url, **(client or {}))
            await stack.enter_async_context(made)
            return House(api, made)

        yield begin
