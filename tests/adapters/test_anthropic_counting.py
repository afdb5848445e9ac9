"""Counting tokens over real HTTP: what is asked, what is not, and that nothing but a number comes of it."""

from __future__ import annotations

import pytest
from anthropic_rig import Start, request_of

pytestmark = pytest.mark.anyio
CALL = "POST /v1/messages/count_tokens"
TOOL = {"name": "f", "input_schema": {"type": "object"}}


async def test_the_same_number_that_a_message_is_charged(start: Start) -> None:
    rig = await start()
    request = request_of(
        "How deep is the bucket?",
        system="Be brief.",
        tools=[TOOL],
        metadata={"user_id": "u"},
        extra_headers={"x-team": "blue"},
        timeout=5.0,
    )
    reply = await rig.send(request)
    assert await rig.transport.count_tokens(request) == reply.usage.input  # type: ignore[union-attr]
    assert rig.api.stats.other_calls == {CALL: 1}


async def test_a_request_that_cannot_be_counted_does_not_keep_others_from_it(start: Start) -> None:
    rig = await start()
    assert await rig.transport.count_tokens(request_of([{"role": "alien", "content": "x"}])) is None
    assert await rig.transport.count_tokens(request_of("x", model="claude-sonet-5-5")) is None
    assert await rig.transport.count_tokens(request_of("x")) is not None


async def test_what_the_server_edits_is_not_counted(start: Start) -> None:
    rig = await start()
    edits = {"edits": [{"type": "clear_tool_uses_20250919"}]}
    assert await rig.transport.count_tokens(request_of("x", context_management=edits)) is None
    assert not rig.api.stats.other_calls


async def test_an_endpoint_that_fails_is_left_alone_for_a_while(start: Start) -> None:
    rig = await start(accepted_keys=frozenset({"another"}))
    for _ in range(3):
        assert await rig.transport.count_tokens(request_of("x")) is None
    assert rig.api.stats.other_calls[CALL] == 1
