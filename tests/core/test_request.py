"""What callers may give, and that nothing of it is lost, changed or shown."""

from __future__ import annotations

import copy
import json
import pickle
import types
from collections import UserDict, deque
from collections.abc import Callable

import pytest
from anthropic import NOT_GIVEN, omit
from anthropic.types import Message
from anthropic.types.parsed_message import ParsedMessage
from hypothesis import given
from hypothesis import strategies as st

from headway.core.request import CALL_OPTIONS, Request, RequestError, build_request

DEFAULTS = {"model": "claude-sonnet-5-5", "max_tokens": 64}
SECRET = "the prompt nobody may see"
TURN = {"role": "user", "content": SECRET}


def build(prompt: object = SECRET, defaults: dict[str, object] | None = None, **overrides: object) -> Request:
    return build_request(prompt, DEFAULTS if defaults is None else defaults, overrides)


FORMS: list[tuple[str, Callable[[], object], str | None]] = [
    ("string", lambda: SECRET, None),
    ("list", lambda: [TURN], None),
    ("tuple", lambda: (TURN,), None),
    ("generator", lambda: (turn for turn in [TURN]), None),
    ("deque", lambda: deque([TURN]), None),
    ("body", lambda: {"messages": [TURN]}, None),
    ("mapping that is no dict", lambda: UserDict({"messages": [UserDict(TURN)]}), None),
    (
        "read-only mapping",
        lambda: types.MappingProxyType({"messages": (types.MappingProxyType(TURN),)}),
        None,
    ),
    ("batch request", lambda: {"custom_id": "id-1", "params": {"messages": [TURN]}}, "id-1"),
    ("batch request without id", lambda: {"params": {"messages": [TURN]}}, None),
    ("request", lambda: Request({"messages": [TURN]}, custom_id="id-2"), "id-2"),
]


@pytest.mark.parametrize(("make", "custom_id"), [form[1:] for form in FORMS], ids=[form[0] for form in FORMS])
def test_all_forms_mean_the_same(make: Callable[[], object], custom_id: str | None) -> None:
    request = build(make())
    assert request.params == {**DEFAULTS, "messages": [TURN]}
    assert request.custom_id == custom_id
    assert json.loads(request.body_json()) == {**DEFAULTS, "messages": [TURN]}
    assert build_request(make(), DEFAULTS, {}, custom_id="mine").custom_id == "mine"
    assert (request.model, request.max_tokens) == ("claude-sonnet-5-5", 64)


def test_call_over_prompt_over_defaults() -> None:
    body = {"messages": [TURN], "model": "from-body", "max_tokens": 5}
    assert build(body).params["model"] == "from-body"
    merged = build(body, {**DEFAULTS, "system": "s"}, model="from-call").params
    assert (merged["model"], merged["max_tokens"], merged["system"]) == ("from-call", 5, "s")


def test_unknown_parameters_pass_untouched() -> None:
    odd = {
        "betas": ["x"],
        "nested": {"a": [1, 2.5, None, True, {"b": ""}]},
        "zero": 0,
        "none": None,
        "ü": "ß",
    }
    params = build(**odd).params
    assert {name: params[name] for name in odd} == odd


def test_a_request_is_built_again_without_loss() -> None:
    first = build(output_format=int, extra_body={"a": 1}, extra_headers={"h": "v"}, timeout=3.0, system="s")
    assert build(first) == first
    assert build(first, output_format=str).output_format is str
    assert first.options == {"extra_body": {"a": 1}, "extra_headers": {"h": "v"}, "timeout": 3.0}
    assert not CALL_OPTIONS & first.params.keys()
    changed = build(first, timeout=9.0)
    assert (changed.options["timeout"], first.options["timeout"]) == (9.0, 3.0)


