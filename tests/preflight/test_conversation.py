"""`Conversation`: what it takes, what it gives to send, and what it drops."""

from __future__ import annotations

import json

import pytest
from anthropic.types import Message
from anthropic.types.parsed_message import ParsedTextBlock
from conversations import assistant, complaint, result, system, text, thinking, use, user
from hypothesis import given, settings
from hypothesis import strategies as st

from headway import Conversation, RequestError
from headway.preflight.turns import turns_of

MODEL = "claude-sonnet-5-5"


def reply(*content: object, tokens: int = 0, model: str = MODEL) -> Message:
    return Message.model_validate(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": list(content),
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": tokens, "output_tokens": 1, "cache_read_input_tokens": tokens},
        }
    )


def test_turns_come_out_as_they_went_in() -> None:
    conversation = Conversation(model=MODEL, system="Be brief.", tools=[])
    conversation.add_user("hi")
    conversation.add(reply(text("yes?")))
    conversation.add(user(text("so?")))
    conversation.add({"role": "assistant", "content": "so!"})
    assert conversation.messages == [user("hi"), assistant(text("yes?")), user(text("so?")), assistant("so!")]
    assert conversation.params == {"model": MODEL, "system": "Be brief.", "messages": conversation.messages}
    assert (
        Conversation(messages=json.loads(json.dumps(conversation.messages))).messages == conversation.messages
    )


def test_a_parsed_reply_goes_back_without_what_was_parsed() -> None:
    conversation = Conversation()
    conversation.add_user("hi")
    block = ParsedTextBlock[dict[str, int]](type="text", text='{"a": 1}', parsed_output={"a": 1})
    conversation.add({"role": "assistant", "content": [block]})
    assert conversation.messages[1] == assistant(text('{"a": 1}'))


def test_the_list_it_gives_is_the_callers_own() -> None:
    conversation = Conversation()
    conversation.add_user("hi")
    conversation.messages.clear()
    assert len(conversation.messages) == 1


def test_a_tool_loop() -> None:
    conversation = Conversation(model=MODEL)
    conversation.add_user("go")
    conversation.add(reply(thinking(), use(), use("t2", toolset_name="browser")))
    assert [call["id"] for call in conversation.pending] == ["t1", "t2"]
    conversation.add_tool_result("t2", [text("b")], is_error=True)
    assert [call["id"] for call in conversation.pending] == ["t1"]
    with pytest.raises(RequestError, match="tool calls wait for their results: t1"):
        conversation.add_user("hurry")
    conversation.add_tool_result("t1", "a")
    conversation.add_user("and then?")
    assert conversation.pending == []
    assert conversation.messages[2:] == [
        user(result("t2", [text("b")], is_error=True, toolset_name="browser")),
        user(result("t1", "a")),
        user("and then?"),
    ]
    assert complaint({**conversation.params, "max_tokens": 9}) is None


@pytest.mark.parametrize("content", ["", " ", [], [text("")], None, 3])
def test_an_empty_turn_is_refused_where_it_is_added(content: object) -> None:
    conversation = Conversation()
    with pytest.raises(RequestError, match="content: must be text or a list of content blocks"):
        conversation.add_user(content)
    assert conversation.messages == []


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(RequestError, match="role: must be user, assistant or system, not None"):
        Conversation().add("hello")
    with pytest.raises(RequestError, match=r"role: must be .* not 'tool'"):
        Conversation(messages=[{"role": "tool", "content": "x"}])
    with pytest.raises(ValueError, match=r"Conversation\.budget must be at least 1 token, not 0"):
        Conversation(budget=0)


def test_a_result_of_no_waiting_call_is_refused() -> None:
    conversation = Conversation()
    conversation.add_user("go")
    conversation.add(reply(use()))
    conversation.add_tool_result("t1")
    for name in ("t1", "t9"):
        with pytest.raises(RequestError, match=f"no tool call waits for {name}"):
            conversation.add_tool_result(name)


def test_an_empty_reply_leaves_no_turn_and_empty_text_is_left_out() -> None:
    conversation = Conversation()
    conversation.add_user("hi")
    conversation.add(reply())
    conversation.add(reply(text(" ")))
    assert conversation.messages == [user("hi")]
    conversation.add(reply(text(""), text("yes?")))
    assert conversation.messages[1:] == [assistant(text("yes?"))]


