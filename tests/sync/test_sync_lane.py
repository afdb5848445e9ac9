"""The batch lane without async."""

from __future__ import annotations

import time
from pathlib import Path

import headway.sync
from batch_rig import Account, BatchingTransport
from headway import Batching, JobState, Lane


def test_a_long_input_goes_into_one_batch() -> None:
    account = Account(takes=0.0)
    with headway.sync.Scheduler(
        model="claude-sonnet-5-5", max_tokens=8, transport=BatchingTransport(account, latency=0.0)
    ) as scheduler:
        outcomes = list(scheduler.map((f"text {n}" for n in range(700)), lane="batch"))
        assert scheduler.run("one", lane="auto")
    assert {(o.state, o.lane) for o in outcomes} == {(JobState.SUCCEEDED, Lane.BATCH)}
    assert [len(batch.items) for batch in account.batches] == [700]


def test_what_was_left_in_a_batch_is_collected(tmp_path: Path) -> None:
    account = Account(takes=3600.0)

    def scheduler() -> headway.sync.Scheduler:
        return headway.sync.Scheduler(
            model="claude-sonnet-5-5",
            max_tokens=8,
            transport=BatchingTransport(account),
            journal=tmp_path / "a.journal",
            batching=Batching(quiet=0.0),
        )

    with scheduler() as first:
        jobs = [first.submit(text, lane="batch", key=text) for text in ("a", "b")]
        while sum(len(batch.items) for batch in account.batches) < 2 or account.calls[-1] != "look":
            time.sleep(0.01)
        first.stop()
    assert {job.outcome().resumable for job in jobs} == {True}
    for batch in account.batches:
        batch.ends = 0.0
    with scheduler() as second:
        outcomes = list(second.collect())
    assert {(o.key, o.state, o.lane) for o in outcomes} == {
        (key, JobState.SUCCEEDED, Lane.BATCH) for key in ("a", "b")
    }
