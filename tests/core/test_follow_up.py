"""What follows an answer that is not the end, and a model that is not there: tables."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from headway.core.amendment import AS_GIVEN, Amendment, Held
from headway.core.catalog import BUILT_IN
from headway.core.change import Change
from headway.core.error_kind import ErrorKind, Scope
from headway.core.events import Cancelled, Continued, Expired, Failed, Kept, Parked, Started
from headway.core.failure import Failure, failure_of
from headway.core.follow_up import (
    FollowUp,
    after_failure,
    after_reply,
    kept,
    next_model,
    rerouted,
    whole_body,
)
from headway.core.job import JobRecord, JobState, advance
from headway.core.merging import appended
from headway.core.outcome import ending_of
from headway.core.request import Request
from headway.core.usage import Usage

TEXT = {"type": "text", "text": "so far"}
SEARCH = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "x"}}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "save", "input": {}}
LATE = failure_of(ErrorKind.DEADLINE, "late")
POLICY = FollowUp(fallback_models=("claude-sonnet-5", "claude-haiku-5-5"))


def record(amendment: Amendment = AS_GIVEN, **params: object) -> JobRecord:
    body = {"model": "claude-opus-5-5", "max_tokens": 64, "messages": [{"role": "user", "content": "x"}]}
    return JobRecord(1, "k", Request(body | params), amendment=amendment)


def answer(stop_reason: str, *content: object, **fields: object) -> Held:
    usage = {"input_tokens": 10, "output_tokens": 5, "cache_creation": {"ephemeral_1h_input_tokens": 1}}
    body = {"id": "msg_1", "type": "message", "role": "assistant", "content": content, "usage": usage}
    return Held(json.dumps(body | {"stop_reason": stop_reason} | fields), stop_reason, "req_1")


@pytest.mark.parametrize(
    "stop_reason", ["end_turn", "tool_use", "stop_sequence", "model_context_window_exceeded"]
)
def test_an_answer_that_is_the_end_has_no_sequel(stop_reason: str) -> None:
    assert after_reply(POLICY, record(), answer(stop_reason, CALL)) is None


def test_a_paused_turn_is_sent_back_as_it_is() -> None:
    held = answer("pause_turn", TEXT, SEARCH)
    sequel = after_reply(FollowUp(), record(), held)
    assert sequel is not None
    assert sequel.params["messages"] == [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": [TEXT, SEARCH]},
    ]
    assert (sequel.held, sequel.partial) == (held, held.body)
    assert [(change.rule, change.path) for change in sequel.changes] == [("continue", "messages.1")]


def test_a_turn_paused_twice_is_one_turn() -> None:
    first = answer("pause_turn", TEXT)
    sequel = after_reply(FollowUp(), record(), first)
    assert sequel is not None
    again = record(Amendment(sequel.params, sequel.changes, partial=first.body, held=first))
    whole = Held(whole_body(again, answer("pause_turn", SEARCH).body), "pause_turn")
    second = after_reply(FollowUp(), again, whole)
    assert second is not None
    messages = second.params["messages"]
    assert messages == [*again.request.params["messages"], {"role": "assistant", "content": [TEXT, SEARCH]}]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({}, "container_1"),
        ({"container": "mine"}, "mine"),
        ({"container": {"skills": [1]}}, {"skills": [1], "id": "container_1"}),
    ],
)
def test_a_turn_goes_on_in_its_container(asked: dict[str, object], sent: object) -> None:
    held = answer("pause_turn", TEXT, container={"id": "container_1", "expires_at": "2026-11-22T00:00:00Z"})
    sequel = after_reply(FollowUp(), record(**asked), held)
    assert sequel is not None
    assert sequel.params["container"] == sent


@pytest.mark.parametrize(
    ("policy", "held", "amendment"),
    [
        (FollowUp(continue_paused=0), answer("pause_turn", TEXT), AS_GIVEN),
        (FollowUp(), answer("pause_turn"), AS_GIVEN),  # an empty turn cannot be sent back
        (FollowUp(), answer("pause_turn", TEXT), Amendment(changes=(Change("continue", "", ""),) * 5)),
        (FollowUp(raise_cap=False), answer("max_tokens", CALL), AS_GIVEN),
        (FollowUp(), answer("max_tokens", CALL, TEXT), AS_GIVEN),  # the text was cut off, the call is whole
        (FollowUp(), answer("max_tokens"), AS_GIVEN),
        (FollowUp(), answer("refusal", TEXT), AS_GIVEN),
    ],
)
def test_what_was_not_asked_for_or_is_used_up(policy: FollowUp, held: Held, amendment: Amendment) -> None:
    assert after_reply(policy, record(amendment), held) is None


@pytest.mark.parametrize(
    ("model", "cap", "raised"),
    [
        ("claude-opus-5-5", 64, 4096),
        ("claude-opus-5-5", 4096, 16_384),
        ("claude-opus-5-5", 100_000, 128_000),
        ("claude-opus-5-5", 128_000, None),
        ("claude-haiku-4-5", 60_000, 64_000),
        (
            "claude-of-tomorrow",
            64,
            None,
        ),  # its maximum is not known, and one that is too large would be refused
    ],
)
def test_the_cap_is_raised_on_a_cut_off_call(model: str, cap: int, raised: int | None) -> None:
    held = answer("max_tokens", TEXT, CALL)
    sequel = after_reply(FollowUp(), record(model=model, max_tokens=cap), held)
    half = answer("max_tokens", TEXT)
    json_asked = record(
        model=model, max_tokens=cap, output_config={"format": {"type": "json_schema", "schema": {}}}
    )
    of_json = after_reply(FollowUp(), json_asked, half)
    assert (of_json and of_json.params["max_tokens"]) == raised
    assert after_reply(FollowUp(), record(model=model, max_tokens=cap), half) is None, "half a text is of use"
    assert (sequel and sequel.params["max_tokens"]) == raised
    if sequel is not None:
        (change,) = sequel.changes
        assert (change.rule, change.path, change.old, change.new) == ("raise_cap", "max_tokens", cap, raised)
        assert (sequel.held, sequel.partial) == (held, None)


def test_refusals_go_down_the_list_of_models_once() -> None:
    job, models = record(model="claude-sonnet-5"), []
    while sequel := after_reply(POLICY, job, answer("refusal")):
        models.append(sequel.params["model"])
        amendment = Amendment(sequel.params, (*job.amendment.changes, *sequel.changes))
        job = JobRecord(1, "k", job.request, amendment=amendment)
    assert models == ["claude-haiku-5-5"], "its own model is not asked again"
    assert next_model(POLICY, job) is None


def test_another_model_starts_the_turn_anew() -> None:
    held = answer("pause_turn", TEXT)
    sequel = after_reply(POLICY, record(), held)
    assert sequel is not None
    paused = record(Amendment(sequel.params, sequel.changes, partial=held.body, held=held))
    params, (change,) = rerouted(paused, "claude-sonnet-5", "why")
    assert params == {**paused.request.params, "model": "claude-sonnet-5"}
    assert (change.rule, change.old, change.new) == ("fallback", "claude-opus-5-5", "claude-sonnet-5")


GONE = Failure(ErrorKind.NOT_FOUND, "model: claude-opus-5-5", 404, "not_found_error")


@pytest.mark.parametrize(
    ("failure", "overloaded", "moves"),
    [
        (GONE, 0.0, True),
        (Failure(ErrorKind.NOT_FOUND, "no such model", 404, scope=Scope.MODEL), 0.0, True),
        (Failure(ErrorKind.NOT_FOUND, "File not found: file_011", 404), 0.0, False),
        (Failure(ErrorKind.OVERLOADED, "", 529), 119.0, False),
        (Failure(ErrorKind.OVERLOADED, "", 529), 120.0, True),
        (Failure(ErrorKind.RATE_LIMIT, "", 429), 999.0, False),
        (Failure(ErrorKind.INVALID_REQUEST, "model: claude-opus-5-5", 400), 999.0, False),
    ],
)
def test_failures_that_are_the_models(failure: Failure, overloaded: float, moves: bool) -> None:
    assert after_failure(POLICY, record(), failure, overloaded) == ("claude-sonnet-5" if moves else None)
    assert after_failure(FollowUp(), record(), failure, overloaded) is None


def test_an_answer_paid_for_is_kept() -> None:
    held = answer("refusal", TEXT)
    paid = Continued(2.0, {"model": "m"}, (), held, Usage(7, 3), cost=0.5)
    job = advance(advance(record(), Started(1.0)), paid)
    for event in (Failed(9.0, GONE), Expired(9.0, LATE)):
        ending = kept(job, event)
        assert ending == Kept(9.0, event)
        closed = advance(job, ending)
        found = ending_of(closed, ending)
        assert closed.state is JobState.SUCCEEDED
        assert found is not None
        assert (found.body, found.stop_reason, found.request_id) == (held.body, "refusal", "req_1")
        assert (found.usage, found.cost, found.failure) == (Usage(7, 3), 0.5, None)
        assert kept(record(), event) is event, "no answer, nothing to keep"
    for event in (Cancelled(9.0), Parked(9.0, LATE)):
        assert kept(job, event) is event
    cancelled = ending_of(advance(job, Cancelled(9.0)), Cancelled(9.0))
    assert cancelled is not None
    assert (cancelled.usage, cancelled.cost) == (Usage(7, 3), 0.5), "it was billed all the same"


def test_messages_are_joined() -> None:
    first = {"id": "1", "content": [TEXT], "stop_reason": "pause_turn", "usage": {
        "input_tokens": 3, "cache_creation": {"ephemeral_5m_input_tokens": 2}, "service_tier": "standard",
        "server_tool_use": None}}  # fmt: skip
    second = {"id": "2", "content": [SEARCH], "stop_reason": "end_turn", "usage": {
        "input_tokens": 4, "cache_creation": {"ephemeral_5m_input_tokens": 5}, "service_tier": "priority",
        "server_tool_use": {"web_search_requests": 1}}}  # fmt: skip
    assert json.loads(appended(json.dumps(first), json.dumps(second))) == {
        "id": "2", "content": [TEXT, SEARCH], "stop_reason": "end_turn", "usage": {
            "input_tokens": 7, "cache_creation": {"ephemeral_5m_input_tokens": 7}, "service_tier": "priority",
            "server_tool_use": {"web_search_requests": 1}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"fallback_models": "claude-sonnet-5"}, "list of ids"),
        ({"fallback_models": ["claude-sonnet-5", 3]}, "fallback_models"),
        ({"continue_paused": -1}, "continue_paused"),
        ({"overload_patience": float("nan")}, "overload_patience"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        FollowUp(**options)  # type: ignore[arg-type]


def test_a_list_of_models_is_taken() -> None:
    assert FollowUp(fallback_models=["a", "b"]).fallback_models == ("a", "b")  # type: ignore[arg-type]


def test_an_amendment_comes_back() -> None:
    amendment = Amendment(
        {"model": "m", "tools": [{"z": 1, "a": "žluť \ud800"}]}, (Change("r", "p", "why", 1, None),),
        (ErrorKind.CONTEXT_OVERFLOW,), ("files",), "{}", answer("refusal"), Usage(1, 2, 3, 4, 5), None,
    )  # fmt: skip
    found = Amendment.from_json(amendment.to_json())
    assert found == amendment
    assert list(found.params["tools"][0]) == ["z", "a"], "the order of keys is part of a prompt"  # type: ignore[index]
    assert "žluť" not in repr(amendment)
    assert Amendment.from_json(AS_GIVEN.to_json()) == AS_GIVEN


def test_models_may_be_named_by_their_line() -> None:
    policy = FollowUp(fallback_models=("newest:sonnet", "claude-haiku-5-5"))
    assert policy.resolved(BUILT_IN.resolve).fallback_models == ("claude-sonnet-5-5", "claude-haiku-5-5")


def test_a_listed_model_has_its_own_maximum() -> None:
    """What the built-in table does not know, a refreshed catalogue does."""
    facts = replace(BUILT_IN.models[0], prefix="claude-of-tomorrow", max_output=9000)
    catalog = replace(BUILT_IN, models=(*BUILT_IN.models, facts))
    sequel = after_reply(FollowUp(), record(model="claude-of-tomorrow"), answer("max_tokens", CALL), catalog)
    assert sequel is not None
    assert sequel.params["max_tokens"] == 4096
