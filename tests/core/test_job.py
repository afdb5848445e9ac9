"""A job's state machine: complete, closed, and exact in what it counts."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.amendment import Held
from headway.core.change import Change
from headway.core.error_kind import ErrorKind
from headway.core.events import (
    Batched,
    Cancelled,
    Continued,
    Copied,
    Expired,
    Failed,
    JobEvent,
    Kept,
    Parked,
    Queued,
    Recovered,
    Reopened,
    Repaired,
    Rerouted,
    RetryScheduled,
    SetAside,
    Started,
    Succeeded,
)
from headway.core.failure import Failure, failure_of
from headway.core.job import FINAL, TRANSITIONS, Attempt, JobRecord, JobState, TransitionError, advance
from headway.core.request import Request
from headway.core.usage import NO_USAGE

Q, R, W = JobState.QUEUED, JobState.RUNNING, JobState.WAITING
BILLED, FREE = failure_of(ErrorKind.DISCONNECTED, "gone"), failure_of(ErrorKind.CONNECTION, "refused")
LATE, STOP = failure_of(ErrorKind.DEADLINE, "late"), failure_of(ErrorKind.STOPPED, "stop")
CHANGE = Change("max_tokens", "max_tokens", "above the model's maximum", 9, 8)
SECRET = "the prompt nobody may see"

EVENTS: list[JobEvent] = [
    Queued(9.0), Started(9.0), Batched(9.0),
    Succeeded(9.0, "{}", NO_USAGE, request_id="req_9"), RetryScheduled(9.0, FREE, 12.0),
    Failed(9.0, FREE), Parked(9.0, STOP, True), Cancelled(9.0, True), Expired(9.0, LATE, True), Recovered(9.0),
    Reopened(9.0), SetAside(9.0, FREE), Repaired(9.0, {}, (CHANGE,), FREE), Rerouted(9.0, {}, (CHANGE,), FREE),
    Continued(9.0, {}, (CHANGE,), Held("{}", "pause_turn", "req_9"), NO_USAGE), Kept(9.0, Failed(9.0, FREE)),
    Copied(9.0, "{}", "another", "end_turn", "req_9"),
]  # fmt: skip


def record(state: JobState = Q, **changes: object) -> JobRecord:
    """A record as it is in that state: while it runs there is an open attempt, otherwise none."""
    attempts = {R: (Attempt(1, 2.0),), W: (Attempt(1, 2.0, 3.0, FREE),)}.get(state, ())
    request = Request({"model": "m", "max_tokens": 8, "messages": [{"role": "user", "content": SECRET}]})
    changes = {"attempts": attempts, "not_before": 7.0 if state is W else 0.0, **changes}
    return JobRecord(1, "k", request, state=state, **changes)  # type: ignore[arg-type]


def test_the_samples_are_all_events() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(JobEvent))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("state", JobState)
def test_every_state_with_every_event(state: JobState, event: JobEvent) -> None:
    before = record(state)
    target = TRANSITIONS.get((state, type(event)))
    if target is None:
        with pytest.raises(TransitionError, match=f"job k: {type(event).__name__} .* while {state.value}"):
            advance(before, event)
        return
    after = advance(before, event)
    assert after.state is target
    assert before == record(state), "the old value is as it was"
    assert (after.id, after.key, after.request, after.submitted) == (1, "k", before.request, before.submitted)
    running = [attempt for attempt in after.attempts if attempt.ended is None]
    assert len(running) == (target is R), "an attempt is open exactly while the job runs"
    assert [attempt.number for attempt in after.attempts] == list(range(1, len(after.attempts) + 1))
    assert (after.not_before > 0) == (target is W or (type(event) in {Started, Batched} and state is W))


def test_the_table_is_closed() -> None:
    events = set(get_args(JobEvent))
    assert {event for _, event in TRANSITIONS} == events, "every event can happen somewhere"
    reached, edge = {Q}, {Q}
    while edge:
        edge = {target for (source, _), target in TRANSITIONS.items() if source in edge} - reached
        reached |= edge
    assert reached == set(JobState), "every state can be reached"


@pytest.mark.parametrize("state", [Q, R, W])
def test_whatever_goes_on_can_end(state: JobState) -> None:
    for event, end in (
        (Failed, "failed"),
        (Cancelled, "cancelled"),
        (Expired, "expired"),
        (Parked, "queued"),
    ):
        assert TRANSITIONS[state, event].value == end


@pytest.mark.parametrize("state", sorted(FINAL))
def test_final_states_only_reopen(state: JobState) -> None:
    assert state.final
    events = {event for source, event in TRANSITIONS if source is state}
    assert events == (set() if state is JobState.SUCCEEDED else {Reopened}), "a result is never given up"


def test_only_a_running_job_succeeds_or_retries() -> None:
    for event in (Succeeded, RetryScheduled):
        assert [source for source, of in TRANSITIONS if of is event] == [R]


def test_attempts_are_numbered_and_closed() -> None:
    job = record()
    for number in (1, 2, 3):
        job = advance(job, Started(10.0 * number))
        assert job.attempts[-1] == Attempt(number, 10.0 * number)
        if number < 3:
            failure = Failure(ErrorKind.API_ERROR, "no", 500, request_id=f"req_{number}")
            job = advance(job, RetryScheduled(10.0 * number + 4, failure, 10.0 * number + 9))
            assert (job.state, job.not_before) == (W, 10.0 * number + 9)
            assert job.attempts[-1] == Attempt(
                number, 10.0 * number, 10.0 * number + 4, failure, f"req_{number}"
            )
    job = advance(job, Succeeded(33.0, "{}", NO_USAGE, request_id="req_3"))
    assert job.attempts[2] == Attempt(3, 30.0, 33.0, None, "req_3")
    assert job.sends == 3
    resumed = advance(record(prior_attempts=4), Started(1.0))
    assert (resumed.attempts[0].number, resumed.sends) == (1, 5), "earlier processes are counted, not listed"


@pytest.mark.parametrize(
    ("state", "event", "counted"),
    [
        (R, RetryScheduled(9.0, BILLED, 12.0), 1),
        (R, RetryScheduled(9.0, FREE, 12.0), 0),
        (R, Failed(9.0, BILLED), 1),
        (R, Failed(9.0, FREE), 0),
        (W, Failed(9.0, BILLED), 0),  # that attempt was counted when it failed
        (Q, Failed(9.0, BILLED), 0),
        (R, Parked(9.0, STOP, True), 1),
        (R, Parked(9.0, STOP, False), 0),
        (W, Parked(9.0, STOP, True), 0),
        (R, Cancelled(9.0, True), 1),
        (R, Cancelled(9.0, False), 0),
        (Q, Cancelled(9.0, True), 0),
        (R, Expired(9.0, LATE, True), 1),
        (R, Expired(9.0, LATE, False), 0),
        (W, Expired(9.0, LATE, True), 0),
        (R, Recovered(9.0), 1),
        (W, Recovered(9.0), 0),
        (R, Succeeded(9.0, "{}", NO_USAGE), 0),
        (R, SetAside(9.0, FREE), 0),
        (R, Rerouted(9.0, {}, (), BILLED), 1),
        (Q, Rerouted(9.0, {}, (), BILLED), 0),
        (R, Kept(9.0, Expired(9.0, LATE, True)), 1),
        (R, Kept(9.0, Failed(9.0, BILLED)), 1),
        (Q, Kept(9.0, Failed(9.0, BILLED)), 0),
    ],
)
def test_maybe_billed(state: JobState, event: JobEvent, counted: int) -> None:
    found = advance(record(state, maybe_billed=5), event).maybe_billed
    assert found == 5 + counted
    assert type(found) is int


def test_a_crash_closes_the_attempt_and_forgets_the_old_clock() -> None:
    """Loop time begins anew in every process: a time of the last one must not hold the job back."""
    after = advance(record(R), Recovered(9.0))
    assert after.attempts == (Attempt(1, 2.0, 9.0),)
    for event in (Recovered(9.0), Parked(9.0, STOP)):
        assert advance(record(W), event).not_before == 0.0


def test_reopened_is_as_new_but_remembers_what_was_sent() -> None:
    failed = record(JobState.FAILED, attempts=(Attempt(1, 2.0, 3.0, BILLED),), maybe_billed=1, not_before=8.0)
    after = advance(failed, Reopened(9.0))
    assert (after.state, after.not_before, after.sends, after.maybe_billed) == (Q, 0.0, 1, 1)


@given(st.lists(st.sampled_from(EVENTS), max_size=30))
def test_any_life_keeps_the_books(events: list[JobEvent]) -> None:
    job, sent = record(), 0
    for event in events:
        try:
            job = advance(job, event)
        except TransitionError:
            assert (job.state, type(event)) not in TRANSITIONS
            continue
        sent += type(event) in {Started, Batched}
        assert len(job.attempts) == job.sends == sent
        assert sum(attempt.ended is None for attempt in job.attempts) == (job.state is R)
        assert 0 <= job.maybe_billed <= sent


def test_a_record_does_not_show_the_prompt() -> None:
    assert SECRET not in repr(record(R))
    with pytest.raises(TransitionError) as caught:
        advance(record(), Reopened(0.0))
    assert SECRET not in str(caught.value)
