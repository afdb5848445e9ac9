"""The server in the running event loop."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from aiohttp import web

from headway.testing.fake_api.batch_work import let_all_end
from headway.testing.fake_api.config import FakeConfig
from headway.testing.fake_api.exchange import Exchange, GoneError, Sent
from headway.testing.fake_api.fault import FaultRule
from headway.testing.fake_api.limits import FakeLimits
from headway.testing.fake_api.routes import dispatch
from headway.testing.fake_api.site import Site
from headway.testing.fake_api.stats import FakeStats

if TYPE_CHECKING:
    from headway.testing.fake_api.spawned import SpawnedAPI
    from headway.testing.fake_api.threaded import ThreadedAPI

_GRACE: Final = 0.01
"""Seconds that a connection is given to end; aiohttp takes 0 for ever."""


class FakeAPI:
    """A Claude API on a loopback port, in this event loop.

    ``async with FakeAPI(FakeConfig(limits=parse_limits("requests=60"))) as api:`` and then
    ``AsyncAnthropic(base_url=api.base_url, api_key="any")``.
    """

    def __init__(self, config: FakeConfig | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self._config = config or FakeConfig()
        self._host = host
        self._port = port
        self._site: Site | None = None
        self._web: web.Server | None = None
        self._listener: asyncio.Server | None = None

    @staticmethod
    def spawn(config: FakeConfig | None = None, host: str = "127.0.0.1", port: int = 0) -> SpawnedAPI:
        """The same in a process of its own: ``with FakeAPI.spawn(config) as api: api.base_url``."""
        from headway.testing.fake_api.spawned import SpawnedAPI

        return SpawnedAPI(config or FakeConfig(), host, port)

    @staticmethod
    def in_thread(config: FakeConfig | None = None, host: str = "127.0.0.1", port: int = 0) -> ThreadedAPI:
        """The same in a thread with its own loop, for tests without one."""
        from headway.testing.fake_api.threaded import ThreadedAPI

        return ThreadedAPI(FakeAPI(config, host, port), host, port)

    @property
    def base_url(self) -> str:
        """``http://127.0.0.1:port``, what the SDK takes as ``base_url``."""
        return f"http://{self._host}:{self._port}"

    @property
    def config(self) -> FakeConfig:
        """What is in force, limits and faults set later included."""
        return self._config if self._site is None else self._site.config

    @property
    def stats(self) -> FakeStats:
        """A snapshot of everything seen so far."""
        let_all_end(self._running)
        return self._running.stats()

    def set_limits(self, limits: FakeLimits, group: str | None = None) -> None:
        """Change the limits of one model group, or of all, from now on."""
        self._running.set_limits(limits, group)

    def set_accepted_keys(self, *keys: str) -> None:
        """Let only these keys or access tokens in from now on: the others get 401, as after a revocation."""
        site = self._running
        site.config = replace(site.config, accepted_keys=frozenset(keys))

    def set_faults(self, faults: tuple[FaultRule, ...]) -> None:
        """Replace the fault schedule; windows still count from the first request."""
        self._running.set_faults(faults)

    def pass_time(self, seconds: float) -> None:
        """Move the server's clock on, so that files and batches expire; limits and latencies do not notice."""
        self._running.pass_time(seconds)

    def reset(self) -> None:
        """Start anew: counters, attempts, bucket levels, fault windows."""
        self._running.reset()

    @property
    def _running(self) -> Site:
        if self._site is None:
            raise RuntimeError("the fake API is not running: use it inside `async with`")
        return self._site

    async def start(self) -> None:
        """Begin to listen; ``async with`` does it."""
        loop = asyncio.get_running_loop()
        self._site = site = Site(self._config, loop)

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            exchange = Exchange(request, loop.time(), site.next_id())
            try:
                await dispatch(site, exchange)
            except GoneError:
                exchange.keep_alive = False
            return Sent(exchange.keep_alive)

        self._web = web.Server(handle, handler_cancellation=True, access_log=None, keepalive_timeout=75.0)
        self._listener = await loop.create_server(self._web, self._host, self._port, backlog=4096)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and end every connection."""
        if self._site is not None:
            self._site.closing = True
        if self._listener is not None:
            self._listener.close()
        if self._web is not None:
            await self._web.shutdown(_GRACE)
        if self._listener is not None:
            await self._listener.wait_closed()
            await asyncio.sleep(0)  # lets the closed transports give back their sockets

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
