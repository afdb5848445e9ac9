"""Jobs that are known already when they are submitted: at work under the same key, or ended in the journal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from headway.core.outcome import Ending
from headway.ports import Transport
from headway.runtime.handle import Job, Outcome
from headway.runtime.intake import key_reused
from headway.runtime.recorder import Recorder
from headway.runtime.roster import Roster

if TYPE_CHECKING:
    from anthropic.types import Message


class KnownJobs:
    """Ends jobs by what is known of them."""

    def __init__(
        self,
        transport: Transport,
        recorder: Recorder,
        roster: Roster,
        close: Callable[[Job[Message], Ending, Message | None], None],
    ) -> None:
        self._transport = transport
        self._recorder = recorder
        self._roster = roster
        self._close = close

    def follow(self, job: Job[Message], first: Job[Message]) -> None:
        """The same key is at work already: one job, two handles."""
        if job.record.request.content_hash() == first.record.request.content_hash():
            first.add_done_callback(lambda outcome: None if job.done() else job.resolve(outcome))
        else:
            self.refuse(job)

    def refuse(self, job: Job[Message]) -> None:
        """Its key stands for another request."""
        ending = self._recorder.note(job, key_reused(job), durable=False)
        assert ending is not None
        self._close(job, ending, None)

    def restore(self, job: Job[Message], ending: Ending) -> None:
        """It has ended in the journal."""
        request = job.record.request
        source = None if ending.body is None else partial(self._transport.revive, ending.body, request)
        outcome = Outcome(ending, request, source, (), restored=True, findings=job.findings)
        self._roster.resolve(job, outcome)
