"""From the input to the scheduler: what is finished is passed over, what is no request is ended on the way."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Final

import anyio
from anyio import to_thread

from headway.cli.bad_line_record import BadLineRecorder, RecordedLine
from headway.cli.bookmark import INTERVAL, META, Bookmark, Pending, bookmark_of
from headway.cli.lent_journal import LentJournal
from headway.cli.line_fault import BadLine
from headway.cli.line_reader import Prefix
from headway.cli.prompt_input import Batch, Numbered
from headway.cli.result_sink import Sink
from headway.cli.run_plan import RunPlan
from headway.cli.run_tally import RunTally
from headway.core.job import JobState
from headway.core.request import Request

if TYPE_CHECKING:
    from headway.adapters.sqlite import SQLiteJournal

NOT_YET: Final = Prefix(0, 0, "")
ENTERED: Final = 5.0
"""Seconds that a bad line waits at most for the requests before it to be in the journal."""


class InputFeed:
    """The requests of one run that are still to be sent.

    ``fresh``: the journal is new, so nothing needs to be looked up in it.
    """

    def __init__(
        self,
        plan: RunPlan,
        journal: SQLiteJournal | None,
        lent: LentJournal | None,
        sink: Sink,
        tally: RunTally,
        *,
        fresh: bool = False,
    ) -> None:
        self._plan = plan
        self._journal = journal
        self._lookup = None if fresh else journal
        self._lent = lent
        self._sink = sink
        self._tally = tally
        self._recorder = BadLineRecorder(journal, plan.source.name, reopen_failed=plan.retry_failed)
        self._pending = Pending()
        self._prefix: Prefix | None = NOT_YET
        self._records = 0
        """Records in the prefix."""
        self._marked: tuple[Prefix, tuple[tuple[int, int], ...]] = (NOT_YET, ())
        self._next_mark = 0.0
        self._handed = self._taken = 0
        """Requests handed out, and outcomes that came."""
        self._held: deque[tuple[int, RecordedLine]] = deque()
        """Bad lines whose turn has not come, after so many requests."""
        self.stopping = False
        """Read and hand out nothing more."""

    async def requests(self) -> AsyncIterator[Request]:
        """Every request that has no answer yet, read as it is needed."""
        await self._resume()
        async for batch in self._plan.source.batches():
            await self._mark()
            self._note(batch)
            for record in await self._unfinished(batch.records):
                if self.stopping:
                    return
                if isinstance(record.item, BadLine):
                    await self._end(record.item)
                else:
                    self._handed += 1
                    yield record.item

    def took(self, key: str, *, finished: bool) -> None:
        """An outcome came; a job that is ``finished`` needs nothing more."""
        if finished:
            self._pending.done(key)
        self._taken += 1
        self._release()

    async def close(self) -> None:
        """Leave a bookmark for the next run; every job that was handed out has ended."""
        self._next_mark = 0.0
        await self._mark()

    async def _resume(self) -> None:
        """Go on where the last run left a bookmark."""
        if self._lookup is None or self._plan.retry_failed:
            return
        text = await self._lookup.get_meta(META)
        mark = bookmark_of(text) if text else None
        if mark is None or not await to_thread.run_sync(self._plan.source.resume, mark):
            return
        self._pending = Pending(mark.pending)
        self._prefix, self._records = mark.prefix, mark.records
        self._marked = mark.prefix, mark.pending
        self._tally.resume(mark.tally)

    def _note(self, batch: Batch) -> None:
        before, self._prefix = self._prefix, batch.prefix
        if self._journal is None or before is None or batch.prefix is None:
            return
        for record in batch.records:
            self._pending.add(record.key, record.start, record.number)
            self._records += record.start >= before.size  # not those read again

    async def _unfinished(self, records: Sequence[Numbered]) -> Sequence[Numbered]:
        """Those of a batch that did not succeed in an earlier run; the others are counted here."""
        if self._lookup is None:
            return records
        known = await self._lookup.known([record.key for record in records])
        if not known:
            return records
        left: list[Numbered] = []
        for record in records:
            found, item = known.get(record.key), record.item
            if (
                found is None
                or found.state is not JobState.SUCCEEDED
                or isinstance(item, BadLine)
                or item.content_digest() != found.digest
            ):
                left.append(record)
            else:
                self._tally.add_restored(found.maybe_billed)
                self._pending.done(record.key)
        return left

    async def _end(self, line: BadLine) -> None:
        if self._plan.ordered and self._lent is not None:
            # The journal's order is that of the results; a run that stops admits nothing more.
            with anyio.move_on_after(ENTERED):
                await self._lent.entered(self._handed)
        recorded = await self._recorder.record(line)
        self._held.append((self._handed, recorded))
        self._release()
        self._tally.restored += recorded.restored
        self._tally.add_failure(line.key, recorded.ending.failure)
        self._pending.done(line.key)

    def _release(self) -> None:
        """Hand on the bad lines whose turn has come: with ``--ordered`` after the outcomes before them."""
        while self._held and (self._held[0][0] <= self._taken or not self._plan.ordered):
            _, recorded = self._held.popleft()
            self._sink.take(recorded.ending, restored=recorded.restored)

    async def _mark(self) -> None:
        """Write a bookmark if it is time: behind the batch that was handed out last."""
        prefix, now = self._prefix, anyio.current_time()
        if self._journal is None or not prefix or not prefix.size or now < self._next_mark:
            return
        self._next_mark = now + INTERVAL
        pending = self._pending.within(prefix.size)
        agrees = self._tally.finished + len(pending) == self._records
        if agrees and (prefix, pending) != self._marked:
            self._marked = prefix, pending
            mark = Bookmark(prefix, self._records, pending, self._tally)
            await self._journal.set_meta(META, mark.to_json())