def long(name: str) -> str:
    return f"{name} " + "x" * 350  # about 100 tokens


def test_it_drops_the_oldest_and_says_what() -> None:
    conversation = Conversation(model=MODEL, budget=1000)
    gone = []
    for n in range(8):
        gone += conversation.add_user(long(f"q{n}"))
        gone += conversation.add({"role": "assistant", "content": long(f"a{n}")})
        assert conversation.tokens <= 1000
    assert [str(message["content"])[:2] for message in gone][:4] == ["a0", "q1", "a1", "q2"]
    assert conversation.dropped == len(gone)
    assert len(conversation.messages) + len(gone) == 16
    assert len(turns_of(list(conversation.messages))[0].indices) == 2, "prompts without answer do not pile up"
    assert conversation.messages[0]["content"] == long("q0")


def test_cuts_are_rare_and_deep() -> None:
    conversation = Conversation(model=MODEL, budget=2000)
    cuts = 0
    for n in range(40):
        cuts += bool(conversation.add_user(long(f"q{n}")))
        cuts += bool(conversation.add({"role": "assistant", "content": long(f"a{n}")}))
    assert 5 < cuts < 20


def test_usage_corrects_the_estimate() -> None:
    conversation = Conversation(budget=1000)
    conversation.add_user(long("q0"))
    before = conversation.tokens
    conversation.add(reply(text(long("a0")), tokens=before))  # read from the cache as much again
    assert conversation.tokens == pytest.approx(4 * before, rel=0.1)
    assert conversation.budget == 1000


def test_the_model_of_a_reply_gives_the_window() -> None:
    conversation = Conversation()
    assert conversation.budget is None
    conversation.add_user("hi")
    conversation.add(reply(text("yes?"), model="claude-haiku-4-5-20251001"))
    assert conversation.budget == 180_000


def test_thinking_goes_with_a_cut_where_it_is_bound() -> None:
    for model, stays in ((MODEL, False), ("claude-opus-5", True)):
        conversation = Conversation(model=model, budget=700)
        for n in range(4):
            conversation.add_user(long(f"q{n}"))
            conversation.add(reply(thinking(), text(long(f"a{n}")), model=model))
        assert conversation.dropped
        blocks = [block for message in conversation.messages[:3] for block in message["content"]]  # pyright: ignore
        assert ("thinking" in str(blocks)) is stays


def test_what_can_never_fit_is_refused_and_leaves_all_as_it_was() -> None:
    conversation = Conversation(model=MODEL, system=long("s"), budget=300)
    conversation.add_user("hi")
    conversation.add(reply(text("yes?")))
    before = conversation.messages
    with pytest.raises(RequestError, match=r"about 1,\d+ tokens, more than the conversation's budget of 300"):
        conversation.add_user("x" * 3500)
    assert conversation.messages == before
    assert conversation.dropped == 0


def test_instructions_of_dropped_turns_move_into_the_system_prompt() -> None:
    conversation = Conversation(model="claude-opus-5", system="Be brief.", budget=600)
    conversation.add_user(long("q0"))
    conversation.add({"role": "assistant", "content": long("a0")})
    conversation.add_user(long("q1"))
    conversation.add(system("Rhyme."))
    for n in range(1, 5):
        conversation.add({"role": "assistant", "content": long(f"a{n}")})
        conversation.add_user(long(f"q{n + 1}"))
    assert conversation.system == "Be brief.\n\nRhyme."
    assert conversation.params["system"] == conversation.system


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 300), st.integers(0, 3)), min_size=1, max_size=12),
    st.integers(200, 2000),
)
def test_whatever_is_said_can_be_sent(steps: list[tuple[int, int]], budget: int) -> None:
    conversation = Conversation(model=MODEL, budget=budget)
    try:
        for number, (size, calls) in enumerate(steps):
            conversation.add_user("x" * size)
            assert conversation.tokens <= budget
            assert complaint({**conversation.params, "max_tokens": 9}) is None
            names = [f"t{number}_{call}" for call in range(calls)]
            conversation.add(reply(thinking(), *(use(name) for name in names), text("y" * size)))
            for name in names:
                conversation.add_tool_result(name, "z")
            if names:
                assert complaint({**conversation.params, "max_tokens": 9}) is None
                conversation.add(reply(text("done")))
    except RequestError as error:
        assert "budget" in str(error)
