"""Endings and their lines: one line of JSON for every job, in the shape of Message Batches results."""

from __future__ import annotations

import json
import math

import pytest
from anthropic.types.messages import MessageBatchIndividualResponse
from hypothesis import example, given
from hypothesis import strategies as st

from headway.core.error_kind import ROW, ErrorKind
from headway.core.events import (
    Cancelled,
    Expired,
    Failed,
    JobEvent,
    Parked,
    RetryScheduled,
    Started,
    Succeeded,
)
from headway.core.failure import Failure, failure_of
from headway.core.job import Attempt, JobRecord, JobState, advance
from headway.core.outcome import Ending, ending_of, failure_from_json, failure_to_json
from headway.core.request import Request
from headway.core.usage import Usage

MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
    "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 2},
    "content": [{"type": "text", "text": "one\ntwo\u2028three\u2029four\x85five\r\n✓ 😀 \"q\" \\n"}],
}  # fmt: skip
FAILURE = Failure(
    ErrorKind.RAMP_LIMIT, "slower", 429, "rate_limit_error", "ramp_limit_exceeded", "req_1", 2.5
)

texts = st.text(st.characters() | st.sampled_from('\n\r\t\x0b\x1c\x85\u2028\u2029\ud800\udfff"\\'))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
jsons = st.recursive(
    scalars, lambda x: st.lists(x, max_size=3) | st.dictionaries(texts, x, max_size=3), max_leaves=8
)
bodies = st.dictionaries(texts, jsons, max_size=4)
failures = st.builds(
    Failure,
    st.sampled_from(ErrorKind),
    texts,
    st.none() | st.integers(100, 599),
    st.none() | texts,
    st.none() | texts,
    st.none() | texts,
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
).map(lambda failure: failure_from_json(failure_to_json(failure)))


def parsed(line: str) -> dict[str, object]:
    assert line.splitlines() == [line], "any reader of lines must see one"
    assert line.encode().decode() == line, "and any file must take it"
    found: dict[str, object] = json.loads(line, parse_constant=pytest.fail)
    return found


@example({"\ud800": "\u2028\u2029\x85\udfff\\\n\x1c"}, 1, False, "\ud800\n")
@given(bodies, st.sampled_from([None, 2, "\r\n\t"]), st.booleans(), texts)
def test_a_body_is_written_whole_on_one_line(
    body: dict[str, object], indent: int | None, ascii_only: bool, key: str
) -> None:
    text = json.dumps(body, indent=indent, ensure_ascii=ascii_only)
    found = parsed(Ending(key, JobState.SUCCEEDED, text).line())
    assert found["custom_id"] == key
    assert found["result"] == {"type": "succeeded", "message": body}


def test_numbers_come_out_as_they_went_in() -> None:
    """Python's floats would turn the one into infinity and the other into 0.1."""
    line = Ending("k", JobState.SUCCEEDED, '{\n "a": 1e999,\r\n "b": 0.1000000000000000055}\n').line()
    assert '{  "a": 1e999,   "b": 0.1000000000000000055} ' in line


@given(
    st.sampled_from([JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED]),
    st.none() | failures,
    texts,
    st.integers(0, 10),
    st.integers(0, 3),
    st.floats(0, 1e9),
)
def test_every_other_ending_is_a_line_too(
    state: JobState, failure: Failure | None, key: str, sends: int, maybe_billed: int, seconds: float
) -> None:
    ending = Ending(
        key, state, failure=failure, sends=sends, maybe_billed=maybe_billed, queued_seconds=seconds,
        running_seconds=seconds / 3, cost=seconds / 1e6,
    )  # fmt: skip
    found = parsed(ending.line())
    facts, result = found["headway"], found["result"]
    assert isinstance(facts, dict)
    assert isinstance(result, dict)
    assert (facts["attempts"], facts.get("maybe_billed", 0)) == (sends, maybe_billed)
    assert facts.get("kind") == (failure and failure.kind.value)
    assert facts.get("remedy") == (failure and failure.remedy)
    assert result["type"] == {"failed": "errored"}.get(
        state.value, {"cancelled": "canceled"}.get(state.value, state.value)
    )
    if state is JobState.FAILED:
        error = result["error"]["error"]
        assert error["type"] == ((failure and failure.type) or "api_error")
        assert error["message"] == (failure.message if failure else "")
        assert error.get("details", {}).get("error_code") == ((failure and failure.error_code) or None)


