"""The batch lane with a journal: whatever dies and whenever, nothing is lost, and nothing is sent twice unsaid."""

from __future__ import annotations

import asyncio
import pickle
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import anyio
import pytest
from anthropic.types import Message

from batch_rig import LOST, MINUTES, Account, BatchingTransport, failure
from headway import (
    Batching,
    FollowUp,
    JobState,
    JournalError,
    Lane,
    Limits,
    Outcome,
    RepairPolicy,
    Request,
    Scheduler,
    SpendCap,
    SQLiteJournal,
)
from headway.core.batch_info import BatchResult
from headway.core.catalog import BUILT_IN
from headway.core.stored_params import StoredParams
from headway.core.usage import Usage
from headway.core.worst_case import worst_cost
from headway.ports import Stray
from headway.runtime import intake
from headway.testing.clock import VirtualLoop, virtual_loop

pytestmark = pytest.mark.anyio
MODEL = "claude-sonnet-5-5"
TEXTS = [f"text {n}" for n in range(7)]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return ("asyncio", {"loop_factory": virtual_loop})


class Steady(SQLiteJournal):
    """A journal for virtual time, which stands still while a commit is under way."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        for name in ("intend_batch", "note_batch", "end_batch", "forget_batch", "keep_strays", "requests"):
            setattr(self.batches, name, self._wrapped(name, getattr(self.batches, name)))
        for name in ("write", "admit", "get_meta", "set_meta"):
            setattr(self, name, self._wrapped(name, getattr(self, name)))

    def _wrapped(self, name: str, call: Callable[..., Awaitable[object]]) -> Callable[..., object]:
        async def wrapped(*args: object, **options: object) -> object:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            await self.step(name, after=False)
            loop.threads += 1
            try:
                result = await call(*args, **options)
            finally:
                loop.threads -= 1
            await self.step(name, after=True)
            return result

        return wrapped

    async def step(self, name: str, *, after: bool) -> None:
        """Something is about to be stored, or was."""


class Dying(Steady):
    """The process dies at the n-th step of a name, before or after it: the files are as they were then."""

    def __init__(self, path: Path, remains: Path, name: str, n: int, *, after: bool) -> None:
        super().__init__(path)
        self._remains, self._name, self._left, self._after = remains, name, n, after
        self.dead = anyio.Event()

    async def step(self, name: str, *, after: bool) -> None:
        if self._left == 0:
            with anyio.CancelScope(shield=True):
                await self.dead.wait()
            raise JournalError("dead")
        if (name, after) != (self._name, self._after):
            return
        self._left -= 1
        if self._left == 0:
            with anyio.CancelScope(shield=True):
                await self.counts()  # behind whatever was ordered before
            for ending in ("", "-wal"):
                if (source := self.path.with_name(self.path.name + ending)).exists():
                    shutil.copy(source, self._remains.with_name(self._remains.name + ending))
            self.dead.set()
            raise JournalError("dead")


def scheduler(account: Account, journal: object, **options: object) -> Scheduler:
    batching = Batching(max_requests=3)
    return Scheduler(  # type: ignore[arg-type]
        model="claude-sonnet-5-5",
        max_tokens=64,
        transport=BatchingTransport(account),
        limits=Limits(requests=60_000),
        journal=journal,
        batching=batching,
        **options,
    )


async def first_life(account: Account, journal: Dying, **options: object) -> list[Outcome]:
    outcomes: list[Outcome] = []
    async with anyio.create_task_group() as group:

        async def live() -> None:
            async with scheduler(account, journal, **options) as s:
                async for outcome in s.map(TEXTS, lane="batch"):
                    outcomes.append(outcome)

        group.start_soon(live)
        await journal.dead.wait()
        group.cancel_scope.cancel()
    return [outcome for outcome in outcomes if not outcome.resumable]


async def run(s: Scheduler, texts: list[str] = TEXTS, **options: object) -> list[Outcome]:
    return [outcome async for outcome in s.map(texts, **options)]  # type: ignore[arg-type]


DEATHS = [
    ("intend_batch", 1, False, 0), ("intend_batch", 2, True, 3), ("note_batch", 1, False, 0),
    ("note_batch", 2, True, 0), ("write", 1, False, 0), ("write", 1, True, 0), ("write", 5, True, 0),
    ("end_batch", 1, False, 0), ("end_batch", 2, True, 0), ("admit", 1, True, 0),
]  # fmt: skip
"""The step, and how many jobs may have been billed once more than anybody knows."""


@pytest.mark.parametrize("lane", ["batch", "live"])
@pytest.mark.parametrize(("name", "n", "after", "doubts"), DEATHS)
async def test_death_at_every_step(
    tmp_path: Path, name: str, n: int, after: bool, doubts: int, lane: str
) -> None:
    account, remains = Account(), tmp_path / "remains.journal"
    ended = await first_life(account, Dying(tmp_path / "a.journal", remains, name, n, after=after))
    async with scheduler(account, Steady(remains)) as s:
        started = anyio.current_time()
        outcomes = await run(s, lane=lane)
        assert anyio.current_time() - started < 24 * 3600
        assert s.status().batch.strays == 0
    assert {outcome.state for outcome in outcomes} == {JobState.SUCCEEDED}
    assert sorted(o.request.params["messages"][0]["content"] for o in outcomes) == TEXTS  # type: ignore[index]
    restored = {outcome.key for outcome in outcomes if outcome.restored}
    assert {outcome.key for outcome in ended} <= restored, "what was told is finished"
    assert sum(outcome.maybe_billed for outcome in outcomes) == doubts
    live = Counter(o.request.params["messages"][0]["content"] for o in outcomes if o.lane is Lane.LIVE)  # type: ignore[index]
    assert Counter(account.billed()) + live == Counter(TEXTS), "each was answered once"
    assert {outcome.sends for outcome in outcomes} <= {1, 2}
    async with Steady(remains) as journal:
        assert list(await journal.batches.open_batches()) == []


async def test_a_stop_leaves_the_batch_and_the_next_run_takes_its_results(tmp_path: Path) -> None:
    account, path = Account(), tmp_path / "a.journal"
    account.fate = lambda text, batch: LOST if (text, batch) == ("text 1", 1) else "succeeded"
    async with scheduler(account, Steady(path)) as s:
        jobs = [s.submit(text, lane="batch") for text in TEXTS[:3]]
        await anyio.sleep(MINUTES)
        await s.stop()
        assert {(await job.outcome()).resumable for job in jobs} == {True}
        assert sum([(await job.outcome()).maybe_billed for job in jobs]) == 0, (
            "the journal knows where they are"
        )
    half_a_pair = Message.construct(id="msg", content=[{"type": "text", "text": "billed \ud83d"}])
    account.extra = [BatchResult("hw-0000000000000000-1", "succeeded", message=half_a_pair)]
    async with scheduler(account, Steady(path)) as s:  # the input is gone
        jobs = await s.recover()
        outcomes = [await job.outcome() for job in jobs]
        assert [o.state for o in outcomes] == [JobState.SUCCEEDED] * 3
        assert sorted((o.lane, o.sends) for o in outcomes) == [
            (Lane.BATCH, 1),
            (Lane.BATCH, 1),
            (Lane.LIVE, 2),
        ]
        assert len(account.batches) == 1
    async with Steady(path) as journal:
        (stray,) = await journal.batches.strays()
        assert stray == Stray("msgbatch_1", "hw-0000000000000000-1", stray.result)
        assert r'"text":"billed \ud83d"' in stray.result


async def test_others_in_the_account_are_told_apart_by_their_results(tmp_path: Path) -> None:
    """Somebody else's batches of the same size, before and after, ended and not."""
    account, path, remains = Account(), tmp_path / "a.journal", tmp_path / "b.journal"

    async def stranger() -> None:
        async with Scheduler(  # type: ignore[call-arg]
            model="m", max_tokens=1, transport=BatchingTransport(account), batching=Batching(quiet=0.1)
        ) as s:
            jobs = [s.submit(f"other {n}", lane="batch") for n in range(3)]
            await anyio.sleep(5)
            await s.stop()
            assert all([(await job.outcome()).resumable for job in jobs])

    await stranger()
    await first_life(account, Dying(path, remains, "note_batch", 1, after=False))
    await stranger()
    async with scheduler(account, Steady(remains)) as s:
        outcomes = await run(s, lane="batch")
    assert {o.state for o in outcomes} == {JobState.SUCCEEDED}
    assert sum(o.maybe_billed for o in outcomes) == 0
    ours = [text for text in account.billed() if text.startswith("text")]
    assert sorted(ours) == TEXTS


