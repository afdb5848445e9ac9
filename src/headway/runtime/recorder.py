"""Writing down what happened: the one place where an event changes a job.

Order is the promise: journal first, then everybody else. ``running`` is committed before the send, an
ending before the caller sees it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import anyio

from headway.core.alert import Alert
from headway.core.events import JobEvent, Repaired
from headway.core.job import JobRecord, advance
from headway.core.outcome import Ending, ending_of
from headway.errors import JournalError
from headway.ports import AlertSink, EventSink, Journal

if TYPE_CHECKING:
    from anthropic.types import Message

    from headway.runtime.handle import Job

log: Final = logging.getLogger("headway")


class Recorder:
    """Advances records, commits them and tells the sinks."""

    def __init__(self, journal: Journal | None, sinks: Sequence[EventSink | AlertSink]) -> None:
        self._journal = journal
        self._sinks = tuple(sink for sink in sinks if isinstance(sink, EventSink))
        self._alert_sinks = tuple(sink for sink in sinks if isinstance(sink, AlertSink))
        self._failed = False

    @property
    def journalled(self) -> bool:
        """What happens outlives the process."""
        return self._journal is not None

    async def commit(self, job: Job[Message], event: JobEvent) -> Ending | None:
        """Apply an event, durable on return; gives the ending if it brought one.

        Not interrupted by cancellation: a commit takes milliseconds, a half-known job is for ever.
        Raises `JournalError`; the job is then as it was.
        """
        record = advance(job.record, event)
        ending = ending_of(record, event)
        if self._journal is not None and job.guest is None:
            with anyio.CancelScope(shield=True):
                await self._journal.write(record, event, ending)
        self._publish(job, record, event)
        return ending

    def note(self, job: Job[Message], event: JobEvent, *, durable: bool = True) -> Ending | None:
        """Apply an event without waiting for the disk: for what a crash may forget.

        A journal that has failed keeps no job from its end: the next `commit` raises, so nothing more is sent.
        """
        record = advance(job.record, event)
        ending = ending_of(record, event)
        if self._journal is not None and durable and job.guest is None:
            self._append(record, event, ending)
        self._publish(job, record, event)
        return ending

    def keep_amendment(self, job: Job[Message]) -> None:
        """Have the journal keep what was made of a job's request, which it has perhaps not heard of."""
        amendment = job.record.amendment
        if self._journal is None or amendment.params is None:
            return
        event = Repaired(job.record.submitted, amendment.params, amendment.changes)
        self._append(job.record, event, None)

    def _append(self, record: JobRecord, event: JobEvent, ending: Ending | None) -> None:
        assert self._journal is not None
        try:
            self._journal.append(record, event, ending)
        except JournalError as error:
            if not self._failed:
                log.error("the journal has failed: %s", error)  # noqa: TRY400 - the text says it all
            self._failed = True

    def _publish(self, job: Job[Message], record: JobRecord, event: JobEvent) -> None:
        job.record = record
        for sink in self._sinks:
            try:
                sink.emit(record, event)
            except Exception:
                log.exception("event sink %s failed", type(sink).__name__)

    def alert(self, alert: Alert) -> None:
        """Tell the sinks that hear alerts."""
        for sink in self._alert_sinks:
            try:
                sink.alert(alert)
            except Exception:
                log.exception("alert sink %s failed", type(sink).__name__)