@pytest.mark.parametrize("sentinel", [omit, NOT_GIVEN])
def test_the_sdks_sentinels_mean_not_passed(sentinel: object) -> None:
    request = build(
        {"messages": [TURN], "system": sentinel}, {**DEFAULTS, "top_k": sentinel, "tool_choice": sentinel},
        temperature=sentinel, stream=sentinel, output_format=sentinel, timeout=sentinel, max_tokens=sentinel,
    )  # fmt: skip
    assert request.params == {**DEFAULTS, "messages": [TURN]}, "what was not passed leaves the default alone"
    assert request.output_format is None
    assert request.options == {}


def test_output_format_is_never_dropped() -> None:
    """A type is for the SDK's ``parse``; a schema in a body is a parameter like any other."""
    assert build(defaults={**DEFAULTS, "output_format": int}).output_format is int
    schema = {"type": "json_schema", "schema": {"type": "object"}}
    request = build({"messages": [TURN], "output_format": schema})
    assert (request.params["output_format"], request.output_format) == (schema, None)
    assert "output_format" not in build(output_format=None).params


MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5", "stop_sequence": None,
    "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 2},
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "text", "text": "Hi", "citations": None},
        {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1, "z": None}},
    ],
}  # fmt: skip


def test_the_answers_content_goes_back_as_it_came() -> None:
    message = Message.model_validate(MESSAGE)
    for content in (message.content, tuple(message.content), iter(message.content)):
        request = build([TURN, {"role": "assistant", "content": content}])
        assert json.loads(request.body_json())["messages"][1]["content"] == MESSAGE["content"]


def test_a_parsed_answer_goes_back_without_what_the_sdk_added() -> None:
    """The API refuses ``parsed_output``."""
    text = {"type": "text", "text": '{"a": 1}', "parsed_output": {"a": 1}}
    parsed = ParsedMessage[dict[str, int]].model_validate({**MESSAGE, "content": [text]})
    assert parsed.content[0].parsed_output == {"a": 1}  # type: ignore[union-attr]
    request = build([TURN, {"role": "assistant", "content": parsed.content}])
    assert "parsed_output" not in request.body_json()


def test_iterators_are_read_once() -> None:
    """The first attempt would use them up, and the second would send an empty list."""
    tools = [{"name": "a"}, {"name": "b"}]
    blocks = ({"type": "text", "text": word} for word in ("x", "y"))
    request = build([{"role": "user", "content": blocks}], tools=iter(tools), stop_sequences=map(str, (1, 2)))
    for _ in range(2):
        body = json.loads(request.body_json())
        assert body["tools"] == tools
        assert body["stop_sequences"] == ["1", "2"]
        assert [block["text"] for block in body["messages"][0]["content"]] == ["x", "y"]


def test_what_the_caller_gave_is_neither_changed_nor_shared() -> None:
    defaults, body = (
        {**DEFAULTS, "metadata": {"user_id": "u"}},
        {"messages": [{"role": "user", "content": ["a"]}]},
    )
    before = copy.deepcopy((defaults, body))
    request = build(body, defaults)
    assert (defaults, body) == before
    body["messages"][0]["content"].append("later")  # type: ignore[attr-defined]
    assert request.params["messages"] == before[1]["messages"]


def deep(levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels):
        value = [value]
    return value


def circular() -> dict[str, object]:
    turn: dict[str, object] = {"role": "user"}
    turn["content"] = [turn]
    return turn


