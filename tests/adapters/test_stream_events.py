"""Streams of events that no one has promised: new ones pass, mutilated ones are failures, never half answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic_rig import client_of, json_answer, raw_server

from headway import JobFailedError, JobState, RetryPolicy, Scheduler
from headway.core.error_kind import ErrorKind
from headway.core.usage import Usage

pytestmark = pytest.mark.anyio

MESSAGE: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
    "stop_sequence": None, "usage": {
        "input_tokens": 3, "output_tokens": 1, "cache_creation_input_tokens": 7,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 7},
    },
}  # fmt: skip
START = {"type": "message_start", "message": MESSAGE}
BEGIN = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
HI = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
CLOSE = {"type": "content_block_stop", "index": 0}
DELTA: dict[str, Any] = {
    "type": "message_delta",
    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
    "usage": {"output_tokens": 5},
}
STOP = {"type": "message_stop"}
CITATION = {
    "type": "char_location", "cited_text": "a", "document_index": 0, "document_title": None,
    "start_char_index": 0, "end_char_index": 1,
}  # fmt: skip


def on_the_wire(*events: object) -> bytes:
    """Server-sent events."""
    parts = [(e["type"] if isinstance(e, dict) else "content_block_delta", json.dumps(e)) for e in events]
    body = "".join(f"event: {name}\ndata: {data}\n\n" for name, data in parts)
    return json_answer(body.encode(), kind=b"text/event-stream")


def change(index: int, **delta: object) -> dict[str, object]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


async def read(answer: bytes) -> tuple[Any, Any, Usage]:
    """The message and the job of a stream that gets one attempt."""
    async with raw_server(answer) as url, client_of("httpx2", url) as client:
        policy = RetryPolicy(max_attempts=1)
        async with Scheduler(client, model="claude-haiku-5-5", max_tokens=64, retry=policy) as scheduler:
            manager = scheduler.stream("hi")
            try:
                async with manager as stream:
                    message = await stream.get_final_message()
            finally:
                status = scheduler.status()
                held = sum(budget.in_flight for budget in status.budgets.values())
                assert (held, status.in_flight, status.queued) == (0, 0, 0)
            return message, stream.job, status.usage


@pytest.mark.parametrize(
    "events",
    [
        [START, BEGIN, HI, CLOSE, DELTA, STOP],
        [START, BEGIN, HI, CLOSE, DELTA],
        [{"type": "novelty"}, START, BEGIN, {"type": "novelty", "index": 9}, HI, CLOSE, DELTA, STOP],
        [START, BEGIN, change(0, type="novel_delta", x=1), HI, CLOSE, DELTA, STOP],
        [START, BEGIN, change(0, type="citations_delta", citation=CITATION), HI, CLOSE, DELTA, STOP],
    ],
)
async def test_what_is_whole_is_read_with_its_own_counts(events: list[object]) -> None:
    message, job, usage = await read(on_the_wire(*events))
    assert message.content[0].text == "Hi"
    assert job.state is JobState.SUCCEEDED
    # The last event said nothing of the input: what the first one said stands.
    assert (message.usage.input_tokens, message.usage.output_tokens) == (3, 5)
    assert message.usage.cache_creation_input_tokens == 7
    assert usage == Usage(input=3, output=5, cache_write_1h=7)


async def test_an_empty_answer_is_one() -> None:
    message, _, _ = await read(on_the_wire(START, DELTA, STOP))
    assert (message.content, message.stop_reason) == ([], "end_turn")


@pytest.mark.parametrize(
    "events",
    [
        [START, BEGIN, None, HI, CLOSE, DELTA, STOP],
        [START, BEGIN, [1], HI, CLOSE, DELTA, STOP],
        [START, BEGIN, {"type": "content_block_delta", "index": 0}, HI, CLOSE, DELTA, STOP],
        [START, BEGIN, change(None, type="text_delta", text="x"), HI, CLOSE, DELTA, STOP],  # type: ignore[arg-type]
        [START, BEGIN, change(0, type="text_delta", text=None), HI, CLOSE, DELTA, STOP],
        [{"type": "message_start"}, BEGIN, HI, CLOSE, DELTA, STOP],
        [{"type": "message_start", "message": {**MESSAGE, "usage": None}}, BEGIN, HI, CLOSE, DELTA, STOP],
        [{"type": "message_start", "message": {**MESSAGE, "content": None}}, BEGIN, HI, CLOSE, DELTA, STOP],
        [BEGIN, HI, CLOSE, DELTA, STOP],
        [STOP],
        [START, BEGIN, HI, CLOSE, {**DELTA, "usage": None}, STOP],
    ],
)
async def test_what_is_mutilated_is_a_failure(events: list[object]) -> None:
    with pytest.raises(JobFailedError) as caught:
        await read(on_the_wire(*events))
    assert caught.value.failure.kind is ErrorKind.MALFORMED


async def test_an_answer_without_a_stop_reason_was_cut_off() -> None:
    with pytest.raises(JobFailedError) as caught:
        await read(on_the_wire(START, BEGIN, HI, CLOSE, STOP))
    assert caught.value.failure.kind is ErrorKind.STREAM_CUT
    assert caught.value.partial is not None
    assert caught.value.partial.content[0].text == "Hi"  # type: ignore[union-attr]


async def test_tool_input_that_is_no_json_is_a_failure_that_quotes_nothing() -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {}}
    begin = {"type": "content_block_start", "index": 0, "content_block": call}
    bad = change(0, type="input_json_delta", partial_json='{"secret": }}')
    with pytest.raises(JobFailedError, match="the input of a tool call is not JSON") as caught:
        await read(on_the_wire(START, begin, bad, CLOSE, DELTA, STOP))
    assert caught.value.failure.kind is ErrorKind.MALFORMED
    assert "secret" not in str(caught.value)
