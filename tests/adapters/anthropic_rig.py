"""An `AnthropicTransport` at a fake API over real HTTP, for each of the SDK's two HTTP backends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from anthropic import AsyncAnthropic, DefaultAioHttpClient, DefaultAsyncHttpxClient

from headway.adapters.anthropic import AnthropicTransport
from headway.core.request import Request, build_request
from headway.testing.fake_api import INSTANT, FakeAPI, FakeConfig, FaultRule

BACKENDS = ("httpx2", "aiohttp")
MODEL = "claude-sonnet-5-5"
BOUND = 5.0
"""Seconds in which anything here must be over (it takes 10 ms): liveness, not speed."""


def client_of(backend: str, base_url: str, **options: object) -> AsyncAnthropic:
    """A client of this backend; ``limits`` go to its pool, the rest to the client."""
    pool = {name: options.pop(name) for name in ("limits",) if name in options}
    make = DefaultAioHttpClient if backend == "aiohttp" else DefaultAsyncHttpxClient
    settings: dict[str, object] = {"api_key": "sk-test", "max_retries": 5, **options}
    return AsyncAnthropic(base_url=base_url, http_client=make(verify=False, **pool), **settings)  # type: ignore[arg-type]


def request_of(prompt: object = "Hello", **params: object) -> Request:
    return build_request(prompt, {"model": MODEL, "max_tokens": 64}, params)


@dataclass(frozen=True)
class Rig:
    api: FakeAPI
    client: AsyncAnthropic
    transport: AnthropicTransport

    async def send(self, request: Request | None = None):
        """Send within the bound; an exception of ``send`` fails the test."""
        async with asyncio.timeout(BOUND):
            return await self.transport.send(request or request_of())


Start = Callable[..., Awaitable[Rig]]


@asynccontextmanager
async def rigs(backend: str) -> AsyncIterator[Start]:
    """``await start(fault, …, client={…}, **config)``."""
    async with AsyncExitStack() as stack:

        async def start(*faults: FaultRule, client: dict[str, object] | None = None, **config: object) -> Rig:
            api = FakeAPI(FakeConfig(**({"latency": INSTANT, "faults": faults} | config)))  # type: ignore[arg-type]
            await stack.enter_async_context(api)
            made = client_of(backend, api.base_url, **(client or {}))
            await stack.enter_async_context(made)
            return Rig(api, made, AnthropicTransport(made))

        yield start


@asynccontextmanager
async def raw_server(answer: bytes) -> AsyncIterator[str]:
    """Answers whatever comes with these bytes and ends the connection; gives the base URL."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        sizes = (int(x.split(b":")[1]) for x in head.lower().split(b"\r\n") if b"content-length" in x)
        length = next(sizes, 0)
        await reader.readexactly(length)
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def json_answer(body: bytes, *, headers: bytes = b"", kind: bytes = b"application/json") -> bytes:
    """A whole HTTP answer with status 200."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\nrequest-id: req_raw\r\nconnection: close\r\n" % kind
    return head + headers + b"content-length: %d\r\n\r\n" % len(body) + body
