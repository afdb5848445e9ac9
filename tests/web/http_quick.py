"""The usual decisions, a hundred times as soon."""

from __future__ import annotations

from dataclasses import dataclass

from headway import RetryPolicy
from headway.core.retry import Decision, Retry


@dataclass(frozen=True, slots=True)
class Quick(RetryPolicy):
    """For tests that retry in real time."""

    def decide(self, failure, history, now, **rest) -> Decision:  # type: ignore[no-untyped-def, override]
        decision = RetryPolicy.decide(self, failure, history, now, **rest)
        return Retry(now + (decision.not_before - now) / 100) if isinstance(decision, Retry) else decision
