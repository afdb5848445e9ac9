"""How a run went: the values its summary is made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headway.cli.budget_view import LimitView, used_of
from headway.cli.exit_status import ExitStatus
from headway.cli.run_tally import RunTally

if TYPE_CHECKING:
    from headway.runtime.status import Status


@dataclass(frozen=True, slots=True)
class Utilisation:
    """One limit and what this run took from it."""

    view: LimitView
    used: float
    per_minute: float
    share: float
    """Of what the limit let through in the time the run took: the refill and, where the burst was told, what
    the bucket held at the start."""
    bound: float
    """Seconds in which an ideal client could have taken as much: (used - depth) / rate."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run that has ended."""

    tally: RunTally
    status: Status
    limits: tuple[LimitView, ...]
    elapsed: float
    left: int | None
    """Jobs not finished; ``None`` when the rest of the input was not read."""
    burst: float | None
    """Seconds of the limit that a bucket holds, if the user told it."""
    recovered: int
    """Jobs that were in flight when an earlier run died."""
    output: Path | None
    batches: tuple[str, ...] = ()
    """Message batches that go on without us."""
    interrupted: ExitStatus | None = None
    trouble: str | None = None
    """Why the run stopped early."""

    @property
    def exit_status(self) -> ExitStatus:
        """What the process reports."""
        if self.trouble is not None:
            return ExitStatus.STOPPED
        if self.left != 0:
            return self.interrupted or ExitStatus.STOPPED
        return ExitStatus.SOME_FAILED if self.tally.failed else ExitStatus.DONE

    @property
    def fresh(self) -> int:
        """Jobs this run finished."""
        return self.tally.finished - self.tally.restored

    def utilisation(self) -> list[Utilisation]:
        """Every known limit, beside what was used of it."""
        single = len({view.group for view in self.limits}) == 1
        return [self._utilisation(view, single=single) for view in self.limits if self.elapsed > 0]

    def bound(self) -> tuple[float, Utilisation] | None:
        """The least time these limits allow, and the limit that binds; ``None`` when no limit is known."""
        rows = self.utilisation()
        if not rows or not self.fresh:
            return None
        binding = max(rows, key=lambda row: row.bound)
        return binding.bound + (self.tally.shortest or 0.0), binding

    def _utilisation(self, view: LimitView, *, single: bool) -> Utilisation:
        usage = self.tally.usage.get(view.group)
        admitted = self.status.sends - self.status.refused_429 - self.status.refused_529
        # Sends are counted over all models: of several groups each is known by its answers only.
        requests = admitted if single else self.tally.answers.get(view.group, 0)
        used = used_of(view.dimension, usage, requests) if usage else 0.0
        rate = view.limit / 60
        return Utilisation(
            view,
            used,
            used / self.elapsed * 60,
            used / (rate * (self.elapsed + (self.burst or 0.0))),
            max(0.0, (used - view.depth) / rate),
        )
