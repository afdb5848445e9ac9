"""The whole of headway at the fake API over real HTTP, with waits that take no time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from anthropic import AsyncAnthropic
from patient_loop import PatientLoop

from headway import Scheduler
from headway.testing.fake_api import INSTANT, FakeAPI, FakeConfig, FaultRule

KEY = "sk-ant-api03-canary-of-the-handbook"
MODEL = "claude-sonnet-5-5"


class Wire(httpx2.AsyncBaseTransport):
    """Real HTTP that knows what is under way and what was sent."""

    def __init__(self) -> None:
        # No connection outlives its request: a jump of the clock would let the server close idle ones.
        limits = httpx2.Limits(max_keepalive_connections=0)
        self._inner = httpx2.AsyncHTTPTransport(verify=False, limits=limits)
        self.under_way = 0
        self.sent: list[dict[str, Any]] = []
        """Bodies of the Messages requests."""
        self.broken: Callable[[], Exception] | None = None
        """Makes what is raised in place of every further Messages request."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.under_way += 1
        try:
            if request.url.path == "/v1/messages":
                self.sent.append(json.loads(await request.aread()))
                self._break()
            response = await self._inner.handle_async_request(request)
        except BaseException:
            self.under_way -= 1
            raise
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Counted(response.stream, self)
        return response

    def _break(self) -> None:
        if self.broken is not None:
            raise self.broken()

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, wire: Wire) -> None:
        self._inner = inner
        self._wire: Wire | None = wire

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()
        if self._wire is not None:
            self._wire.under_way -= 1
            self._wire = None


@dataclass
class Rig:
    api: FakeAPI
    client: AsyncAnthropic
    wire: Wire
    schedulers: list[Scheduler] = field(default_factory=list)

    @asynccontextmanager
    async def open(self, **options: Any) -> AsyncIterator[Scheduler]:
        """A scheduler; from here on waits take no time."""
        async with Scheduler(self.client, **({"model": MODEL, "max_tokens": 64} | options)) as scheduler:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, PatientLoop)
            loop.idle = lambda: self.wire.under_way == 0 and scheduler.status().in_flight == 0
            try:
                yield scheduler
            finally:
                loop.idle = lambda: False


Start = Callable[..., Awaitable[Rig]]


@asynccontextmanager
async def rigs() -> AsyncIterator[Start]:
    """``await start(fault, …, **config)``."""
    async with AsyncExitStack() as stack:

        async def start(*faults: FaultRule, **config: Any) -> Rig:
            api = FakeAPI(FakeConfig(**({"latency": INSTANT, "faults": faults} | config)))
            await stack.enter_async_context(api)
            wire = Wire()
            http = httpx2.AsyncClient(transport=wire)
            client = AsyncAnthropic(api_key=KEY, base_url=api.base_url, http_client=http)
            await stack.enter_async_context(client)
            return Rig(api, client, wire)

        yield start
