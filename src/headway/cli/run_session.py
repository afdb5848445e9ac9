"""The run itself: input -> scheduler -> journal -> output, with signals, progress and an early end."""

from __future__ import annotations

import csv
import gc
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
from anyio import to_thread

from headway.cli.budget_view import known_limits
from headway.cli.exit_status import CommandError
from headway.cli.final_results import FinalResults, written_at_end
from headway.cli.input_feed import InputFeed
from headway.cli.journal_file import open_journal, start_over
from headway.cli.lent_journal import LentJournal
from headway.cli.limit_option import read_account
from headway.cli.progress import Progress
from headway.cli.result_sink import ResultSink, Sink, open_sink
from headway.cli.run_plan import RunPlan
from headway.cli.run_report import RunReport
from headway.cli.run_settings import check_settings
from headway.cli.run_tally import RunTally
from headway.cli.run_view import RunView, RunWatch
from headway.cli.signals import Interruption
from headway.core.error_kind import ErrorKind
from headway.errors import JournalError

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

    from headway.adapters.sqlite import SQLiteJournal
    from headway.core.account_limits import ToldLimits
    from headway.ports import BatchEntry
    from headway.runtime.handle import Outcome
    from headway.runtime.status import Status
    from headway.scheduler import Scheduler


class RunSession:
    """One run of one plan."""

    def __init__(self, plan: RunPlan, progress: Progress) -> None:
        self._plan = plan
        self._progress = progress
        self._tally = RunTally()
        self._total: int | None = None
        self._stopping = False
        self._trouble: str | None = None
        self._journal: SQLiteJournal | None = None
        self._lent: LentJournal | None = None
        self._scheduler: Scheduler | None = None
        self._feed: InputFeed | None = None
        self._group: anyio.abc.TaskGroup | None = None
        self._batches: Sequence[BatchEntry] = ()

    async def execute(self) -> RunReport:
        """Run it. Raises `CommandError` when it cannot begin."""
        with Interruption(self._drain, self._cut, self._progress.restore) as interruption:
            async with AsyncExitStack() as stack:
                stack.callback(gc.unfreeze)
                client = await self._open_client(stack)
                limits = await self._read_limits()
                fresh = await self._open_journal(stack)
                sink = self._make_sink()
                await open_sink(sink)
                feed = InputFeed(self._plan, self._journal, self._lent, sink, self._tally, fresh=fresh)
                try:
                    status, elapsed = await self._schedule(sink, feed, client, limits)
                finally:
                    with anyio.CancelScope(shield=True):
                        await sink.close()
                if self._journal is not None and sink.fault is None:
                    self._batches = await self._journal.batches.open_batches()
                return self._report(status, elapsed, sink, interruption)

    def _make_sink(self) -> Sink:
        plan, journal = self._plan, self._journal
        if journal is not None and written_at_end(plan.output, ordered=plan.ordered):
            return FinalResults(plan.output, journal, ordered=plan.ordered)
        return ResultSink(plan.output, journal, drop_failed=plan.retry_failed)

    async def _open_client(self, stack: AsyncExitStack) -> AsyncAnthropic:
        if self._plan.client is not None:
            return self._plan.client
        from headway.adapters.anthropic import make_client
        from headway.adapters.anthropic.connect import CredentialError

        try:
            client = make_client()
        except CredentialError as error:
            raise CommandError(str(error)) from None
        stack.push_async_callback(client.close)
        return client

    async def _read_limits(self) -> ToldLimits:
        told, account = self._plan.limits, self._plan.account
        if account is None:
            return told
        limits = await read_account(account, told.share)
        self._tally.group_of = limits.group_of
        return limits

    async def _open_journal(self, stack: AsyncExitStack) -> bool:
        """True: no job can be known."""
        plan = self._plan
        if plan.journal is None:
            return True
        if plan.fresh:
            await start_over(plan.journal, plan.output)
        _refuse_foreign_output(plan, used=plan.journal.exists())
        self._journal = journal = await open_journal(plan.journal)
        self._lent = LentJournal(journal)
        stack.push_async_callback(self._close_journal, journal)
        used, warnings = await check_settings(journal, plan.settings, plan.source, str(plan.journal))
        _refuse_foreign_output(plan, used=used)
        for text in warnings:
            self._progress.note(f"warning: {text}")
        return not used

    async def _close_journal(self, journal: SQLiteJournal) -> None:
        try:
            await journal.aclose()
        except JournalError as error:
            self._progress.note(f"headway: {error}")

    async def _schedule(
        self, sink: Sink, feed: InputFeed, client: AsyncAnthropic, limits: ToldLimits
    ) -> tuple[Status, float]:
        from headway.runtime.flow import Flow
        from headway.scheduler import Scheduler

        plan = self._plan
        scheduler = Scheduler(
            client,
            limits=limits,
            flow=Flow(max_in_flight=plan.max_in_flight),
            journal=self._lent,
            batching=plan.batching,
            repair=plan.repair,
            prices=plan.prices,
            spend_cap=plan.spend_cap,
            follow_up=plan.follow_up,
            catalog=plan.catalog,
            alerts=plan.alerts,
        )
        # What was imported stays: without this every look for garbage walks through the SDK's types (a tenth of all).
        gc.freeze()
        started = ended = anyio.current_time()
        async with anyio.create_task_group() as self._group:
            self._group.start_soon(self._count)
            self._group.start_soon(sink.run, lambda: self._stop_early(sink.fault))
            async with scheduler:
                self._scheduler, self._feed = scheduler, feed
                started = ended = anyio.current_time()
                watch = RunWatch(started)
                self._group.start_soon(self._progress.run, lambda: self._view(watch, scheduler.status()))
                try:
                    async for outcome in scheduler.map(
                        feed.requests(),
                        retry_failed=plan.retry_failed,
                        lane=plan.lane.value,
                        deadline=plan.deadline,
                        ordered=plan.ordered and self._journal is None,
                        cache=plan.cache,
                        dedupe=plan.dedupe,
                    ):
                        self._take(outcome, scheduler, sink)
                        ended = anyio.current_time()
                        feed.took(outcome.key, finished=not outcome.resumable)
                        if not self._stopping:
                            await sink.room()
                    await feed.close()
                except (JournalError, OSError) as error:  # of the input: what was read before it has ended
                    self._trouble = self._trouble or str(error)
            self._group.cancel_scope.cancel()
        return scheduler.status(), ended - started

    async def _count(self) -> None:
        """How much there is to do is found out while it is done."""
        try:
            self._total = await to_thread.run_sync(self._plan.source.estimate)
        except (OSError, ValueError, csv.Error):
            self._total = None  # what is wrong with the input is said where it is read

    def _take(self, outcome: Outcome[Any], scheduler: Scheduler, sink: Sink) -> None:
        self._tally.add(outcome)
        sink.take(outcome.ending, restored=outcome.restored)
        if self._stopping:
            return
        failure = outcome.failure
        if outcome.resumable and (halted := scheduler.status().halted) is not None:
            self._stop_early(f"{halted}\n{halted.remedy}")
        elif self._first_was_forbidden(outcome):
            self._stop_early(
                f"the first job was refused, and the others would be too: {failure}\n{failure and failure.remedy} "
                "Then run the same command with --retry-failed."
            )

    def _first_was_forbidden(self, outcome: Outcome[Any]) -> bool:
        forbidden = outcome.failure is not None and outcome.failure.kind is ErrorKind.PERMISSION
        return forbidden and not outcome.restored and self._tally.finished - self._tally.restored == 1

    def _stop_early(self, reason: str | None) -> None:
        self._trouble = self._trouble or reason
        self._drain()

    def _drain(self) -> None:
        """Read and send nothing more; what is in flight may finish."""
        if self._stopping:
            return
        self._stopping = True
        self._plan.source.stop()
        if self._feed is not None:
            self._feed.stopping = True
        if self._scheduler is not None and self._group is not None:
            if self._trouble is None:
                number = self._scheduler.status().in_flight
                self._progress.note(
                    f"stopping: nothing new is sent, {number} requests in flight may finish; once more stops at once"
                )
            self._group.start_soon(self._scheduler.stop)

    def _cut(self) -> None:
        if self._scheduler is not None:
            self._scheduler.abort()

    def _view(self, watch: RunWatch, status: Status) -> RunView:
        return watch.view(
            anyio.current_time(), self._tally, status, self._known_total(), stopping=self._stopping
        )

    def _known_total(self) -> int | None:
        source = self._plan.source
        return source.read if source.exhausted else self._total

    def _report(self, status: Status, elapsed: float, sink: Sink, interruption: Interruption) -> RunReport:
        total = self._known_total()
        left = None if total is None else max(0, total - self._tally.finished)
        if not self._plan.source.exhausted and not left:
            left = None  # the estimate was too low, or there is none
        return RunReport(
            tally=self._tally,
            status=status,
            limits=tuple(known_limits(status.budgets)),
            elapsed=elapsed,
            left=left,
            burst=self._plan.limits.burst,
            recovered=self._journal.recovered if self._journal is not None else 0,
            output=self._plan.output,
            batches=tuple(entry.batch_id for entry in self._batches if entry.batch_id),
            interrupted=interruption.status,
            trouble=sink.fault or self._trouble,
        )


def _refuse_foreign_output(plan: RunPlan, *, used: bool) -> None:
    """Results that no journal vouches for are not ours to change."""
    output = plan.output
    if used or output is None or not output.is_file() or output.stat().st_size == 0:
        return
    raise CommandError(
        f"{output} exists, but there is no journal for it ({plan.journal}), so nobody knows what is in it.\n"
        "Choose another file with -o, move it away, or use --fresh to write over it."
    )
