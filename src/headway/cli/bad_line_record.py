"""Lines that are no request become failed jobs of their own, so that no line of an input is swallowed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Final

import anyio

from headway.cli.line_fault import BadLine
from headway.core.error_kind import ErrorKind
from headway.core.events import Failed
from headway.core.failure import failure_of
from headway.core.job import JobRecord, advance
from headway.core.outcome import Ending, ending_of
from headway.core.request import Request
from headway.ports import Journal

NO_REQUEST: Final = Request({"model": "", "max_tokens": 0, "messages": []})


@dataclass(frozen=True, slots=True)
class RecordedLine:
    """A bad line that has its ending."""

    ending: Ending
    restored: bool
    """An earlier run reported it."""


class BadLineRecorder:
    """Ends bad lines as failed jobs, in the journal when there is one."""

    def __init__(self, journal: Journal | None, input_name: str, *, reopen_failed: bool) -> None:
        self._journal = journal
        self._input_name = input_name
        self._reopen_failed = reopen_failed
        self._numbers = itertools.count(-1, -1)  # the scheduler's own ids are positive

    async def record(self, line: BadLine) -> RecordedLine:
        """Give a bad line its ending; committed on return."""
        now = anyio.current_time()
        failure = failure_of(ErrorKind.INVALID_REQUEST, f"{self._input_name}:{line.number}: {line.problem}")
        record = JobRecord(next(self._numbers), line.key, NO_REQUEST, submitted=now)
        if self._journal is not None:
            (stored,) = await self._journal.admit([record], reopen_failed=self._reopen_failed)
            if stored is not None and stored.ending is not None:
                return RecordedLine(stored.ending, restored=True)
            if stored is not None:
                record = replace(record, prior_attempts=stored.sends, maybe_billed=stored.maybe_billed)
        event = Failed(now, failure)
        record = advance(record, event)
        ending = ending_of(record, event)
        assert ending is not None
        if self._journal is not None:
            await self._journal.write(record, event, ending)
        return RecordedLine(ending, restored=False)