async def test_a_journal_that_keeps_no_batches_is_refused(tmp_path: Path) -> None:
    journal = SQLiteJournal(tmp_path / "a.journal")
    journal.batches = None  # type: ignore[assignment]
    async with scheduler(Account(), journal) as s:
        with pytest.raises(ValueError, match="cannot keep batches"):
            s.submit("x", lane="batch")


async def test_a_job_that_comes_back_while_its_batch_is_created_for_nobody_waits_for_that_batch(
    tmp_path: Path,
) -> None:
    """Everything is cut off in the middle of the creation, which goes on; the cause is mended at once."""
    account = Account(takes=MINUTES)
    async with scheduler(account, Steady(tmp_path / "j")) as s:
        first = s.submit("text", key="k", lane="batch")
        while account.calls[-1:] != ["create"]:
            await anyio.sleep(0.01)
        s.abort()
        assert (await first.outcome()).resumable
        s.resume()
        with anyio.fail_after(60 * MINUTES):
            outcome = await s.submit("text", key="k", lane="batch").outcome()
    assert outcome.state is JobState.SUCCEEDED
    assert account.billed() == ["text"]


LONG: dict[str, object] = {"system": "Be brief. " * 40, "temperature": 0.5, "metadata": {"user_id": "u"}}


async def test_a_job_that_waits_in_the_lane_holds_no_more_than_its_name(tmp_path: Path) -> None:
    account, path = Account(), tmp_path / "a.journal"
    spaced = [{"role": "user", "content": "spaced"}, {"role": "assistant", "content": "so "}]
    mends = {"model": "claude-sonnet-4-5", "repair": RepairPolicy("repair")}
    async with scheduler(account, Steady(path)) as s:
        plain = s.submit("plain", lane="batch", extra_headers={"x-api-key": "k"}, **LONG)  # type: ignore[arg-type]
        mended = s.submit(spaced, lane="batch", **mends)  # type: ignore[arg-type]
        await anyio.sleep(MINUTES)
        for job in (plain, mended):
            assert isinstance(job.record.request.params, StoredParams)
            assert "Be brief" not in repr(job.record) and "spaced" not in repr(job.record)
        sent = {item.params["model"]: item.params for item in account.batches[0].items}
        assert sent["claude-sonnet-5-5"]["system"] == LONG["system"]
        assert sent["claude-sonnet-4-5"]["messages"][-1]["content"] == "so", "as it was mended"  # type: ignore[index]
        auto = s.submit("auto", lane="auto", deadline=3 * 3600)
        await anyio.sleep(MINUTES)
        await s.stop()
        parked = {outcome.request.model: outcome for outcome in [await j.outcome() for j in (plain, mended)]}
        assert auto.done()
    given = parked["claude-sonnet-5-5"].request
    assert given.params["system"] == LONG["system"], "read when somebody looks, also when all is closed"
    assert pickle.loads(pickle.dumps(given)).params == dict(given.params) | {"temperature": 0.5}
    assert given.options == {"extra_headers": {"x-api-key": "k"}}, "what is not journalled is kept"
    assert parked["claude-sonnet-4-5"].request.params["messages"] == spaced
    async with scheduler(account, Steady(path)) as s:
        outcomes = {o.request.model: o async for o in s.collect()}
        assert {o.state for o in outcomes.values()} == {JobState.SUCCEEDED}
    assert type(outcomes["claude-sonnet-5-5"].request.params) is dict
    assert [change.rule for change in outcomes["claude-sonnet-4-5"].ending.changes], "kept over a restart"


