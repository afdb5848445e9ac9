"""Collecting what a run has left in message batches, from its journal alone."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.abc

from headway.cli.batch_calls import account_client
from headway.cli.budget_view import known_limits
from headway.cli.exit_status import CommandError
from headway.cli.final_results import FinalResults, written_at_end
from headway.cli.journal_file import open_journal
from headway.cli.lent_journal import LentJournal
from headway.cli.model_catalog import remembered
from headway.cli.output_file import read_tail
from headway.cli.progress import Progress
from headway.cli.result_sink import ResultSink, Sink, open_sink
from headway.cli.run_report import RunReport
from headway.cli.run_tally import RunTally
from headway.cli.run_view import RunWatch
from headway.cli.signals import Interruption
from headway.core.price import Price
from headway.core.spend import SpendCap

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

    from headway.adapters.sqlite import SQLiteJournal
    from headway.runtime.status import Status
    from headway.scheduler import Scheduler


@dataclass(frozen=True, slots=True)
class ResumePlan:
    """A journal whose batches are to be collected."""

    journal: Path
    output: Path | None = None
    """A file of results to be brought in line with the journal; ``None``: the journal has them."""
    live: bool = True
    """What a batch brought no answer for is sent live; else it stays in the journal."""
    spend_cap: SpendCap | None = None
    prices: Mapping[str, Price] = field(default_factory=dict[str, Price])


@dataclass(frozen=True, slots=True)
class Collected:
    """What came of it."""

    report: RunReport
    elsewhere: int
    """Jobs of the journal that are not finished and were in no batch."""


class ResumeSession:
    """Waits for the open batches of one journal and scatters their results."""

    def __init__(self, plan: ResumePlan, progress: Progress) -> None:
        self._plan = plan
        self._progress = progress
        self._tally = RunTally()
        self._total = 0
        self._stopping = False
        self._trouble: str | None = None
        self._scheduler: Scheduler | None = None
        self._group: anyio.abc.TaskGroup | None = None

    async def execute(self) -> Collected:
        """Do it. Raises `CommandError` when it cannot begin, `JournalError` when the journal fails."""
        with Interruption(self._drain, self._cut, self._progress.restore) as interruption:
            async with AsyncExitStack() as stack:
                client = await stack.enter_async_context(account_client(self._warn))
                journal = await open_journal(self._plan.journal)
                stack.push_async_callback(journal.aclose)
                waiting = await journal.batches.waiting()
                self._total = sum(waiting.values())
                sink = await self._make_sink(journal)
                try:
                    status, elapsed = await self._collect(journal, client, sink)
                finally:
                    with anyio.CancelScope(shield=True):
                        if sink is not None:
                            await sink.close()
                left = await journal.batches.waiting()
                counts = await journal.counts()
                report = RunReport(
                    tally=self._tally,
                    status=status,
                    limits=tuple(known_limits(status.budgets)),
                    elapsed=elapsed,
                    left=max(0, self._total - self._tally.finished),
                    burst=None,
                    recovered=journal.recovered,
                    output=self._plan.output,
                    batches=tuple(name for name in left if name),
                    interrupted=interruption.status,
                    trouble=(sink.fault if sink else None) or self._trouble,
                )
                unfinished = sum(number for state, number in counts.items() if not state.final)
                return Collected(report, unfinished - sum(left.values()))

    async def _make_sink(self, journal: SQLiteJournal) -> Sink | None:
        output = self._plan.output
        if output is None:
            return None
        if written_at_end(output, ordered=False):
            sink: Sink = FinalResults(output, journal, ordered=False)
        else:
            await _refuse_foreign(output, journal)
            sink = ResultSink(output, journal, drop_failed=False)
        await open_sink(sink)
        return sink

    async def _collect(
        self, journal: SQLiteJournal, client: AsyncAnthropic, sink: Sink | None
    ) -> tuple[Status, float]:
        from headway.scheduler import Scheduler

        plan = self._plan
        scheduler = Scheduler(
            client,
            journal=LentJournal(journal),
            catalog=remembered(),
            prices=plan.prices,
            spend_cap=plan.spend_cap,
        )
        started = ended = anyio.current_time()
        async with anyio.create_task_group() as self._group:
            if sink is not None:
                self._group.start_soon(sink.run, lambda: self._stop_early(sink.fault))
            async with scheduler:
                self._scheduler = scheduler
                started = ended = anyio.current_time()
                watch = RunWatch(started)
                self._group.start_soon(
                    self._progress.run,
                    lambda: watch.view(
                        anyio.current_time(),
                        self._tally,
                        scheduler.status(),
                        self._total,
                        stopping=self._stopping,
                    ),
                )
                async for outcome in scheduler.collect(live=plan.live):
                    self._tally.add(outcome)
                    if sink is not None:
                        sink.take(outcome.ending, restored=outcome.restored)
                    halted = scheduler.status().halted if outcome.resumable and not self._stopping else None
                    if halted is not None:
                        self._stop_early(f"{halted}\n{halted.remedy}")
                ended = anyio.current_time()
            self._group.cancel_scope.cancel()
        return scheduler.status(), ended - started

    def _warn(self, text: str) -> None:
        self._progress.note(f"warning: {text}")

    def _stop_early(self, reason: str | None) -> None:
        self._trouble = self._trouble or reason
        self._drain()

    def _drain(self) -> None:
        """Wait no longer; the batches go on."""
        if self._stopping or self._scheduler is None or self._group is None:
            return
        self._stopping = True
        if self._trouble is None:
            self._progress.note("stopping: the batches go on; once more stops at once")
        self._group.start_soon(self._scheduler.stop)

    def _cut(self) -> None:
        if self._scheduler is not None:
            self._scheduler.abort()


async def _refuse_foreign(output: Path, journal: SQLiteJournal) -> None:
    """A file whose results the journal does not know is not ours to write over."""
    tail = await anyio.to_thread.run_sync(read_tail, output)
    if tail.size and (tail.last_id is None or await journal.rank_of(tail.last_id) is None):
        raise CommandError(
            f"{output} does not hold results of this journal, and would be written over; name another file with -o"
        )
