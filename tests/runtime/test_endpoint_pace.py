"""Endpoints with fixed limits of their own, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

import anyio
import httpx2
import pytest
from anthropic import AsyncAnthropic

import headway
from headway import EndpointLimits
from headway.adapters.anthropic.endpoints import EndpointPace, endpoint_of, generates
from headway.testing.clock import virtual_loop

CALLS = [
    ("post", "/v1/messages", None, True),
    ("post", "/v1/messages?beta=true", None, True),
    ("POST", "/v1/messages/", None, True),
    ("get", "/v1/messages", None, False),
    ("post", "/v1/messages/count_tokens?beta=true", "count_tokens", False),
    ("post", "/v1/messages/batches", "batches", False),
    ("get", "/v1/messages/batches/msgbatch_1/results", "batches", False),
    ("post", "/v1/files", "files", False),
    ("get", "/v1/files/file_1/content", "files", False),
    ("get", "/v1/models", None, False),
    ("post", "/v1/complete", None, False),
]


@pytest.mark.parametrize(("method", "path", "endpoint", "messages"), CALLS)
def test_which_limit_a_call_counts_against(
    method: str, path: str, endpoint: str | None, messages: bool
) -> None:
    assert endpoint_of(method, path) == endpoint
    assert generates(method, path) == messages


def run(main: Callable[[], Coroutine[None, None, None]]) -> None:
    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        runner.run(main())


def admitted(pace: EndpointPace, path: str, calls: int) -> list[float]:
    """When each of many calls made at once may go, in seconds."""
    moments: list[float] = []

    async def call() -> None:
        await pace.wait("post", path)
        moments.append(anyio.current_time())

    async def main() -> None:
        begin = anyio.current_time()
        async with anyio.create_task_group() as group:
            for _ in range(calls):
                group.start_soon(call)
        moments[:] = [moment - begin for moment in moments]

    run(main)
    return sorted(moments)


@pytest.mark.parametrize(
    ("path", "rate"),
    [("/v1/messages/count_tokens", 2000.0), ("/v1/messages/batches", 1000.0), ("/v1/files", 500.0)],
)
def test_a_burst_of_two_seconds_and_then_the_rate(path: str, rate: float) -> None:
    calls = int(rate / 2)
    moments = admitted(EndpointPace(), path, calls)
    burst = rate / 30
    assert sum(moment == 0 for moment in moments) == pytest.approx(burst, abs=1)
    assert moments[-1] == pytest.approx((calls - burst) * 60 / rate, rel=0.05)
    for start in range(0, 20, 2):  # no ten seconds with more than their share and the burst
        within = sum(start <= moment < start + 10 for moment in moments)
        assert within <= rate / 6 + burst + 1


def test_what_has_no_limit_passes_at_once() -> None:
    pace = EndpointPace(EndpointLimits(files=None))
    assert set(admitted(pace, "/v1/files", 2000)) == {0.0}
    assert set(admitted(pace, "/v1/models", 2000)) == {0.0}


def test_the_limits_are_apart_and_a_second_loop_starts_afresh() -> None:
    pace = EndpointPace(EndpointLimits(files=30.0, batches=30.0))
    assert admitted(pace, "/v1/files", 2) == pytest.approx([0, 2.0])
    assert admitted(pace, "/v1/messages/batches", 1) == [0.0]
    assert admitted(pace, "/v1/files", 1) == [0.0]


def test_limits_must_make_sense() -> None:
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="files"):
            EndpointLimits(files=wrong)


def test_calls_of_a_client_are_paced_by_their_endpoint() -> None:
    arrived: list[tuple[str, float]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        arrived.append((request.url.path, anyio.current_time()))
        if request.url.path == "/v1/messages/count_tokens":
            return httpx2.Response(200, json={"input_tokens": 3})
        return httpx2.Response(200, json={"data": [], "has_more": False, "first_id": None, "last_id": None})

    async def main() -> None:
        gate = headway.middleware(endpoints=EndpointLimits(count_tokens=60, batches=60, files=60))
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
        async with AsyncAnthropic(
            api_key="k", base_url="http://a.test", http_client=http, middleware=[gate]
        ) as client:
            turn = {"role": "user", "content": "hi"}

            async def one(call: Callable[[], Awaitable[object]]) -> None:
                await call()

            async with anyio.create_task_group() as group:
                for _ in range(6):
                    group.start_soon(one, lambda: client.messages.count_tokens(model="m", messages=[turn]))
                    group.start_soon(one, lambda: client.messages.batches.list())
                    group.start_soon(one, lambda: client.files.list())
                    group.start_soon(one, lambda: client.models.list())
            assert (await gate.scheduler()).status().sends == 0
        await gate.aclose()

    run(main)
    for path in ("/v1/messages/count_tokens", "/v1/messages/batches", "/v1/files"):
        moments = [moment for where, moment in arrived if where == path]
        assert [round(moment - arrived[0][1]) for moment in moments] == [0, 0, 1, 2, 3, 4], path
    models = [moment for where, moment in arrived if where == "/v1/models"]
    assert {moment - arrived[0][1] for moment in models} == {0.0}
