"""A middleware that only paces must not hold up later calls for long, in virtual time."""

from __future__ import annotations

from collections.abc import Callable

import anthropic
import anyio
import httpx2
import pytest
from anthropic import AsyncAnthropic

import headway

pytestmark = pytest.mark.anyio
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 10, "output_tokens": 5},
}


def refusing(status: int, times: int) -> Callable[[httpx2.Request], httpx2.Response]:
    """A service that refuses its first requests and says nothing else: no headers, no ``retry-after``."""
    left = [times]

    def answer(request: httpx2.Request) -> httpx2.Response:
        left[0] -= 1
        return httpx2.Response(status) if left[0] >= 0 else httpx2.Response(200, json=MESSAGE)

    return answer


@pytest.mark.parametrize("refusals", [1, 2, 5])
@pytest.mark.parametrize("status", [429, 529])
async def test_refusals_that_say_nothing_cost_later_calls_seconds(status: int, refusals: int) -> None:
    gate = headway.middleware(retry=None)
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(refusing(status, refusals)))
    client = AsyncAnthropic(
        api_key="k", base_url="http://a.test", http_client=http, max_retries=0, middleware=[gate]
    )
    waits: list[float] = []
    async with client:
        for number in range(refusals + 3):
            begin = anyio.current_time()
            try:
                await client.messages.create(
                    model="some-model", max_tokens=9, messages=[{"role": "user", "content": "hi"}]
                )
                assert number >= refusals
            except anthropic.APIStatusError as error:
                assert error.status_code == status
            waits.append(anyio.current_time() - begin)
    await gate.aclose()
    assert waits[0] == 0
    assert max(waits) <= 6, waits
    assert waits[-1] <= 2, waits


async def test_an_account_that_dies_is_told_once() -> None:
    alerts: list[headway.Alert] = []
    gate = headway.middleware(alerts=headway.Alerts(callback=alerts.append))
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(refusing(402, 1)))
    client = AsyncAnthropic(
        api_key="k", base_url="http://a.test", http_client=http, max_retries=0, middleware=[gate]
    )
    body = {"model": "some-model", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    async with client:
        with pytest.raises(anthropic.APIStatusError):
            await client.messages.create(**body)
        for _ in range(2):
            with pytest.raises(headway.NotSentError, match="billing"):
                await client.messages.create(**body)
        await anyio.sleep(5)  # its tasks rest meanwhile
        assert [alert.failure.kind for alert in alerts] == [headway.ErrorKind.BILLING]
        (await gate.scheduler()).resume()
        assert (await client.messages.create(**body)).id == "msg_1"
    await gate.aclose()


def test_alerts_need_decisions() -> None:
    with pytest.raises(ValueError, match="alerts need headway's own decisions"):
        headway.middleware(retry=None, alerts=headway.Alerts())