@pytest.mark.parametrize(
    ("ending", "check"),
    [
        (
            Ending("a", JobState.SUCCEEDED, json.dumps(MESSAGE, ensure_ascii=False, indent=1), cost=0.5),
            lambda result: result.message.to_dict() == MESSAGE,
        ),
        (
            Ending("a", JobState.FAILED, failure=FAILURE),
            lambda result: (
                (
                    result.error.type,
                    result.error.error.type,
                    result.error.error.message,
                    result.error.request_id,
                )
                == ("error", "rate_limit_error", "slower", "req_1")
            ),
        ),
        (
            Ending("a", JobState.FAILED, failure=failure_of(ErrorKind.CONNECTION, "refused")),
            lambda result: result.error.error.type == "api_error" and result.error.request_id is None,
        ),
        (Ending("a", JobState.CANCELLED), lambda result: result.type == "canceled"),
        (
            Ending("a", JobState.EXPIRED, failure=failure_of(ErrorKind.DEADLINE, "")),
            lambda result: result.type == "expired",
        ),
    ],
    ids=["succeeded", "errored", "errored without response", "canceled", "expired"],
)
def test_the_sdk_reads_it_as_a_batch_result(ending: Ending, check) -> None:  # type: ignore[no-untyped-def]
    found = MessageBatchIndividualResponse.model_validate_json(ending.line())
    assert found.custom_id == "a"
    assert check(found.result)


@given(failures)
def test_failures_come_back(failure: Failure) -> None:
    stored = json.loads(json.dumps(failure_to_json(failure)))
    assert failure_from_json(stored) == failure
    assert failure_from_json(stored).scope is ROW[failure.kind].scope


@pytest.mark.parametrize("data", [{}, {"kind": "of_the_future", "message": "m"}, {"kind": None}, {"kind": 5}])
def test_a_kind_of_the_future_is_read_as_internal(data: dict[str, object]) -> None:
    failure = failure_from_json(data)
    assert (failure.kind, failure.message) == (ErrorKind.INTERNAL, data.get("message", ""))


REQUEST = Request({"model": "m", "max_tokens": 8, "messages": [{"role": "user", "content": "x"}]})


def life(*events: JobEvent) -> tuple[JobRecord, Ending | None]:
    record = JobRecord(1, "k", REQUEST, submitted=10.0, prior_attempts=2)
    for event in events:
        record = advance(record, event)
    return record, ending_of(record, events[-1])


FREE, BILLED = failure_of(ErrorKind.CONNECTION, ""), failure_of(ErrorKind.DISCONNECTED, "")
STOP = failure_of(ErrorKind.STOPPED, "stop")


def test_time_is_either_queued_or_running() -> None:
    done = Succeeded(40.0, "{}", Usage(1, 2), "end_turn", "req_2", 0.25)
    record, ending = life(Started(12.0), RetryScheduled(15.0, BILLED, 30.0), Started(33.0), done)
    assert ending == Ending(
        "k", JobState.SUCCEEDED, "{}", None, Usage(1, 2), "end_turn", "req_2", 0.25, sends=4, maybe_billed=1,
        queued_seconds=2.0 + 18.0, running_seconds=3.0 + 7.0,
    )  # fmt: skip
    assert record.sends == 4


@pytest.mark.parametrize(
    ("event", "state", "failure", "resumable"),
    [
        (Failed(20.0, FREE), JobState.FAILED, FREE, False),
        (Cancelled(20.0, True), JobState.CANCELLED, None, False),
        (Expired(20.0, FREE, True), JobState.EXPIRED, FREE, False),
        (Parked(20.0, STOP, True), JobState.FAILED, STOP, True),
    ],
)
def test_endings_of_all_kinds(
    event: JobEvent, state: JobState, failure: Failure | None, resumable: bool
) -> None:
    for events in ((event,), (Started(12.0), event)):
        _, ending = life(*events)
        assert ending is not None
        assert (ending.state, ending.failure, ending.resumable) == (state, failure, resumable)
        ran = 8.0 if len(events) == 2 else 0.0
        assert (ending.running_seconds, ending.queued_seconds) == (ran, 10.0 - ran)
        assert ending.sends == 2 + (len(events) == 2)
        assert ending.body is None
        parsed(ending.line())


def test_while_a_job_goes_on_there_is_no_ending() -> None:
    assert life(Started(12.0))[1] is None
    assert life(Started(12.0), RetryScheduled(15.0, FREE, 30.0))[1] is None


def test_a_clock_that_is_off_makes_no_negative_time() -> None:
    attempts = (Attempt(1, 0.0, 100.0),)
    record = JobRecord(1, "k", REQUEST, submitted=50.0, state=JobState.FAILED, attempts=attempts)
    ending = ending_of(record, Failed(60.0, FREE))
    assert ending is not None
    assert ending.queued_seconds == 0.0
    assert math.isfinite(ending.running_seconds)
