"""Repairs, follow-ups and the journal: what a second process finds after the first one died."""

from __future__ import annotations

from pathlib import Path

import pytest

from amend_rig import CAP, MODEL, OTHER, USAGE, Painter, answer, rules, text
from headway import FollowUp, JobState, Limits, RepairPolicy, Scheduler, SQLiteJournal
from headway.core.events import Continued, JobEvent, Repaired, Rerouted
from headway.core.job import JobRecord
from headway.core.outcome import Ending
from headway.testing.transport import ScriptedTransport, Sent, refusal, reply

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("rules")]
__all__ = ["rules"]
OVERFLOW = refusal(400, "invalid_request_error", message="prompt is too long: 9 tokens > 8 maximum")


class Dying(SQLiteJournal):
    """A journal whose process dies after an event of this type: nothing later reaches the disk."""

    def __init__(self, path: Path, after: type[JobEvent]) -> None:
        super().__init__(path)
        self._after = after
        self._dead = False

    async def write(self, record: JobRecord, event: JobEvent, ending: Ending | None) -> None:
        if not self._dead:
            await super().write(record, event, ending)
            self._dead = isinstance(event, self._after)

    def append(self, record: JobRecord, event: JobEvent, ending: Ending | None) -> None:
        if not self._dead:
            super().append(record, event, ending)
            self._dead = isinstance(event, self._after)


def scheduler(transport: ScriptedTransport, journal: object, **options: object) -> Scheduler:
    settings: dict[str, object] = {"model": MODEL, "max_tokens": 1000, "limits": Limits(requests=60_000)}
    return Scheduler(  # type: ignore[arg-type]
        transport=transport, journal=journal, repair=RepairPolicy("repair"), **(settings | options)
    )


def shrinking(most: int) -> ScriptedTransport:
    return ScriptedTransport(lambda s: reply() if s.request.max_tokens <= most else OVERFLOW, latency=0)


async def test_a_repair_is_not_made_twice(tmp_path: Path) -> None:
    first = shrinking(600)
    async with scheduler(first, Dying(tmp_path / "j", Repaired)) as s:
        await s.submit("x", key="k")
    assert [sent.request.max_tokens for sent in first.sent] == [1000, 500]
    second = shrinking(600)
    async with scheduler(second, tmp_path / "j") as s:
        outcome = await s.submit("x", key="k").outcome()
    assert [sent.request.max_tokens for sent in second.sent] == [500], "the refused request is not sent again"
    assert [change.old for change in outcome.changes] == [1000]
    assert (outcome.request.max_tokens, outcome.sends) == (1000, 2)
    third = shrinking(0)
    async with scheduler(third, tmp_path / "j") as s:
        restored = await s.submit("x", key="k").outcome()
    assert restored.restored
    assert restored.changes == outcome.changes
    assert not third.sent


async def test_repairs_are_counted_over_processes(tmp_path: Path) -> None:
    async with scheduler(shrinking(0), Dying(tmp_path / "j", Repaired)) as s:
        await s.submit("x", key="k").outcome()
    second = shrinking(0)
    async with scheduler(second, tmp_path / "j") as s:
        outcome = await s.submit("x", key="k").outcome()
    assert outcome.state is JobState.FAILED
    assert [sent.request.max_tokens for sent in second.sent] == [500, 250], "two repairs in all"


async def test_what_is_mended_before_the_first_attempt_is_mended_again(tmp_path: Path) -> None:
    for _ in range(2):
        transport = shrinking(CAP)
        async with scheduler(transport, tmp_path / "j", max_tokens=5000) as s:
            job = s.submit("x")
            if not _:
                s.abort()
            outcome = await job.outcome()
    assert [sent.request.max_tokens for sent in transport.sent] == [CAP]
    assert [change.rule for change in outcome.changes] == ["cap"]
    assert outcome.request.max_tokens == 5000


async def test_what_a_tool_made_is_made_again(tmp_path: Path) -> None:
    def script(sent: Sent) -> object:
        if sent.request.params["max_tokens"] == 1000:
            return OVERFLOW
        return reply(sent.text)

    for run in range(2):
        tool = Painter("files", "large", "file_1", seconds=0.001)
        journal = SQLiteJournal(tmp_path / "j") if run else Dying(tmp_path / "j", Repaired)
        transport = ScriptedTransport(script, latency=0)  # type: ignore[arg-type]
        async with scheduler(transport, journal, tools=[tool]) as s:
            outcome = await s.submit("a large body", key="k").outcome()
        assert [sent.text for sent in transport.sent] == ["a file_1 body"] * 2
        assert len(tool.asked) == 1, "an upload of the process that died may be gone"
        assert [change.rule for change in outcome.changes] == ["files", "context"]


async def test_a_paused_turn_goes_on_in_the_next_process(tmp_path: Path) -> None:
    pause = ScriptedTransport(lambda sent: answer("pause_turn", text("a")), latency=0)
    async with scheduler(pause, Dying(tmp_path / "j", Continued), follow_up=FollowUp(continue_paused=1)) as s:
        await s.submit("x", key="k").outcome()
    end = ScriptedTransport(lambda sent: answer("end_turn", text("b")), latency=0)
    async with scheduler(end, tmp_path / "j", follow_up=FollowUp()) as s:
        outcome = await s.submit("x", key="k").outcome()
    assert [sent.request.params["messages"][-1]["role"] for sent in end.sent] == ["assistant"]  # type: ignore[index]
    assert [block.text for block in outcome.result().content] == ["a", "b"]  # type: ignore[union-attr]
    assert outcome.usage == USAGE + USAGE, "what the first process spent is counted"


async def test_another_model_is_remembered(tmp_path: Path) -> None:
    gone = refusal(404, "not_found_error", message=f"model: {MODEL}")
    policy = FollowUp(fallback_models=(OTHER,))

    def script(sent: Sent) -> object:
        return gone if sent.request.model == MODEL else reply()

    async with scheduler(
        ScriptedTransport(script, latency=0),  # type: ignore[arg-type]
        Dying(tmp_path / "j", Rerouted),
        follow_up=policy,
    ) as s:
        await s.submit("x", key="k")
    second = ScriptedTransport(script, latency=0)  # type: ignore[arg-type]
    async with scheduler(second, tmp_path / "j", follow_up=policy) as s:
        assert (await s.submit("x", key="k").outcome()).state is JobState.SUCCEEDED
        assert list(s.status().budgets) == ["sonnet-5"]
    assert [sent.request.model for sent in second.sent] == [OTHER]


async def test_recovered_jobs_are_sent_as_they_were_repaired(tmp_path: Path) -> None:
    async with scheduler(shrinking(600), Dying(tmp_path / "j", Repaired)) as s:
        await s.submit("x", key="k")
    second = shrinking(600)
    async with scheduler(second, tmp_path / "j") as s:
        (job,) = await s.recover()
        await job
    assert [sent.request.max_tokens for sent in second.sent] == [500]
