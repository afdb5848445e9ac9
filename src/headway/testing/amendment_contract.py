"""The part of the journal contract about repairs and follow-ups."""

from __future__ import annotations

from dataclasses import replace

from headway.core.amendment import Amendment, Held
from headway.core.change import Change
from headway.core.error_kind import ErrorKind
from headway.core.events import (
    Continued,
    Failed,
    JobEvent,
    Kept,
    Parked,
    Repaired,
    Rerouted,
    SetAside,
    Started,
)
from headway.core.failure import failure_of
from headway.core.job import JobRecord
from headway.core.outcome import Ending
from headway.core.usage import Usage
from headway.testing.journal_play import DONE, NewJournal, collect, opened, play, sample_record

OVERFLOW = failure_of(ErrorKind.CONTEXT_OVERFLOW, "prompt is too long")
LOWER = Change("context", "max_tokens", "the prompt does not fit", 8, 4)
SMALLER = {"model": "m", "max_tokens": 4, "tools": [{"z": 1, "a": "žluť"}], "messages": [{"role": "user"}]}
REPAIRED = Repaired(2.0, SMALLER, (LOWER,), OVERFLOW)
PAUSED = Continued(
    4.0, {**SMALLER, "messages": [{"role": "user"}, {"role": "assistant", "content": [{"type": "text"}]}]},
    (Change("continue", "messages.1", "the model paused its turn", None, "1 blocks"),),
    Held('{"content": [{"type": "text"}]}', "pause_turn", "req_1"), Usage(5, 6, 7, 8, 9),
    '{"content": [{"type": "text"}]}', None,
)  # fmt: skip


class AmendmentContract:
    """What was made of a request outlives the process; the request itself stays as it was given."""

    async def test_a_repaired_request_is_found_again(self, new_journal: NewJournal) -> None:
        lives: dict[str, tuple[JobEvent, ...]] = {
            "repaired": (Started(1.0), REPAIRED),
            "killed while it ran": (Started(1.0), REPAIRED, Started(3.0)),
            "parked": (Started(1.0), REPAIRED, Parked(3.0, failure_of(ErrorKind.STOPPED, "stopped"))),
            "paused": (Started(1.0), REPAIRED, Started(3.0), PAUSED),
            "rerouted": (Rerouted(2.0, SMALLER, (LOWER,), OVERFLOW),),
            "set aside": (Started(1.0), SetAside(2.0, OVERFLOW)),
            "as given": (Started(1.0),),
        }
        records = {name: sample_record(name) for name in lives}
        expected: dict[str, Amendment | None] = {}
        async with opened(new_journal()) as journal:
            await journal.admit(list(records.values()))
            for name, events in lives.items():
                record, _ = await play(journal, records[name], *events)
                expected[name] = record.amendment if record.amendment.params is not None else None
        async with opened(new_journal()) as journal:
            stored = await journal.admit(list(records.values()))
            unfinished = await collect(journal.unfinished())
        assert {
            name: known and known.amendment for name, known in zip(lives, stored, strict=True)
        } == expected
        assert all(known is not None and known.same_request for known in stored)
        assert [(job.key, job.request) for job in unfinished] == [
            (r.key, r.request) for r in records.values()
        ]
        paused = expected["paused"]
        assert paused is not None and paused.params is not None
        assert list(paused.params["tools"][0]) == ["z", "a"], "the order of keys is part of a prompt"  # type: ignore[index]

    async def test_an_ending_tells_what_was_changed_and_spent(self, new_journal: NewJournal) -> None:
        lives: dict[str, tuple[JobEvent, ...]] = {
            "repaired": (Started(1.0), REPAIRED, Started(3.0), DONE),
            "continued": (Started(1.0), REPAIRED, Started(3.0), PAUSED, Started(5.0), DONE),
            "kept": (Started(3.0), PAUSED, Started(5.0), Kept(6.0, Failed(6.0, OVERFLOW))),
        }
        endings: list[Ending | None] = []
        async with opened(new_journal()) as journal:
            for name, events in lives.items():
                record = sample_record(name)
                await journal.admit([record])
                endings.append((await play(journal, record, *events))[1])
        async with opened(new_journal()) as journal:
            assert [ending for _, ending in await collect(journal.endings())] == endings
            stored = await journal.admit([sample_record(name) for name in lives])
        assert [known and known.ending for known in stored] == endings
        assert [known and known.amendment for known in stored] == [None] * len(lives), "nothing to go on with"
        first, continued, kept = (ending for ending in endings if ending is not None)
        assert first.changes == (LOWER,)
        assert continued.usage == PAUSED.usage + DONE.usage
        assert (kept.body, kept.usage, kept.cost) == (PAUSED.held.body, PAUSED.usage, None)

    async def test_a_job_that_is_reopened_starts_as_it_was_given(self, new_journal: NewJournal) -> None:
        record = sample_record("a")
        async with opened(new_journal()) as journal:
            await journal.admit([record])
            await play(journal, record, Started(1.0), REPAIRED, Started(3.0), Failed(4.0, OVERFLOW))
            (stored,) = await journal.admit([record], reopen_failed=True)
            assert stored is not None
            assert (stored.amendment, stored.ending, stored.sends) == (None, None, 2)
            await play(journal, _again(record), Started(5.0), REPAIRED)
            (stored,) = await journal.admit([record])
        assert stored is not None and stored.amendment is not None
        assert stored.amendment.changes == (LOWER,)


def _again(record: JobRecord) -> JobRecord:
    return replace(record, prior_attempts=2)
