"""Agents in a loop: tools called on a free choice, and conversations that the server holds."""

from __future__ import annotations

import anthropic
import pytest

pytestmark = pytest.mark.anyio
MODEL = "claude-sonnet-5-5"
TOOL = {
    "name": "look_up",
    "input_schema": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
}


def turn(text: str) -> dict[str, object]:
    return {"role": "user", "content": text}


async def test_a_willing_model_calls_the_tool_until_a_result_came(start):
    _, client = await start(calls_tools=True)
    ask = {"model": MODEL, "max_tokens": 200, "tools": [TOOL]}
    first = await client.messages.create(messages=[turn("hi")], **ask)
    assert (first.stop_reason, first.content[0].type) == ("tool_use", "tool_use")
    call = first.content[0]
    assert (call.name, call.input) == ("look_up", {"word": "headway"})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "found"}
    turns = [turn("hi"), {"role": "assistant", "content": first.content}]
    second = await client.messages.create(messages=[*turns, {"role": "user", "content": [result]}], **ask)
    assert second.content[0].type == "text"
    none = await client.messages.create(messages=[turn("hi")], **ask, tool_choice={"type": "none"})
    assert none.content[0].type == "text"


async def test_usually_a_free_choice_means_text(start):
    _, client = await start()
    message = await client.messages.create(model=MODEL, max_tokens=200, tools=[TOOL], messages=[turn("hi")])
    assert message.content[0].type == "text"


async def test_a_thread_is_held_and_continued_once(start):
    _, client = await start()
    thread = client.beta.messages.thread(model=MODEL, max_tokens=64)
    first = await thread.send(turn("x" * 4000))
    second = await thread.send(turn("and then?"))
    assert second.usage.input_tokens > first.usage.input_tokens > 1000, "the whole conversation is charged"
    again = {"type": "continue", "previous_message_id": first.id}
    ask = {"model": MODEL, "max_tokens": 64, "messages": [turn("hi")]}
    with pytest.raises(anthropic.BadRequestError, match="continued already"):
        await client.beta.messages.create(**ask, thread=again)
    with pytest.raises(anthropic.NotFoundError) as caught:
        await client.beta.messages.create(**ask, thread={**again, "previous_message_id": "msg_x"})
    assert caught.value.error_code == "thread_not_found"
    with pytest.raises(anthropic.BadRequestError, match="thread"):
        await client.beta.messages.create(**ask, thread={"type": "continue"})


async def test_the_tool_runner_goes_round(start):
    api, client = await start(calls_tools=True)

    @anthropic.beta_async_tool
    async def look_up(word: str) -> str:
        """Look a word up."""
        return f"{word}: a measure of progress"

    runner = client.beta.messages.tool_runner(
        model=MODEL, max_tokens=64, tools=[look_up], messages=[turn("hi")]
    )
    message = await runner.until_done()
    assert message.content[0].type == "text"
    assert api.stats.arrivals == 2
