"""The brake on retry storms: all jobs together may retry only so often.

A token bucket of retries, filled by first sends (a fifth of them: Finagle's and Envoy's retry budget of
20 %), by answers (where those come, retries are no storm), and by time (a floor for small runs). Unlike
botocore's quota, an empty bucket does not fail the job, which did nothing wrong: the retry is taken on credit and
waits until the credit is paid back. Refusals before any work (429, 529) do not draw on it: the budget paces those.
Nor do the failures of an outage, which has a gate of its own (`core/outage.py`).
"""

from __future__ import annotations

from typing import Final

CAPACITY: Final = 500.0
"""Retries that a long-running scheduler has saved up at most (botocore's standard mode: 500 tokens)."""
PER_SEND: Final = 0.2
"""Retries earned by each first send (Finagle ``RetryBudget``, Envoy ``retry_budget``: 20 %)."""
PER_ANSWER: Final = 1.0
"""Retries earned by each answer (botocore's standard mode: a success gives back what a retry took)."""
PER_SECOND: Final = 2.0
"""Retries earned each second, so that a handful of jobs can still retry at once."""
INITIAL: Final = 20.0
"""Retries available from the start."""


class RetryQuota:
    """Tokens for retries; ``now`` is any monotonic clock in seconds."""

    def __init__(self, now: float = 0.0, *, initial: float = INITIAL, capacity: float = CAPACITY) -> None:
        self._tokens = initial
        self._capacity = capacity
        self._at = now

    def first_send(self, now: float) -> None:
        """A job was sent for the first time: part of a retry is earned."""
        self._touch(now)
        self._tokens = min(self._capacity, self._tokens + PER_SEND)

    def answered(self, now: float) -> None:
        """A job was answered: a retry is earned."""
        self._touch(now)
        self._tokens = min(self._capacity, self._tokens + PER_ANSWER)

    def take(self, now: float) -> float:
        """Take one retry; returns the seconds it has to wait until it is paid for (0: none)."""
        self._touch(now)
        self._tokens -= 1.0
        return max(0.0, -self._tokens / PER_SECOND)

    def wait(self, now: float) -> float:
        """The seconds that `take` would give, without taking."""
        return max(0.0, (1.0 - self.available(now)) / PER_SECOND)

    def available(self, now: float) -> float:
        """Retries that need not wait; negative: on credit."""
        self._touch(now)
        return self._tokens

    def _touch(self, now: float) -> None:
        elapsed = max(0.0, now - self._at)
        self._at = max(self._at, now)
        self._tokens = min(self._capacity, self._tokens + elapsed * PER_SECOND)
