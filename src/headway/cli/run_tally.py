"""What a run has brought so far, counted from its outcomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headway.core.catalog import group_of
from headway.core.error_kind import ErrorKind
from headway.core.failure import Failure
from headway.core.job import JobState
from headway.core.lane import Lane
from headway.core.usage import NO_USAGE, Usage

if TYPE_CHECKING:
    from headway.runtime.handle import Outcome


@dataclass(slots=True)
class KindCount:
    """Failures of one kind."""

    count: int
    example_id: str
    example: Failure


@dataclass(slots=True)
class LaneCount:
    """Answers that came one way."""

    answers: int = 0
    cost: float = 0.0
    """USD, of those whose price is known."""


@dataclass(slots=True)
class RunTally:
    """Sums over the outcomes of a run."""

    succeeded: int = 0
    failed: int = 0
    """Failed, expired or cancelled for good."""
    stopped: int = 0
    """Not finished; they can be resumed."""
    stopped_by: Failure | None = None
    """Why, for one of them."""
    restored: int = 0
    """Finished by an earlier run; they count in ``succeeded`` and ``failed`` too."""
    copied: int = 0
    """Of this run: succeeded with the answer to an identical request; nothing was sent for them."""
    cut_off: int = 0
    """Answers of this run that ``max_tokens`` ended."""
    declined: int = 0
    """Answers of this run that are refusals."""
    maybe_billed: int = 0
    """Sends that may have been billed without an answer."""
    stopped_billed: int = 0
    """Those of jobs that are not finished."""
    cost: float = 0.0
    """USD of this run."""
    cost_unknown: int = 0
    """Answers of models without a known price."""
    usage: dict[str, Usage] = field(default_factory=dict[str, Usage])
    """Of this run, by model group."""
    answers: dict[str, int] = field(default_factory=dict[str, int])
    """Of this run, by model group."""
    group_of: Callable[[str], str] = group_of
    """The group of a model, as the budgets call it."""
    shortest: float | None = None
    """Seconds of the quickest answer."""
    lanes: dict[Lane, LaneCount] = field(default_factory=dict["Lane", LaneCount])
    """Of this run."""
    kinds: dict[ErrorKind, KindCount] = field(default_factory=dict[ErrorKind, KindCount])

    @property
    def finished(self) -> int:
        """Jobs that need nothing more."""
        return self.succeeded + self.failed

    @property
    def total_usage(self) -> Usage:
        """Of this run."""
        return sum(self.usage.values(), Usage())

    def add(self, outcome: Outcome[Any]) -> None:
        """Count an outcome."""
        self.maybe_billed += outcome.maybe_billed
        if outcome.resumable:
            self.stopped += 1
            self.stopped_billed += outcome.maybe_billed
            self.stopped_by = outcome.failure
            return
        self.restored += outcome.restored
        if outcome.state is JobState.SUCCEEDED:
            self.succeeded += 1
            if outcome.copy_of is not None and not outcome.restored:
                self.copied += 1
            elif not outcome.restored:
                self._add_answer(outcome)
        else:
            self.add_failure(outcome.key, outcome.failure)
            if not outcome.restored and outcome.usage != NO_USAGE:
                self._add_usage(outcome)

    def add_restored(self, maybe_billed: int) -> None:
        """Count a job that succeeded in an earlier run."""
        self.restored += 1
        self.succeeded += 1
        self.maybe_billed += maybe_billed

    def resume(self, earlier: RunTally) -> None:
        """Count what earlier runs finished."""
        self.restored += earlier.finished
        self.succeeded += earlier.succeeded
        self.failed += earlier.failed
        self.maybe_billed += earlier.maybe_billed
        self.kinds |= earlier.kinds

    def add_failure(self, key: str, failure: Failure | None) -> None:
        """Count a job that failed."""
        self.failed += 1
        if failure is not None:
            row = self.kinds.setdefault(failure.kind, KindCount(0, key, failure))
            row.count += 1

    def _add_usage(self, outcome: Outcome[Any]) -> None:
        group = self.group_of(outcome.request.model)
        self.usage[group] = self.usage.get(group, Usage()) + outcome.usage
        self.answers[group] = self.answers.get(group, 0) + 1
        lane = self.lanes.setdefault(outcome.lane, LaneCount())
        lane.answers += 1
        lane.cost += outcome.cost or 0.0
        if outcome.cost is None:
            self.cost_unknown += 1
        else:
            self.cost += outcome.cost

    def _add_answer(self, outcome: Outcome[Any]) -> None:
        self._add_usage(outcome)
        self.cut_off += outcome.stop_reason == "max_tokens"
        self.declined += outcome.stop_reason == "refusal"
        if len(outcome.attempts) == 1 and outcome.sends == 1 and outcome.lane is Lane.LIVE:
            seconds = outcome.running_seconds
            self.shortest = seconds if self.shortest is None else min(self.shortest, seconds)
