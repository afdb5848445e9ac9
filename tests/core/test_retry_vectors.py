"""The six published vectors of AWS' standard retry mode, with our constants.

Where theirs ends a job because the quota is empty, ours waits: the job did nothing wrong.
"""

from __future__ import annotations

import pytest

from headway.core.error_kind import ErrorKind
from headway.core.failure import failure_of
from headway.core.job import Attempt
from headway.core.retry import GiveUp, RetryPolicy
from headway.core.retry_quota import RetryQuota


def run_job(outcomes: list[ErrorKind | None], quota: RetryQuota) -> tuple[str, list[float]]:
    """A job's fate and its waits, as the worker puts policy and quota together."""
    now, history, waits = 0.0, list[Attempt](), list[float]()
    quota.first_send(now)
    for kind in outcomes:
        if kind is None:
            return "succeeded", waits
        wait = quota.take(now)
        decision = RetryPolicy().decide(
            failure_of(kind, ""), history, now, deadline=None, jitter=1 - 1e-12, quota_wait=wait
        )
        if isinstance(decision, GiveUp):
            return "failed", waits
        history.append(Attempt(len(history) + 1, now, now, failure_of(kind, "")))
        waits.append(decision.not_before - now)
        now = decision.not_before
    return "running", waits


X = ErrorKind.UNAVAILABLE


@pytest.mark.parametrize(
    ("outcomes", "initial", "fate", "waits"),
    [
        pytest.param([X, X, None], 500.0, "succeeded", [2, 4], id="success after two"),
        pytest.param([X] * 6, 500.0, "failed", [2, 4, 8, 16, 32], id="max attempts"),
        pytest.param([X, X, None], 0.5, "succeeded", [2, 4], id="quota reached"),
        pytest.param([X, None], -99.2, "succeeded", [50], id="quota empty: on credit, not failed"),
        pytest.param([X] * 5 + [None], 500.0, "succeeded", [2, 4, 8, 16, 32], id="exponential timing"),
        pytest.param(
            [ErrorKind.BAD_GATEWAY] * 5 + [None], 500.0, "succeeded", [3, 10, 30, 60, 120], id="max backoff"
        ),
    ],
)
def test_aws_vectors(outcomes: list[ErrorKind | None], initial: float, fate: str, waits: list[float]) -> None:
    found = run_job(outcomes, RetryQuota(initial=initial))
    assert found == (fate, pytest.approx(waits))
