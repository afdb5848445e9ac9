"""What to do about a failure: `RetryPolicy.decide` is a function of values, ``now`` and given randomness."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from headway.core.error_kind import ROW, ErrorKind
from headway.core.failure import Failure, failure_of
from headway.core.job import Attempt

RETRY_AFTER_SPREAD: Final = 0.1
"""Jitter on top of ``Retry-After``: up to this share of it, so that waiters do not return as a herd."""
RETRY_AFTER_MIN_SPREAD: Final = 0.25
"""… and up to this many seconds at least."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again, not before this time."""

    not_before: float


@dataclass(frozen=True, slots=True)
class Repair:
    """The request itself is at fault, and there is a repair for it: mend it and send it again."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The job's outcome is this failure."""

    failure: Failure


Decision = Retry | Repair | GiveUp


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long and how often a job is tried. The rows of ``core/error_kind.py`` hold the defaults per kind."""

    max_attempts: int | None = None
    """Bound on attempts that reached the API and failed there or on the way, for every kind;
    ``None``: each kind's own. 1 switches retries off, throttling excepted."""
    max_total_attempts: int = 12
    """Bound over all kinds together, refusals by 429 and 529 not counted."""
    max_throttle_wait: float = 3600.0
    """Seconds a job may spend being refused by 429 and 529 together, counted from the first refusal, or trying an API
    that cannot be reached; and the longest ``Retry-After`` that is waited for after any other failure."""

    max_misfits: int = 1
    """How often an answer that does not fit ``output_format`` is asked for again; every one is billed. 0: never."""

    def __post_init__(self) -> None:
        if self.max_misfits < 0:
            raise ValueError(f"RetryPolicy.max_misfits must be 0 or more, not {self.max_misfits!r}")
        if self.max_attempts is not None and self.max_attempts < 1:
            raise ValueError(f"RetryPolicy.max_attempts must be at least 1, not {self.max_attempts!r}")
        if self.max_total_attempts < 1:
            raise ValueError(
                f"RetryPolicy.max_total_attempts must be at least 1, not {self.max_total_attempts!r}"
            )
        if not self.max_throttle_wait >= 0:
            raise ValueError(
                f"RetryPolicy.max_throttle_wait must be 0 or more, not {self.max_throttle_wait!r}"
            )

    def decide(
        self,
        failure: Failure,
        history: Sequence[Attempt],
        now: float,
        *,
        deadline: float | None,
        jitter: float,
        budget_wait: float = 0.0,
        quota_wait: float = 0.0,
        repairable: bool = False,
        excused: bool = False,
    ) -> Decision:
        """Decide about the newest ``failure``; ``history`` holds the earlier attempts and may end with this one.

        ``jitter`` is uniform in [0, 1). ``budget_wait`` and ``quota_wait`` are the seconds that the budget
        (after a 429 or 529) and the retry quota ask this job to wait at least. ``repairable``: a repair that
        was asked for may help against this failure, and is not used up. ``excused``: the API cannot be reached by
        anybody, so this is bounded by time alone.
        """
        if repairable and not failure.row.throttle:
            return Repair(failure)
        failures = [a.failure for a in history if a.failure is not None and not a.excused]
        if failure.row.throttle or excused:
            wait = self._throttle_wait(failure, jitter, budget_wait)
            if excused:
                wait = max(wait, self._backoff(failure, 0, jitter))
            waits = (a.started for a in history if a.excused or (a.failure and a.failure.row.throttle))
            if now + wait - next(waits, now) > self.max_throttle_wait:
                return GiveUp(failure)
        else:
            counted = sum(1 for earlier in failures if not earlier.row.throttle) + 1
            same = sum(1 for earlier in failures if earlier.kind is failure.kind) + 1
            bound = self._bound(failure.kind)
            if same >= bound or counted >= self.max_total_attempts:
                return GiveUp(failure)
            wait = self._backoff(failure, same - 1, jitter)
            if wait > self.max_throttle_wait and failure.retry_after is not None:
                return GiveUp(failure)
            wait = max(wait, quota_wait)
        not_before = now + wait
        if deadline is not None and not_before >= deadline:
            return GiveUp(_too_late(failure, wait, deadline - now))
        return Retry(not_before)

    def _bound(self, kind: ErrorKind) -> int:
        if kind is ErrorKind.MISFIT:
            return 1 if self.max_attempts == 1 else self.max_misfits + 1
        known = ROW[kind].attempts
        return known if self.max_attempts is None or known == 1 else self.max_attempts

    @staticmethod
    def _throttle_wait(failure: Failure, jitter: float, budget_wait: float) -> float:
        # Only Retry-After's minimum is the job's own: how fast to go on is the budget's matter.
        if failure.retry_after is None:
            return budget_wait
        return max(budget_wait, _after(failure.retry_after, jitter))

    @staticmethod
    def _backoff(failure: Failure, retries: int, jitter: float) -> float:
        backoff = failure.row.backoff
        if backoff.schedule:
            step = backoff.schedule[min(retries, len(backoff.schedule) - 1)]
            wait = step * (
                0.5 + 0.5 * jitter
            )  # half of a fixed step is kept: it is a schedule, not a ceiling
        else:
            # Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
            wait = jitter * min(backoff.cap, backoff.base * 2.0 ** min(retries, 60))
        return wait if failure.retry_after is None else max(wait, _after(failure.retry_after, jitter))


def _after(retry_after: float, jitter: float) -> float:
    """Never earlier than asked; a past or negative ``Retry-After`` asks for nothing."""
    asked = max(0.0, retry_after)
    if asked == math.inf:
        return asked  # 0 · ∞ is no number
    return asked + jitter * max(RETRY_AFTER_MIN_SPREAD, RETRY_AFTER_SPREAD * asked)


def _too_late(failure: Failure, wait: float, left: float) -> Failure:
    late = failure_of(
        ErrorKind.DEADLINE,
        f"{failure.kind.value}: the next attempt is due in {wait:.1f} s, the deadline in {max(0.0, left):.1f} s",
    )
    return Failure(
        late.kind, late.message, failure.status, failure.type, failure.error_code, failure.request_id,
        failure.retry_after, late.scope,
    )  # fmt: skip