async def test_jobs_leave_their_batch_whole(tmp_path: Path) -> None:
    """To meet a deadline: the batch cannot be cancelled."""
    account = Account(takes=10 * 3600)
    account.faults["cancel"] = [failure(400, "invalid_request_error", "cannot be cancelled")]
    transport = BatchingTransport(account)
    options = {"limits": Limits(requests=60, burst=1), "batching": Batching(worth=10)}
    given = {
        "model": MODEL,
        "max_tokens": 64,
        "transport": transport,
        "journal": Steady(tmp_path / "j"),
        **options,
    }
    async with Scheduler(**given) as s:  # type: ignore[arg-type]
        found = [
            o
            async for o in s.map(map(str, range(200)), lane="auto", deadline=3 * 3600.0, system="long " * 50)
        ]
    assert {(o.state, o.lane) for o in found} == {(JobState.SUCCEEDED, Lane.LIVE)}
    assert (
        len(account.batches) == 1 and sum(o.maybe_billed for o in found) == len(account.batches[0].items) > 20
    )
    assert sorted(sent.text for sent in transport.sent) == sorted(map(str, range(200)))
    assert {o.request.params["system"] for o in found} == {"long " * 50}


async def test_a_long_input_waits_for_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "CROWD", 4)
    monkeypatch.setattr(intake, "GROUP", 2)
    waiting: list[int] = []
    async with scheduler(Account(takes=MINUTES), Steady(tmp_path / "a.journal")) as s:
        engine = s._here().engine

        async def texts() -> AsyncIterator[str]:
            for n in range(30):
                waiting.append(len(engine._intake or ()))
                yield f"text {n}"

        found = [outcome.state async for outcome in s.map(texts(), lane="batch")]
    assert (found, max(waiting)) == ([JobState.SUCCEEDED] * 30, 4), "no more of it is read before"


