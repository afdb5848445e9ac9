"""A run at one moment: what the progress display shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headway.cli import figures
from headway.cli.budget_view import known_limits, limit_per_minute
from headway.cli.rate_meter import RateMeter
from headway.cli.run_tally import RunTally
from headway.core.dimension import ROW, Dimension

if TYPE_CHECKING:
    from headway.runtime.status import Status


@dataclass(frozen=True, slots=True)
class Gauge:
    """One rate beside its limit."""

    label: str
    rate: float
    """Per minute."""
    limit: float | None
    """Per minute; ``None``: unknown."""


@dataclass(frozen=True, slots=True)
class RunView:
    """Everything shown while a run goes on."""

    elapsed: float
    total: int | None
    """``None`` while unknown."""
    finished: int
    failed: int
    in_flight: int
    waiting: int
    """Waiting for a retry."""
    queued: int
    """Read and waiting for their turn."""
    batches: int
    in_batches: int
    """Jobs in these message batches."""
    refused_429: int
    refused_529: int
    retries: int
    cost: float | None
    left_seconds: float | None
    gauges: tuple[Gauge, ...] = ()
    stopping: bool = False
    trouble: str = ""
    """Why hardly anything is sent."""

    def line(self) -> str:
        """All of it in one line."""
        of = f"/{figures.count(self.total)}" if self.total is not None else ""
        rates = ", ".join(_gauge_text(gauge) for gauge in self.gauges)
        parts = [
            f"{figures.span(self.elapsed)}: {figures.count(self.finished)}{of} done",
            f"{figures.count(self.failed)} failed",
            f"{self.in_flight} in flight",
            f"{self.waiting} waiting",
            f"{self.queued} queued",
            self.batch_text(),
            rates,
            f"429: {self.refused_429}, 529: {self.refused_529}",
            "cost unknown" if self.cost is None else figures.usd(self.cost),
        ]
        parts.append(self.trouble)
        if self.stopping:
            parts.append("stopping")
        elif self.left_seconds is not None:
            parts.append(f"{figures.span(self.left_seconds)} left")
        return " · ".join(part for part in parts if part)

    def batch_text(self) -> str:
        """The batch lane; empty when there is nothing in it."""
        if not self.in_batches:
            return ""
        return f"{figures.count(self.in_batches)} in {self.batches} batch{'' if self.batches == 1 else 'es'}"


class RunWatch:
    """Makes views; keeps the rates of the last seconds."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._meter = RateMeter()
        self._meter.add(started, 0, 0, 0, 0)

    def view(
        self, now: float, tally: RunTally, status: Status, total: int | None, *, stopping: bool
    ) -> RunView:
        """The run at this moment."""
        fresh = tally.finished - tally.restored
        self._meter.add(now, status.sends, status.usage.limited_input, status.usage.output, fresh)
        *rates, pace = self._meter.per_second()
        limits = known_limits(status.budgets)
        gauges = tuple(
            Gauge(ROW[dimension].label, rate * 60, limit_per_minute(limits, dimension))
            for dimension, rate in zip(Dimension, rates, strict=True)
        )
        left = None if total is None or not pace else max(0, total - tally.finished) / pace
        unknown = status.cost_unknown and not status.cost
        return RunView(
            elapsed=now - self._started,
            total=None if total is None else max(total, tally.finished),
            finished=tally.finished,
            failed=tally.failed,
            in_flight=status.in_flight,
            waiting=status.waiting,
            queued=max(0, status.queued - status.waiting),
            batches=status.batch.batches,
            in_batches=status.batch.requests,
            refused_429=status.refused_429,
            refused_529=status.refused_529,
            retries=status.retries,
            cost=None if unknown else status.cost,
            left_seconds=left,
            gauges=gauges,
            stopping=stopping,
            trouble=""
            if (why := status.unreachable) is None
            else f"no answer from the API ({why.kind}): trying on",
        )


def _gauge_text(gauge: Gauge) -> str:
    of = f" of {figures.short(gauge.limit)}" if gauge.limit else ""
    return f"{figures.short(gauge.rate)}{of} {gauge.label}"