@pytest.mark.parametrize(
    ("field", "prompt", "overrides"),
    [
        ("messages", [], {}),
        ("messages", 5, {}),
        ("messages", None, {}),
        ("messages", b"bytes", {}),
        ("messages", bytearray(b"bytes"), {}),
        ("messages", {"prompt": SECRET}, {}),
        ("messages", {"messages": SECRET}, {}),
        ("messages", {}, {}),
        ("messages.1", [TURN, SECRET], {}),
        ("messages.0", [{"role": "user"}], {}),
        ("messages.0", [{"content": SECRET}], {}),
        ("params", {"params": [TURN]}, {}),
        ("custom_id", {"custom_id": 7, "params": {"messages": [TURN]}}, {}),
        ("model", SECRET, {"model": None}),
        ("model", SECRET, {"model": " "}),
        ("max_tokens", SECRET, {"max_tokens": None}),
        ("max_tokens", SECRET, {"max_tokens": "9"}),
        ("max_tokens", SECRET, {"max_tokens": True}),
        ("max_tokens", SECRET, {"max_tokens": 9.0}),
        ("max_tokens", SECRET, {"max_tokens": -1}),
        ("stream", SECRET, {"stream": True}),
        ("params", [{"role": "user", "content": deep(5000)}], {}),
        ("params", [circular()], {}),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name(
    field: str, prompt: object, overrides: dict[str, object]
) -> None:
    with pytest.raises(RequestError) as caught:
        build(prompt, **overrides)
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: ")
    assert SECRET not in str(caught.value)


def test_zero_tokens_warm_the_cache_and_stream_false_says_nothing() -> None:
    request = build(max_tokens=0, stream=False)
    assert request.max_tokens == 0
    assert "stream" not in request.params


@pytest.mark.parametrize(
    "value", [b"bytes", {1, 2}, frozenset({"a"}), object(), 1j, float("nan"), float("inf"), {(1, 2): 3}, int]
)
def test_what_json_cannot_hold_is_a_clear_error(value: object) -> None:
    request = build(**{"metadata": {"user_id": value, "secret": SECRET}})
    for method in (request.body_json, request.content_hash):
        with pytest.raises(RequestError, match="cannot be written as JSON") as caught:
            method()
        assert SECRET not in str(caught.value)
        assert caught.value.__suppress_context__


def test_deep_but_built_by_hand() -> None:
    with pytest.raises(RequestError, match="nested too deeply"):
        Request({**DEFAULTS, "messages": deep(100_000)}).content_hash()


def test_repr_shows_no_prompt() -> None:
    request = build(system=SECRET, extra_body={"x": SECRET}, extra_headers={"authorization": SECRET})
    assert repr(request) == "Request(custom_id=None, model='claude-sonnet-5-5')"
    assert SECRET not in f"{request!r} {request} {[request]}"


def test_pickles_and_copies() -> None:
    request = build(system="s", timeout=3.0)
    for twin in (pickle.loads(pickle.dumps(request)), copy.deepcopy(request)):
        assert twin == request
        assert twin.content_hash() == request.content_hash()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def shuffled(value: object) -> object:
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_the_hash_does_not_depend_on_the_order_of_keys(extra: dict[str, object]) -> None:
    params = {**extra, **DEFAULTS, "messages": [TURN]}
    one, two = Request(params), Request(shuffled(params))  # type: ignore[arg-type]
    assert one.content_hash() == two.content_hash()
    assert one.body_json() == two.body_json()
    assert json.loads(one.body_json()) == params
    assert len(one.content_hash()) == 64


@given(json_values, json_values)
def test_the_hash_tells_contents_apart(one: object, two: object) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)
    for place in ("metadata", "extra_body"):
        hashes = [build(**{place: value}).content_hash() for value in (one, two) if value is not None]
        assert len(hashes) < 2 or (hashes[0] == hashes[1]) == same


def test_what_does_not_change_the_answer_does_not_change_the_hash() -> None:
    plain = build()
    assert plain.content_hash() == build(timeout=9.0, extra_headers={"x": "y"}).content_hash()
    assert plain.content_hash() == build_request(SECRET, DEFAULTS, {}, custom_id="other").content_hash()
    changes = ({"model": "m"}, {"max_tokens": 65}, {"system": ""}, {"extra_body": {}}, {"tools": []})
    hashes = {plain.content_hash(), build(SECRET + " ").content_hash()}
    hashes |= {build(**change).content_hash() for change in changes}
    assert len(hashes) == 2 + len(changes)
    assert plain.with_params(system="x").content_hash() == build(system="x").content_hash()
    assert "system" not in plain.params


@given(st.text(st.characters() | st.characters(categories=["Cs"]), min_size=1))
def test_any_text_has_a_hash(text: str) -> None:
    """Also lone surrogates, which JSON can hold and the journal stores."""
    assert len(build(text).content_hash()) == 64
    assert build(text).content_hash() != build(text + "\udc00").content_hash()
