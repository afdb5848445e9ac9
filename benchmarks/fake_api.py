"""Requests per second of the fake API on one core.

    python benchmarks/fake_api.py [--seconds 5] [--connections 64] [--stream] [--limits requests=1e9,...]

The server runs in a process of its own; the load comes from this one, over raw sockets with
pre-built requests, so that it costs a fraction of the server's work. CPU time of the server per
request is printed as well: on a machine shared with others it says more than the rate.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from pathlib import Path

from headway.testing.fake_api import INSTANT, FakeAPI, FakeConfig, FakeLimits, parse_limits


def build_request(port: int, number: int, stream: bool) -> bytes:
    """One small Messages request as the SDK would send it."""
    body = json.dumps(
        {
            "model": "claude-sonnet-5-5",
            "max_tokens": 1024,
            "messages": [{"role": "user", "content": f"Classify review number {number}: it was fine."}],
        }
        | ({"stream": True} if stream else {})
    ).encode()
    head = (
        f"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer sk-bench\r\n"
        "anthropic-version: 2026-10-21\r\nuser-agent: AsyncAnthropic/Python 2.12.0\r\n"
        f"content-type: application/json\r\naccept: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Client(asyncio.Protocol):
    """One connection that asks again as soon as it is answered."""

    done = 0
    failed = 0

    def __init__(self, port: int, first: int, stream: bool, end: float) -> None:
        self.requests = [build_request(port, first * 1000 + i, stream) for i in range(50)]
        self.stream = stream
        self.end = end
        self.received = bytearray()
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._ask()

    def _ask(self) -> None:
        if time.perf_counter() >= self.end:
            self.transport.close()
            return
        assert isinstance(self.transport, asyncio.WriteTransport)
        self.transport.write(self.requests[Client.done % 50])

    def data_received(self, data: bytes) -> None:
        self.received += data
        head_end = self.received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        if self.stream:
            if not self.received.endswith(b"0\r\n\r\n"):
                return
        else:
            begin = self.received.find(b"content-length: ") + 16
            length = int(self.received[begin : self.received.find(b"\r", begin)])
            if len(self.received) < head_end + 4 + length:
                return
        if not self.received.startswith(b"HTTP/1.1 200"):
            Client.failed += 1
        Client.done += 1
        self.received.clear()
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over.done():
            self.over.set_result(None)


async def load(port: int, connections: int, seconds: float, stream: bool) -> float:
    """Keep all connections busy; returns the seconds it took."""
    loop = asyncio.get_running_loop()
    begin = time.perf_counter()
    clients = []
    for number in range(connections):
        _, client = await loop.create_connection(
            lambda number=number: Client(port, number, stream, begin + seconds), "127.0.0.1", port
        )
        clients.append(client.over)
    await asyncio.gather(*clients)
    return time.perf_counter() - begin


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--limits", default="requests=100M,input=100G,output=100G")
    parser.add_argument("--quick", action="store_true", help="half a second")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seconds = 0.5
    limits = parse_limits(arguments.limits) if arguments.limits else FakeLimits()
    with FakeAPI.spawn(FakeConfig(latency=INSTANT, limits=limits)) as api:
        port = int(api.base_url.rpartition(":")[2])
        before = cpu_seconds(api.pid)
        mine = time.process_time()
        took = asyncio.run(load(port, arguments.connections, arguments.seconds, arguments.stream))
        mine = time.process_time() - mine
        used = cpu_seconds(api.pid) - before
        served = api.stats().served
    kind = "streamed" if arguments.stream else "plain"
    print(f"{Client.done} {kind} messages in {took:.1f} s: {Client.done / took:,.0f}/s")
    print(f"answers other than 200: {Client.failed}; whole replies by the server's own count: {served}")
    print(f"server CPU {used / took:.0%} of a core, {used / max(1, Client.done) * 1e6:.0f} µs a request")
    print(
        f"=> {Client.done / used:,.0f} requests/s on a whole core; load generator {mine / took:.0%} of a core"
    )


if __name__ == "__main__":
    main()
