"""`RetryPolicy.decide`: how often, how long, and when not at all."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.error_kind import ROW, TABLE, ErrorKind
from headway.core.failure import Failure, failure_of
from headway.core.job import Attempt
from headway.core.retry import Decision, GiveUp, Retry, RetryPolicy

K = ErrorKind
POLICY = RetryPolicy()
FINAL = [row.kind for row in TABLE if row.attempts == 1 and not row.throttle]
RETRIED = [row.kind for row in TABLE if row.attempts > 1]
THROTTLED = [row.kind for row in TABLE if row.throttle]
jitters = st.floats(0.0, 1.0, exclude_max=True)


def failed(kind: ErrorKind, retry_after: float | None = None) -> Failure:
    return Failure(kind, "", 500, retry_after=retry_after)


def past(*kinds: ErrorKind, start: float = 0.0) -> list[Attempt]:
    return [Attempt(n + 1, start + n, start + n + 0.5, failed(kind)) for n, kind in enumerate(kinds)]


def decide(
    failure: Failure,
    history: list[Attempt] | None = None,
    now: float = 100.0,
    *,
    policy: RetryPolicy = POLICY,
    deadline: float | None = None,
    jitter: float = 0.0,
    budget_wait: float = 0.0,
    quota_wait: float = 0.0,
) -> Decision:
    return policy.decide(
        failure, history or [], now, deadline=deadline, jitter=jitter,
        budget_wait=budget_wait, quota_wait=quota_wait,
    )  # fmt: skip


def wait(decision: Decision, now: float = 100.0) -> float:
    assert isinstance(decision, Retry)
    return decision.not_before - now


def test_every_kind_is_one_of_three() -> None:
    assert sorted([*FINAL, *RETRIED, *THROTTLED]) == sorted(ErrorKind)


ATTEMPTS = {
    K.REQUEST_TIMEOUT: 5, K.CONFLICT: 5, K.API_ERROR: 3, K.BAD_GATEWAY: 6, K.UNAVAILABLE: 6,
    K.SERVER_TIMEOUT: 4, K.MALFORMED: 4, K.CONNECTION: 5, K.POOL_TIMEOUT: 5, K.ATTEMPT_TIMEOUT: 5,
    K.DISCONNECTED: 5, K.STREAM_CUT: 5, K.STREAM_STALL: 5, K.STALE_TOKEN: 3,
    K.BATCH_EXPIRED: 3, K.MISFIT: 2,
}  # fmt: skip


@pytest.mark.parametrize("kind", [*FINAL, *RETRIED])
def test_attempts_of_a_kind(kind: ErrorKind) -> None:
    bound = ATTEMPTS.get(kind, 1)
    for sent in range(1, bound + 3):
        failure = failed(kind)
        decision = decide(failure, past(*[kind] * (sent - 1)))
        assert isinstance(decision, Retry) == (sent < bound), sent
        if isinstance(decision, GiveUp):
            assert decision.failure is failure


@pytest.mark.parametrize("kind", [*FINAL, *RETRIED])
def test_the_running_attempt_in_the_history_changes_nothing(kind: ErrorKind) -> None:
    for before in range(7):
        history = past(*[kind] * before)
        assert decide(failed(kind), history) == decide(failed(kind), [*history, Attempt(before + 1, 90.0)])


@pytest.mark.parametrize(
    ("kind", "ceilings"),
    [
        (K.API_ERROR, [1, 2]),
        (K.UNAVAILABLE, [2, 4, 8, 16, 32]),
        (K.SERVER_TIMEOUT, [1, 2, 4]),
        (K.MALFORMED, [1, 2, 4]),
        (K.CONNECTION, [0.5, 1, 2, 4]),
        (K.POOL_TIMEOUT, [0.5, 1, 2, 4]),
        (K.DISCONNECTED, [0.5, 1, 2, 4]),
    ],
)
def test_full_jitter_below_a_doubling_ceiling(kind: ErrorKind, ceilings: list[float]) -> None:
    for retry, ceiling in enumerate(ceilings):
        history = past(*[kind] * retry)
        for jitter in (0.0, 0.25, 0.5, 0.999):
            assert wait(decide(failed(kind), history, jitter=jitter)) == pytest.approx(jitter * ceiling)


def test_the_502_schedule() -> None:
    for retry, step in enumerate([3, 10, 30, 60, 120]):
        history = past(*[K.BAD_GATEWAY] * retry)
        waits = [wait(decide(failed(K.BAD_GATEWAY), history, jitter=j)) for j in (0.0, 0.5, 1 - 1e-9)]
        assert waits == pytest.approx([step / 2, step * 0.75, step])


@pytest.mark.parametrize("kind", RETRIED)
def test_the_cap_holds_however_many_retries(kind: ErrorKind) -> None:
    policy = RetryPolicy(max_attempts=10**6, max_total_attempts=10**6, max_misfits=10**6)
    backoff = ROW[kind].backoff
    cap = backoff.schedule[-1] if backoff.schedule else backoff.cap
    for retries in (20, 2000):
        found = wait(decide(failed(kind), past(*[kind] * retries), policy=policy, jitter=0.999))
        assert cap / 2 <= found <= cap


@given(
    st.sampled_from([*RETRIED, *THROTTLED]),
    st.one_of(
        st.integers(-(10**6), 10**12),
        st.floats(allow_nan=False),
        st.sampled_from([0.0, -0.0, 1e308, math.inf]),
    ),
    jitters,
    st.integers(0, 4),
    st.floats(0, 1e6),
)
def test_retry_after_is_never_undercut(
    kind: ErrorKind, retry_after: float, jitter: float, retries: int, now: float
) -> None:
    policy = RetryPolicy(max_attempts=50, max_total_attempts=50, max_misfits=50)
    decision = decide(
        failed(kind, retry_after), past(*[kind] * retries, start=now), now, policy=policy, jitter=jitter
    )
    if isinstance(decision, Retry):
        assert now <= decision.not_before < now + policy.max_throttle_wait + 2
        assert decision.not_before >= now + retry_after or retry_after <= 0
    else:
        assert retry_after * 1.1 + 1 > policy.max_throttle_wait, "given up for no reason"


@pytest.mark.parametrize("kind", [*RETRIED, *THROTTLED])
def test_jitter_comes_on_top_of_retry_after(kind: ErrorKind) -> None:
    """One Retry-After for a thousand jobs must not bring them back as a herd."""
    for asked, spread in ((0.1, 0.25), (1.0, 0.25), (600.0, 60.0)):
        low, high = (wait(decide(failed(kind, asked), jitter=j)) for j in (0.0, 0.999))
        assert low >= asked or low == pytest.approx(asked)
        assert high >= asked + 0.99 * spread


@pytest.mark.parametrize("retry_after", [-1e9, -1.0, 0.0])
@pytest.mark.parametrize("kind", RETRIED)
def test_a_retry_after_in_the_past_does_not_shorten_the_backoff(kind: ErrorKind, retry_after: float) -> None:
    plain = wait(decide(failed(kind), jitter=0.9))
    assert wait(decide(failed(kind, retry_after), jitter=0.9)) == pytest.approx(plain)


@pytest.mark.parametrize("kind", [*RETRIED, *THROTTLED])
@pytest.mark.parametrize("retry_after", [3601.0, 86400.0 * 365, 1e308, math.inf])
def test_no_endless_sleep(kind: ErrorKind, retry_after: float) -> None:
    """Without a deadline of its own a job still does not sleep for a year because a header says so."""
    assert isinstance(decide(failed(kind, retry_after)), GiveUp)
    patient = RetryPolicy(max_throttle_wait=1e5)
    assert isinstance(decide(failed(kind, retry_after), policy=patient), Retry) == (retry_after < 9e4)


@pytest.mark.parametrize("kind", [*RETRIED, *THROTTLED])
def test_deadline(kind: ErrorKind) -> None:
    failure = Failure(kind, "m", 503, "t", "c", "req", 20.0)
    assert isinstance(decide(failure, deadline=120.1), Retry)
    late = decide(failure, deadline=120.0)
    assert isinstance(late, GiveUp)
    assert late.failure.kind is K.DEADLINE
    assert kind.value in late.failure.message
    assert (late.failure.status, late.failure.error_code, late.failure.request_id) == (503, "c", "req")
    passed = decide(failure, deadline=99.0)
    assert isinstance(passed, GiveUp)
    assert "-" not in passed.failure.message.split("deadline in")[1], "no negative seconds left"


@given(
    st.sampled_from([*RETRIED, *THROTTLED]),
    jitters,
    st.floats(0, 1e4),
    st.floats(0, 1e4),
    st.floats(-10, 1e4),
)
def test_never_beyond_the_deadline_never_before_what_others_ask(
    kind: ErrorKind, jitter: float, budget_wait: float, quota_wait: float, left: float
) -> None:
    decision = decide(
        failed(kind), deadline=100 + left, jitter=jitter, budget_wait=budget_wait, quota_wait=quota_wait
    )
    asked = budget_wait if ROW[kind].throttle else quota_wait
    if isinstance(decision, Retry):
        assert 100 + asked <= decision.not_before < 100 + left


@pytest.mark.parametrize("kind", THROTTLED)
def test_throttling_is_bounded_by_time_not_by_attempts(kind: ErrorKind) -> None:
    many = past(*[kind] * 500)
    assert wait(decide(failed(kind), many, 3000.0, budget_wait=5.0), 3000.0) == 5.0
    assert isinstance(decide(failed(kind), many, 3600.0), Retry), "counted from the first refusal"
    assert isinstance(decide(failed(kind), many, 3600.1), GiveUp)
    assert isinstance(decide(failed(kind), many, 3590.0, budget_wait=10.5), GiveUp)
    strict = RetryPolicy(max_throttle_wait=0.0)
    assert isinstance(decide(failed(kind), policy=strict), Retry)
    assert isinstance(decide(failed(kind), policy=strict, budget_wait=0.1), GiveUp)


def test_the_clock_of_throttling_starts_with_the_first_refusal() -> None:
    history = [*past(K.CONNECTION, K.CONNECTION), *past(K.OVERLOADED, start=5000.0)]
    assert isinstance(decide(failed(K.RATE_LIMIT), history, 8000.0), Retry)
    assert isinstance(decide(failed(K.RATE_LIMIT), history, 8601.0), GiveUp)


def test_the_budget_sets_the_pace_of_refusals_the_quota_that_of_retries() -> None:
    assert wait(decide(failed(K.OVERLOADED), quota_wait=50.0, budget_wait=3.0)) == 3.0
    assert wait(decide(failed(K.CONNECTION), quota_wait=50.0, budget_wait=300.0)) == 50.0
    assert wait(decide(failed(K.RATE_LIMIT, 9.0), budget_wait=3.0)) == 9.0


@pytest.mark.parametrize("kind", ErrorKind)
@pytest.mark.parametrize("bound", [1, 2, 7])
def test_max_attempts_replaces_each_kinds_own(kind: ErrorKind, bound: int) -> None:
    policy = RetryPolicy(max_attempts=bound)
    for sent in range(1, bound + 2):
        retried = isinstance(decide(failed(kind), past(*[kind] * (sent - 1)), policy=policy), Retry)
        own = min(bound, 2) if kind is K.MISFIT else bound  # each is billed: it has a bound of its own
        expected = kind in THROTTLED or (kind in RETRIED and sent < own)
        assert retried == expected


@pytest.mark.parametrize(("bound", "most"), [(None, None), (None, 5), (1, 5), (9, 0), (3, 6)])
def test_misfits_have_a_bound_of_their_own(bound: int | None, most: int | None) -> None:
    policy = (
        RetryPolicy(max_attempts=bound) if most is None else RetryPolicy(max_attempts=bound, max_misfits=most)
    )
    allowed = 1 if bound == 1 else 2 if most is None else most + 1
    for sent in range(1, 9):
        retried = isinstance(decide(failed(K.MISFIT), past(*[K.MISFIT] * (sent - 1)), policy=policy), Retry)
        assert retried == (sent < allowed)
    with pytest.raises(ValueError, match="max_misfits"):
        RetryPolicy(max_misfits=-1)


def test_kinds_are_counted_apart_and_together() -> None:
    mixed = [K.API_ERROR, K.CONNECTION, K.API_ERROR, K.CONNECTION, K.STREAM_CUT]
    assert isinstance(decide(failed(K.BAD_GATEWAY), past(*mixed)), Retry)
    assert isinstance(decide(failed(K.API_ERROR), past(*mixed)), GiveUp), "its third"
    two_each = [kind for kind in RETRIED[:6] for _ in range(2)]
    assert isinstance(decide(failed(K.STREAM_CUT), past(*two_each[:10])), Retry)
    assert isinstance(decide(failed(K.STREAM_CUT), past(*two_each[:11])), GiveUp), "the twelfth of all"
    refused = past(*[K.RATE_LIMIT, K.OVERLOADED] * 50)
    assert isinstance(decide(failed(K.API_ERROR), [*refused, *past(K.API_ERROR)]), Retry), "refusals are free"


@given(st.lists(st.sampled_from([*RETRIED, *FINAL]), max_size=40), jitters)
def test_no_sequence_of_failures_goes_on_for_ever(kinds: list[ErrorKind], jitter: float) -> None:
    history: list[Attempt] = []
    for number, kind in enumerate(kinds, 1):
        if isinstance(decide(failed(kind), history, jitter=jitter), GiveUp):
            break
        history.append(Attempt(number, 0.0, 1.0, failed(kind)))
    assert len(history) < POLICY.max_total_attempts


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_attempts": 0},
        {"max_attempts": -1},
        {"max_total_attempts": 0},
        {"max_throttle_wait": -0.1},
        {"max_throttle_wait": math.nan},
    ],
)
def test_nonsense_is_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RetryPolicy(**wrong)  # type: ignore[arg-type]


def test_late_failure_stands_on_its_own() -> None:
    late = decide(failed(K.RATE_LIMIT, 50.0), deadline=110.0)
    assert isinstance(late, GiveUp)
    assert late.failure.scope is failure_of(K.DEADLINE, "").scope
