"""Fixtures of the fake API's own tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from anthropic import AsyncAnthropic, DefaultAioHttpClient, DefaultAsyncHttpxClient

from headway.testing.fake_api import INSTANT, FakeAPI, FakeConfig, FaultRule
from headway.testing.pytest_plugin import headway_fake_api

__all__ = ["headway_fake_api"]

Start = Callable[..., Awaitable[tuple[FakeAPI, AsyncAnthropic]]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["httpx2", "aiohttp"])
def backend(request: pytest.FixtureRequest) -> str:
    """The SDK's two HTTP clients."""
    return str(request.param)


@pytest.fixture
async def start(anyio_backend: str) -> AsyncIterator[Start]:
    """``api, client = await start(fault, …, backend=…, **config)``; all ends with the test."""
    async with AsyncExitStack() as stack:

        async def begin(*faults: FaultRule, backend: str = "httpx2", **config: object):
            api = FakeAPI(FakeConfig(**({"latency": INSTANT, "faults": faults} | config)))
            await stack.enter_async_context(api)
            # No certificates are read: that takes most of a client's construction.
            kind = DefaultAioHttpClient if backend == "aiohttp" else DefaultAsyncHttpxClient

            client = AsyncAnthropic(
                base_url=api.base_url, api_key="sk-test", max_retries=0, http_client=kind(verify=False)
            )
            await stack.enter_async_context(client)
            return api, client

        yield begin
