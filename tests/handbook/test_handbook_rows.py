"""Every row of the error table, end to end over HTTP: the decision, the number of requests, the final error."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from handbook_cases import ACCOUNT, CASES, ELSEWHERE, RETRIED, STREAMED, THROTTLED, Case
from handbook_rig import KEY, Rig, Start

from headway import Alert, Alerts, ErrorKind, JobFailedError, JobState, Outcome, RetryPolicy, Scheduler

pytestmark = pytest.mark.anyio
NETWORK = 0.5
"""Seconds that a request may take beside the wait."""


def named(cases: tuple[Case, ...]) -> pytest.MarkDecorator:
    params = [pytest.param(case, id=case.name.replace(" ", "-"), marks=case.waits_for) for case in cases]
    return pytest.mark.parametrize("case", params)


def job_of(scheduler: Scheduler, case: Case):  # type: ignore[no-untyped-def]
    return scheduler.submit("What is the answer?", max_tokens=STREAMED if case.streamed else 64)


def check_text(case: Case, error: JobFailedError) -> None:
    """What a user reads: what happened, as what, and what to do; never the key."""
    text, failure = str(error), error.failure
    assert text.startswith(case.kind.value)
    assert case.said in text
    assert failure.message in text
    assert text.endswith(failure.remedy)
    assert len(failure.remedy) > 15
    assert KEY not in text + repr(error)
    if case.request_id:
        assert failure.request_id is not None
        assert failure.request_id.startswith("req_011C")
    if case.rule.kind == "status":
        assert failure.status == case.rule.status
        assert str(case.rule.status) in text
        if case.rule.error_code:
            assert failure.error_code == case.rule.error_code
            assert case.rule.error_code in text


@named(CASES)
async def test_while_it_lasts(start: Start, case: Case) -> None:
    rig = await start(case.rule)
    policy = RetryPolicy() if case.sends else RetryPolicy(max_throttle_wait=case.patience)
    async with rig.open(retry=policy) as scheduler:
        job = job_of(scheduler, case)
        with pytest.raises(JobFailedError) as caught:
            await job
        outcome = await job.outcome()
    assert type(caught.value) is case.error
    assert caught.value.failure.kind is case.kind
    assert caught.value.failure.scope == case.scope
    check_text(case, caught.value)
    assert outcome.sends == rig.api.stats.arrivals == len(rig.wire.sent)
    if case.sends:
        assert outcome.sends == case.sends
        assert [a.failure and a.failure.kind for a in outcome.attempts] == [case.kind] * case.sends
    check_waits(case, outcome)


def check_waits(case: Case, outcome: Outcome) -> None:
    starts = [attempt.started for attempt in outcome.attempts]
    gaps = [after - before for before, after in itertools.pairwise(starts)]
    if case.sends:
        assert len(case.waits) == case.sends - 1
        for gap, (least, most) in zip(gaps, case.waits, strict=True):
            assert least <= gap <= most + NETWORK
        return
    assert len(gaps) >= 2, "it was tried again and again"
    assert (
        case.patience / 2 <= starts[-1] - starts[0] <= case.patience + 1
    )  # the last one may wait for its turn
    least = case.waits[0][0] if case.waits else 0.0
    assert min(gaps) >= least, "Retry-After is a minimum"
    assert sum(gaps) / len(gaps) > 0.25, "an API that refuses everything is not hammered"


@named((*RETRIED, *THROTTLED))
async def test_when_it_passes(start: Start, case: Case) -> None:
    failures = case.sends - 1 if case.sends else 4
    rig = await start(replace(case.rule, count=failures))
    async with rig.open() as scheduler:
        outcome = await job_of(scheduler, case).outcome()
    assert outcome.state is JobState.SUCCEEDED
    assert outcome.sends == rig.api.stats.arrivals == failures + 1
    assert [a.failure and a.failure.kind for a in outcome.attempts] == [case.kind] * failures + [None]


@named(THROTTLED)
async def test_throttling_uses_up_no_attempt(start: Start, case: Case) -> None:
    """Ten refusals and then two server errors: each kind has its own bound, and throttling has none but time."""
    server_error = replace(RETRIED[2].rule, count=2)
    rig = await start(replace(case.rule, count=10), server_error)
    async with rig.open() as scheduler:
        outcome = await job_of(scheduler, case).outcome()
    assert outcome.state is JobState.SUCCEEDED
    assert outcome.sends == 13


@named(ACCOUNT)
async def test_a_dead_account_is_not_sent_to_again(start: Start, case: Case) -> None:
    rig = await start(case.rule)
    told: list[Alert] = []
    async with rig.open(alerts=Alerts(callback=told.append)) as scheduler:
        jobs = [job_of(scheduler, case) for _ in range(50)]
        first = await jobs[0].outcome()
        others = [await job.outcome() for job in jobs[1:]]
        assert first.resumable
        assert {(o.state, o.resumable, o.failure and o.failure.kind) for o in others} == {
            (JobState.FAILED, True, case.kind)
        }
        sent = rig.api.stats.arrivals
        late = await job_of(scheduler, case).outcome()
        assert late.resumable
        assert rig.api.stats.arrivals == sent, "new jobs end at once"
        assert [(alert.failure.kind, alert.dead.scope) for alert in told] == [(case.kind, "account")]
        await _resumes(rig, scheduler, case)


async def _resumes(rig: Rig, scheduler: Scheduler, case: Case) -> None:
    rig.api.set_faults(())
    scheduler.resume()
    outcome = await asyncio.wait_for(job_of(scheduler, case).outcome(), 60)
    assert outcome.state is JobState.SUCCEEDED


def test_every_kind_is_shown() -> None:
    shown = {case.kind.value for case in CASES}
    assert shown | set(ELSEWHERE) >= {kind.value for kind in ErrorKind}
    assert not shown & set(ELSEWHERE)
    root = Path(__file__).parent
    for place in (ELSEWHERE[kind.value] for kind in ErrorKind if kind.value in ELSEWHERE):
        assert (root / place).exists() or (root.parent / place).exists(), place
