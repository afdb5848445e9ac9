"""Any sequence of calls, closings and openings: the journal says what a dict would."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from headway.adapters.sqlite import SQLiteJournal
from headway.core.error_kind import ErrorKind
from headway.core.events import (
    Cancelled,
    Expired,
    Failed,
    JobEvent,
    Parked,
    Recovered,
    Reopened,
    RetryScheduled,
    Started,
    Succeeded,
)
from headway.core.failure import failure_of
from headway.core.job import TRANSITIONS, JobRecord, JobState, advance
from headway.core.outcome import Ending, ending_of
from headway.core.usage import Usage
from headway.ports import Stored
from headway.testing.contracts import collect, sample_record

T = TypeVar("T")
FAILURE = failure_of(ErrorKind.DISCONNECTED, "cut")
EVENTS: dict[type[JobEvent], JobEvent] = {
    Started: Started(1.0),
    Succeeded: Succeeded(2.0, '{"a":1}', Usage(1, 2)),
    RetryScheduled: RetryScheduled(2.0, FAILURE, 9.0),
    Failed: Failed(2.0, FAILURE),
    Parked: Parked(2.0, FAILURE),
    Cancelled: Cancelled(2.0),
    Expired: Expired(2.0, FAILURE),
}
KEYS = st.sampled_from("abcdef")


class JournalMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.jobs: dict[str, tuple[JobRecord, str]] = {}
        self.endings: dict[str, Ending] = {}

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(call)

    def new(self) -> SQLiteJournal:
        return SQLiteJournal(Path(self.folder.name) / "j")

    @initialize()
    def begin(self) -> None:
        self.journal = self.new()
        self.run(self.journal.open())

    @rule(
        keys=st.lists(KEYS, min_size=1, max_size=4),
        text=st.sampled_from(["x", "x", "y"]),
        reopen=st.booleans(),
    )
    def admit(self, keys: list[str], text: str, reopen: bool) -> None:
        found = self.run(self.journal.admit([sample_record(key, text) for key in keys], reopen_failed=reopen))
        assert list(found) == [self.expected(key, text, reopen) for key in keys]

    def expected(self, key: str, text: str, reopen: bool) -> Stored | None:
        if key not in self.jobs:
            self.jobs[key] = sample_record(key, text), text
            return None
        record, known = self.jobs[key]
        if reopen and known == text and (record.state, Reopened) in TRANSITIONS:
            self.jobs[key] = advance(record, Reopened(0.0)), text
            del self.endings[key]
        return Stored(known == text, record.sends, record.maybe_billed, self.endings.get(key))

    @precondition(lambda self: any(not record.state.final for record, _ in self.jobs.values()))
    @rule(data=st.data(), wait=st.booleans())
    def write(self, data: st.DataObject, wait: bool) -> None:
        key = data.draw(st.sampled_from(sorted(k for k, (r, _) in self.jobs.items() if not r.state.final)))
        record, text = self.jobs[key]
        event = EVENTS[
            data.draw(st.sampled_from([kind for kind in EVENTS if (record.state, kind) in TRANSITIONS]))
        ]
        record = advance(record, event)
        ending = ending_of(record, event)
        self.jobs[key] = record, text
        if ending is not None and not ending.resumable:
            self.endings[key] = ending

        async def store() -> None:
            if wait:
                await self.journal.write(record, event, ending)
            else:
                self.journal.append(record, event, ending)

        self.run(store())

    @rule()
    def reopen(self) -> None:
        self.run(self.journal.aclose())
        self.begin()
        running = [key for key, (record, _) in self.jobs.items() if record.state is JobState.RUNNING]
        assert self.journal.recovered == len(running)
        for key, (record, text) in self.jobs.items():
            unsettled = record.state in {JobState.RUNNING, JobState.WAITING}
            found = advance(record, Recovered(0.0)) if unsettled else record
            self.jobs[key] = replace(found, prior_attempts=record.sends, attempts=(), not_before=0.0), text

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "journal"):
            return
        numbered = self.run(collect(self.journal.endings()))
        assert {ending.key: ending for _, ending in numbered} == self.endings
        assert [number for number, _ in numbered] == sorted({number for number, _ in numbered})
        unfinished = self.run(collect(self.journal.unfinished()))
        assert [job[:2] for job in unfinished] == [
            (k, r.request) for k, (r, _) in self.jobs.items() if not r.state.final
        ]
        counts = self.run(self.journal.counts())
        states = [record.state for record, _ in self.jobs.values()]
        assert counts == {state: states.count(state) for state in JobState}

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.run(self.journal.aclose())
        self.runner.close()
        self.folder.cleanup()


JournalMachine.TestCase.settings = settings(max_examples=10, stateful_step_count=20, deadline=None)
TestJournalMachine = JournalMachine.TestCase