async def test_identical_requests_are_one_item_and_share_its_answer(tmp_path: Path) -> None:
    account, path = Account(), tmp_path / "a.journal"
    account.fate = lambda text, batch: "expired" if (text, batch) == ("text 1", 1) else "succeeded"
    texts = ["text 0", "text 1", "text 0", "text 1", "text 0"]
    async with scheduler(account, Steady(path)) as s:
        jobs = [s.submit(text, lane="batch", dedupe=True) for text in texts]
        await anyio.sleep(MINUTES)
        assert [batch.texts for batch in account.batches] == [["text 0", "text 1"]]
        jobs[0].cancel()  # the others want its answer all the same
        outcomes = [await job.outcome() for job in jobs]
    assert [o.state for o in outcomes] == [JobState.CANCELLED] + [JobState.SUCCEEDED] * 4
    assert Counter(account.billed()) == {"text 0": 2, "text 1": 1}, "the first text 0 was under way"
    sent = [o for o in outcomes[1:] if o.copy_of is None]
    assert [o.lane for o in sent] == [Lane.BATCH] * 2 and sum(o.cost or 0.0 for o in outcomes) > 0
    assert [o.cost for o in outcomes[1:] if o.copy_of] == [0.0] * 2
    async with scheduler(account, Steady(path)) as s:  # other names, the same requests
        again = [
            await s.submit(text, key=f"again {n}", lane="batch", dedupe=True).outcome()
            for n, text in enumerate(texts)
        ]
    assert {(o.state, o.copy_of is None, o.sends) for o in again} == {(JobState.SUCCEEDED, False, 0)}
    assert Counter(account.billed()).total() == 3


@pytest.mark.parametrize("way", ["killed", "killed before", "stopped"])
async def test_a_cap_goes_on_with_what_is_under_way(tmp_path: Path, way: str) -> None:
    """What is in a batch counts at its worst case until its result is there: neither twice nor for ever."""
    account, path, remains = Account(), tmp_path / "a.journal", tmp_path / "remains.journal"
    account.price = 10
    request = Request({"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": TEXTS[0]}]})
    worst = worst_cost(request, BUILT_IN, "batch")
    real = BUILT_IN.cost(MODEL, Usage(10, 0), "batch")
    assert worst is not None and real is not None and real < worst / 20
    cap = SpendCap(3.5 * worst)
    if way == "stopped":
        remains = path
        async with scheduler(account, Steady(path), spend_cap=cap) as s:
            jobs = [s.submit(text, lane="batch") for text in TEXTS]
            await anyio.sleep(MINUTES)
            await s.stop()
            assert all([(await job.outcome()).resumable for job in jobs])
    else:
        step = "note_batch" if way == "killed" else "intend_batch"
        await first_life(account, Dying(path, remains, step, 1, after=way == "killed"), spend_cap=cap)
    async with scheduler(account, Steady(remains), spend_cap=cap) as s:
        jobs = [s.submit(text, lane="batch") for text in TEXTS]
        await anyio.sleep(2 * MINUTES)
        spend = s.status().spend
        assert spend is not None and spend.reserved == pytest.approx(3 * worst), "those three, once"
        assert spend.spent == pytest.approx(0, abs=worst / 50), "beside what is written ahead"
        outcomes = [await job.outcome() for job in jobs]
        assert [outcome.state for outcome in outcomes] == [JobState.SUCCEEDED] * 7, "it is not used up"
        spend = s.status().spend
        assert spend is not None and spend.spent == pytest.approx(7 * real, abs=worst / 50)
        assert spend.reserved == 0
    assert Counter(account.billed()) == Counter(TEXTS)


async def test_no_batch_takes_what_a_cap_cannot_price(tmp_path: Path) -> None:
    account = Account(takes=MINUTES)
    follow_up = FollowUp(fallback_models=("claude-unheard-of",))
    account.fate = lambda text, batch: failure(404, "not_found_error", "model: gone")
    async with scheduler(account, Steady(tmp_path / "a.journal"), spend_cap=SpendCap(1.0)) as s:
        outcome = await s.submit("a", lane="batch", follow_up=follow_up).outcome()
    assert outcome.state is JobState.FAILED and len(account.batches) == 1
    assert "the price of 'claude-unheard-of' is not known" in str(outcome.failure)
