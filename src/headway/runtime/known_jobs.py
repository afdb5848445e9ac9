"""Jobs that are known already when they are submitted: at work under the same key, or ended in the journal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from headway.core.events import JobEvent
from headway.core.job import JobState
from headway.core.outcome import Ending
from headway.ports import Transport
from headway.runtime.handle import Job, Outcome
from headway.runtime.intake import key_reused
from headway.runtime.recorder import Recorder
from headway.runtime.roster import Roster

if TYPE_CHECKING:
    from anthropic.types import Message


@dataclass(slots=True, eq=False)
class _Owners:
    """Who wants the answer of one job."""

    first_left: bool = False
    """The handle of the job itself was cancelled."""
    others: set[Job[Message]] = field(default_factory=set["Job[Message]"])


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
        self._shared: dict[Job[Message], _Owners] = {}
        """Jobs at work that have more handles than one."""
        self._first: dict[Job[Message], Job[Message]] = {}
        """The job at work of every other handle."""

    def follow(self, job: Job[Message], first: Job[Message]) -> None:
        """The same key is at work already: one job, two handles."""
        if job.record.request.content_digest() != first.record.request.content_digest():
            self.refuse(job)
            return
        if first not in self._shared:
            first.add_done_callback(lambda _: self._forget(first), observe=False)
        self._shared.setdefault(first, _Owners()).others.add(job)
        self._first[job] = first
        first.add_done_callback(lambda outcome: self._tell(job, outcome))

    def let_go(self, job: Job[Message]) -> Job[Message] | None:
        """A handle is cancelled; gives the job to cancel with it: none, while somebody else wants its answer."""
        first = self._first.pop(job, job)
        owners = self._shared.get(first)
        if owners is None:
            return job
        if job is first:
            owners.first_left = True
        else:
            owners.others.discard(job)
            ending = Ending(job.key, JobState.CANCELLED, tenant=job.record.tenant)
            job.resolve(Outcome(ending, job.record.request))
        return None if owners.others or not owners.first_left else first

    def _forget(self, first: Job[Message]) -> None:
        self._shared.pop(first, None)

    def _tell(self, job: Job[Message], outcome: Outcome[Message]) -> None:
        self._first.pop(job, None)
        if not job.done():
            job.resolve(outcome)

    def refuse(self, job: Job[Message]) -> None:
        """Its key stands for another request."""
        self.end(job, key_reused(job))

    def end(self, job: Job[Message], event: JobEvent) -> None:
        """It ends with this event, of which the journal is not told: it does not have the job."""
        ending = self._recorder.note(job, event, durable=False)
        assert ending is not None
        self._close(job, ending, None)

    def restore(self, job: Job[Message], ending: Ending) -> None:
        """It has ended in the journal."""
        request = job.record.request
        source = None if ending.body is None else partial(self._transport.revive, ending.body, request)
        outcome = Outcome(ending, request, source, (), restored=True, findings=job.findings)
        self._roster.resolve(job, outcome)
