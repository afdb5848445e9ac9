"""Results of a batch, from bytes to values: no line is lost, and none can bring the reader down."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.adapters.anthropic.answer import read_answer
from headway.adapters.anthropic.batch_lines import lines_of, result_of
from headway.core.error_kind import ErrorKind, Scope
from headway.core.failure import Failure
from headway.core.limits import NO_REPORT
from headway.core.request import Request
from headway.ports import Reply

pytestmark = pytest.mark.anyio
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=8).filter(str.strip)


@given(st.lists(TEXTS, max_size=6), st.lists(st.integers(0, 60), max_size=6), st.booleans())
def test_lines_do_not_depend_on_where_the_chunks_end(texts, cuts, ended):
    lines = [json.dumps(text, ensure_ascii=False).encode() for text in texts]  # U+2028, \x85 … stay inside
    body = b"\n".join(lines) + (b"\r\n" if ended else b"")
    edges = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})

    async def chunks():
        for begin, end in itertools.pairwise(edges):
            yield body[begin:end]

    async def read():
        return [line async for line in lines_of(chunks())]

    assert run(read()) == lines


def run(coroutine):
    """Without a loop: nothing here waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


@given(
    st.one_of(
        st.binary(max_size=40),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["custom_id", "result", "type", "message", "error", "x"]),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=8,
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_no_line_raises_and_what_is_not_understood_is_kept(line):
    result = result_of(line)
    if result.raw is None:
        assert result.custom_id == json.loads(line)["custom_id"]
    else:
        assert isinstance(result.error, Failure)
        assert result.error.kind is ErrorKind.MALFORMED
        assert result.raw == line.decode(errors="replace")


@pytest.mark.parametrize(
    ("error", "kind", "scope", "message"),
    [
        ({"type": "overloaded_error", "message": "busy"}, ErrorKind.OVERLOADED, Scope.JOB, "busy"),
        ({"type": "invalid_request_error", "message": "prompt is too long: 9 tokens"}, ErrorKind.CONTEXT_OVERFLOW,
         Scope.JOB, "prompt is too long: 9 tokens"),
        ({"type": "not_found_error", "message": "model: gone"}, ErrorKind.NOT_FOUND, Scope.MODEL, "model: gone"),
        ({"type": "invalid_request_error", "message": "no",
          "details": {"error_code": "organization_on_hold"}}, ErrorKind.ACCOUNT_HOLD, Scope.ACCOUNT, "no"),
        ({"type": "of_next_year", "message": "new"}, ErrorKind.API_ERROR, Scope.JOB, "new"),
        ({}, ErrorKind.API_ERROR, Scope.JOB, "errored in a batch, without a reason"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("wrapped", [True, False])
def test_an_errored_item_fails_as_the_same_request_alone(error, kind, scope, message, wrapped):
    whole = {"type": "error", "error": error, "request_id": "req_1"} if wrapped else error
    line = json.dumps({"custom_id": "a", "result": {"type": "errored", "error": whole}}).encode()
    failure = result_of(line).error
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.scope, failure.message) == (kind, scope, message)
    assert (failure.status, failure.request_id) == (None, "req_1" if wrapped else None)


def test_messages_of_a_newer_api_pass():
    """Known fields as the SDK types them, unknown blocks and fields as they came."""
    usage = {"input_tokens": 1, "output_tokens": 2}
    fields = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "usage": usage,
    }
    text, novel = {"type": "text", "text": "hi", "citations": None}, {"type": "hologram", "beams": [1, 2]}
    known = {**fields, "content": [text], "stop_reason": "end_turn", "stop_sequence": None, "colour": "blue"}
    for message in (known, {**known, "content": [text, novel], "stop_reason": "bored"}):
        line = json.dumps({"custom_id": "a", "result": {"type": "succeeded", "message": message}}).encode()
        given = result_of(line).message
        assert type(given).__name__ == "Message"
        assert given.content[0].text == "hi"  # type: ignore[attr-defined]
        assert given.to_dict(warnings=False) == message  # type: ignore[attr-defined]
        assert given._request_id is None  # type: ignore[attr-defined]


def test_a_lone_surrogate_does_not_cost_a_paid_answer():
    """JSON can hold it, UTF-8 cannot: a model's token may end in the middle of a character."""
    line = json.dumps({"custom_id": "a", "result": {"type": "succeeded", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "max_tokens",
        "content": [{"type": "text", "text": "a\ud83d"}], "usage": {"input_tokens": 1, "output_tokens": 2},
    }}})  # fmt: skip
    message = result_of(line.encode()).message
    reply = read_answer(Request({"model": "m"}), message, None, NO_REPORT, None)
    assert isinstance(reply, Reply)
    assert json.loads(reply.body)["content"][0]["text"] == "a\ud83d"


@pytest.mark.parametrize(
    ("line", "custom_id", "problem"),
    [
        ('{"custom_id": "a-1", "result": {"type": "succ', "a-1", "not JSON"),
        ('{"custom_id": "a-1", "result": {"type": "archived"}}', "a-1", "unknown type 'archived'"),
        ('{"custom_id":"a-1","result":{"type":"succeeded"}}', "a-1", "no message"),
        ('{"result": {"type": "expired"}}', "", "no custom_id"),
        ("[1]", "", "no object"),
    ],
)
def test_a_spoilt_line_says_whose_it_is_where_it_can(line, custom_id, problem):
    result = result_of(line.encode())
    assert (result.custom_id, result.raw) == (custom_id, line)
    assert problem in str(result.error)
    assert line not in repr(result)
