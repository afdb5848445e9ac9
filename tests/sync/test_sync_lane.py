"""The batch lane without async."""

from __future__ import annotations

import headway.sync
from batch_rig import Account, BatchingTransport
from headway import JobState, Lane


def test_a_long_input_goes_into_one_batch() -> None:
    account = Account(takes=0.0)
    with headway.sync.Scheduler(
        model="claude-sonnet-5-5", max_tokens=8, transport=BatchingTransport(account, latency=0.0)
    ) as scheduler:
        outcomes = list(scheduler.map((f"text {n}" for n in range(700)), lane="batch"))
        assert scheduler.run("one", lane="auto")
    assert {(o.state, o.lane) for o in outcomes} == {(JobState.SUCCEEDED, Lane.BATCH)}
    assert [len(batch.items) for batch in account.batches] == [700]
