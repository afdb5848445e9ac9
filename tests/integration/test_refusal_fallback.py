"""The SDK's refusal fallback with the scheduler behind it: every hop of its chain is an attempt like any other."""

from __future__ import annotations

import json

import httpx2
import pytest
from anthropic import AsyncAnthropic, BetaFallbackState, BetaRefusalFallbackMiddleware

from headway import Scheduler
from headway.core.retry import Retry, RetryPolicy

pytestmark = pytest.mark.anyio
PRIMARY, SECOND = "claude-opus-5", "claude-opus-4-8"
ASK = {"model": PRIMARY, "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}]}
REFUSED = {"type": "refusal", "category": None, "explanation": None, "fallback_credit_token": "credit"}


class Soon(RetryPolicy):
    def decide(self, failure, history, now, **rest):  # type: ignore[no-untyped-def, override]
        decision = RetryPolicy.decide(self, failure, history, now, **rest)
        return Retry(now) if isinstance(decision, Retry) else decision


class Service:
    """The primary model refuses; the second one is overloaded once, then answers."""

    def __init__(self) -> None:
        self.models: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        self.models.append(body["model"])
        if self.models == [PRIMARY, SECOND]:
            return httpx2.Response(
                500, json={"type": "error", "error": {"type": "api_error", "message": "x"}}
            )
        refuses = body["model"] == PRIMARY
        message = {
            "id": f"msg_{len(self.models)}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [] if refuses else [{"type": "text", "text": "Hello"}],
            "stop_reason": "refusal" if refuses else "end_turn",
            "stop_sequence": None,
            "stop_details": REFUSED if refuses else None,
            "usage": {"input_tokens": 10, "output_tokens": 3},
        }
        return stream_of(message) if body.get("stream") else httpx2.Response(200, json=message)


def stream_of(message: dict[str, object]) -> httpx2.Response:
    text = message["content"]
    closing = {"stop_reason": message["stop_reason"], "stop_details": message["stop_details"]}
    events: list[dict[str, object]] = [
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}
    ]
    if text:
        delta = {"type": "text_delta", "text": "Hello"}
        events += [
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
        ]
    events += [
        {"type": "message_delta", "delta": closing, "usage": {"output_tokens": 3}},
        {"type": "message_stop"},
    ]
    body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body.encode())


def client_of(service: Service) -> AsyncAnthropic:
    return AsyncAnthropic(
        api_key="k",
        base_url="http://a.test",
        http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(service)),
        middleware=[BetaRefusalFallbackMiddleware([{"model": SECOND}])],
    )


async def test_a_plain_call_falls_back_and_every_hop_is_budgeted() -> None:
    service = Service()
    async with client_of(service) as own, Scheduler(own, retry=Soon()) as scheduler:
        with BetaFallbackState():
            message = await scheduler.wrap(own).beta.messages.create(**ASK)
        assert [block.type for block in message.content] == ["fallback", "text"]
        assert service.models == [PRIMARY, SECOND, SECOND]
        status = scheduler.status()
        assert (status.sends, status.succeeded, status.in_flight) == (3, 2, 0)
        assert status.usage.output == 6
        assert set(status.budgets) == {"opus-5", "opus-4"}, "each hop counts against its own model"


async def test_a_stream_falls_back_while_it_is_read() -> None:
    service = Service()
    async with client_of(service) as own, Scheduler(own, retry=Soon()) as scheduler:
        with BetaFallbackState():
            async with scheduler.wrap(own).beta.messages.stream(**ASK) as stream:
                message = await stream.get_final_message()
        assert message.content[-1].text == "Hello"  # type: ignore[union-attr]
        assert service.models == [PRIMARY, SECOND, SECOND]
        status = scheduler.status()
        assert (status.sends, status.succeeded, status.in_flight) == (3, 2, 0)
        assert sum(budget.in_flight for budget in status.budgets.values()) == 0
