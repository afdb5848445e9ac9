"""A spend cap in virtual time: never exceeded by what the API bills, whatever happens; and the run can go on."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Literal

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_script import StreamScript, block, delta, end, end_block, start, whole

from headway import (
    BillingError,
    ErrorKind,
    Flow,
    FollowUp,
    JobFailedError,
    JobState,
    JournalError,
    Limits,
    Price,
    RequestError,
    RetryPolicy,
    Scheduler,
    SpendCap,
    SQLiteJournal,
)
from headway.core.catalog import BUILT_IN, cost_of
from headway.core.failure import Failure
from headway.core.request import Request
from headway.core.usage import Usage
from headway.core.worst_case import worst_cost
from headway.ports import Rejection, Reply
from headway.runtime.purse import Purse
from headway.testing.clock import virtual_loop
from headway.testing.transport import ScriptedTransport, Sent, lost, refusal, reply

pytestmark = pytest.mark.anyio
MODEL = "claude-opus-5"
DAY = 86_400.0


class Biller:
    """The API's own books: every attempt that it worked on is billed, whether its answer arrived or not."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.billed = 0.0

    def answer(self, sent: Sent) -> Reply | Rejection:
        """By chance: refused unbilled, or billed anything up to what is possible, and perhaps lost on the way."""
        chance = self.dice.random()
        if chance < 0.15:
            return refusal(self.dice.choice([429, 529, 400, 503]))
        text = len(sent.text.encode()) + 100
        usage = Usage(self.dice.randint(1, text), self.dice.choice([0, 7, 60, sent.request.max_tokens]))
        cost = cost_of(MODEL, usage)
        assert cost is not None
        self.billed += cost
        if chance < 0.3:
            return lost(self.dice.choice([ErrorKind.DISCONNECTED, ErrorKind.MALFORMED, ErrorKind.STREAM_CUT]))
        if chance < 0.35:
            return refusal(500, "api_error")
        if chance < 0.37:
            raise RuntimeError("a transport at fault, after sending")
        return reply(usage=usage)


def scheduler(transport: ScriptedTransport, cap: SpendCap | None, **options: object) -> Scheduler:
    told: dict[str, object] = {
        "model": MODEL,
        "max_tokens": 100,
        "limits": Limits(requests=6_000_000),
        **options,
    }
    return Scheduler(transport=transport, spend_cap=cap, **told)  # type: ignore[arg-type]


def worst(text: str, max_tokens: int = 100) -> float:
    body = {"model": MODEL, "max_tokens": max_tokens, "messages": [{"role": "user", "content": text}]}
    found = worst_cost(Request(body), BUILT_IN)
    assert found is not None
    return found


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.02, 2.0), st.sampled_from([3, 40, 500]))
def test_no_history_bills_more_than_the_cap(seed: int, usd: float, in_flight: int) -> None:
    """Random answers, losses, refusals, timeouts and cancels, up to 500 in flight."""
    biller = Biller(seed)
    transport = ScriptedTransport(
        biller.answer, latency=lambda sent: biller.dice.choice([0.1, 1.0, 5.0, 700.0])
    )

    async def main() -> None:
        jobs_done = 0
        async with scheduler(transport, SpendCap(usd), flow=Flow(max_in_flight=in_flight)) as s:
            jobs = [
                s.submit("žluť " * (i % 40), deadline=biller.dice.choice([None, None, 2000.0]))
                for i in range(in_flight + 60)
            ]
            for _ in range(5):
                await anyio.sleep(0.5)
                for job in biller.dice.sample(jobs, 10):
                    job.cancel()
                spend = s.status().spend
                assert spend is not None
                assert spend.spent + spend.reserved <= usd * (1 + 1e-14)
                assert biller.billed <= spend.spent + spend.reserved + 1e-9
            for job in jobs:
                outcome = await job.outcome()
                jobs_done += outcome.state is JobState.SUCCEEDED
                if outcome.failure is not None and outcome.failure.kind is ErrorKind.SPEND_CAP:
                    assert outcome.resumable
            spend = s.status().spend
            assert spend is not None
            assert biller.billed <= spend.spent + 1e-9 <= usd + 2e-9
            assert spend.reserved == pytest.approx(0, abs=1e-12), "nothing is held for ever"

    anyio.run(main, backend_options={"loop_factory": virtual_loop})


async def test_jobs_wait_for_what_comes_back_from_those_in_flight() -> None:
    """Together they might cost five times the cap; each costs little, so all of them are done."""
    cap = 10.5 * worst("job")
    transport = ScriptedTransport(lambda sent: reply(usage=Usage(5, 1)), connections=500)
    async with scheduler(transport, SpendCap(cap)) as s:
        outcomes = [o async for o in s.map(["job"] * 60)]
        assert all(o.state is JobState.SUCCEEDED for o in outcomes)
        assert transport.most_in_flight == 10
        assert anyio.current_time() < 12, "each end makes room at once"
        spend = s.status().spend
        assert spend is not None
        assert spend.spent == pytest.approx(60 * (5 * 5 + 25) / 1e6)


async def test_another_model_waits_for_the_same_money() -> None:
    cap = 1.5 * worst("job")
    transport = ScriptedTransport(lambda sent: reply(usage=Usage(5, 1)), latency=10)
    async with scheduler(transport, SpendCap(cap)) as s:
        first = s.submit("job")
        second = s.submit("job", model="claude-sonnet-5-5", max_tokens=240)  # another budget, as dear
        await second
        assert anyio.current_time() == pytest.approx(20)
        assert first.state is JobState.SUCCEEDED


async def test_the_run_stops_when_nothing_can_make_room_and_goes_on_with_a_higher_cap() -> None:
    one = worst("job")
    transport = ScriptedTransport(lambda sent: reply(usage=Usage(200, 100)))
    async with scheduler(transport, SpendCap(3 * one)) as s:
        jobs = [s.submit("job") for _ in range(50)]
        outcomes = [await job.outcome() for job in jobs]
        ended = [o for o in outcomes if o.state is not JobState.SUCCEEDED]
        done = 50 - len(ended)
        assert done == len(transport.sent) >= 2
        assert all(
            o.resumable and o.sends == 0 and o.failure.kind is ErrorKind.SPEND_CAP for o in ended if o.failure
        )
        halted = s.status().halted
        assert halted is not None
        assert halted.resumes_at is None
        assert f"of the cap of ${3 * one:.6f} in this run is spent" in halted.message
        assert "--max-cost" in halted.remedy
        with pytest.raises(BillingError, match="the next request may cost"):
            await s.submit("job")
        assert len(transport.sent) == done, "nothing is sent any more"
        s.resume()
        with pytest.raises(BillingError):  # as the money is spent
            await s.submit("job")
        s.set_spend_cap(SpendCap(1.0))
        s.resume()
        await s.submit("job")
    async with scheduler(transport, None) as s:
        with pytest.raises(ValueError, match="no spend cap to change"):
            s.set_spend_cap(SpendCap(1.0))


async def test_a_day_ends_at_midnight_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    began = 20_000 * DAY + DAY - 100
    monkeypatch.setattr("headway.runtime.purse.wall_time", lambda: began + anyio.current_time())
    transport = ScriptedTransport(lambda sent: reply(usage=Usage(200, 100)), latency=30)
    async with scheduler(transport, SpendCap(1.5 * worst("job"), "day")) as s:
        await s.submit("job")
        with pytest.raises(BillingError, match="today") as caught:
            await s.submit("job")
        assert caught.value.failure.resumes_at == "2024-10-05T00:00:00Z"
        late = s.submit("job")
        assert late.done(), "until then nothing is taken in"
        await anyio.sleep(75)
        await s.submit("job")
        assert s.status().halted is None
        assert len(transport.sent) == 2


async def test_a_wait_for_an_endless_attempt_ends_at_midnight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headway.runtime.purse.wall_time", lambda: DAY - 50 + anyio.current_time())
    transport = ScriptedTransport(
        lambda sent: reply(usage=Usage(200, 100)), latency=lambda sent: 500 if sent.text == "long" else 30
    )
    async with scheduler(transport, SpendCap(2.2 * worst("long"), "day")) as s:
        long, quick = s.submit("long"), s.submit("job")
        await quick
        waits = s.submit("job")
        await waits
        assert anyio.current_time() == pytest.approx(80)
        assert not long.done()


async def test_money_survives_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headway.runtime.purse.wall_time", lambda: 5 * DAY)
    path = tmp_path / "work.journal"
    transport = ScriptedTransport(lambda sent: reply(usage=Usage(200, 100)), latency=0)
    cost = cost_of(MODEL, Usage(200, 100))
    assert cost is not None
    async with scheduler(transport, SpendCap(4 * cost), journal=path) as s:
        assert (await s.submit("a", key="a")).usage.output_tokens == 100
    async with scheduler(transport, SpendCap(4 * cost), journal=path) as s:
        spend = s.status().spend
        assert spend is not None
        assert spend.spent == pytest.approx(cost), "to the last digit after a clean end"
        outcomes = [o async for o in s.map([{"custom_id": x, "params": {"messages": [{"role": "user", "content": x}]}}
                                            for x in "abcdefg"])]  # fmt: skip
    assert sum(o.state is JobState.SUCCEEDED for o in outcomes) == len(transport.sent)
    assert len(transport.sent) * cost <= 4 * cost
    left = [o for o in outcomes if o.resumable]
    assert left
    sent = len(transport.sent)
    async with scheduler(
        transport, SpendCap(100.0, "day"), journal=path
    ) as s:  # what it did to the day is known, too
        spend = s.status().spend
        assert spend is not None
        assert spend.spent == pytest.approx(sent * cost)
        assert all([o.state is JobState.SUCCEEDED async for o in s.map(
            [{"custom_id": o.key, "params": dict(o.request.params)} for o in left])])  # fmt: skip
    monkeypatch.setattr("headway.runtime.purse.wall_time", lambda: 6 * DAY)
    async with scheduler(transport, SpendCap(100.0, "day"), journal=path) as s:
        assert s.status().spend is not None
        assert s.status().spend.spent == 0  # type: ignore[union-attr]


async def test_a_crash_forgets_nothing_that_was_spent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a clean end the journal holds at least what was spent and reserved, and not much more."""
    path, usd = tmp_path / "work.journal", 1.0
    biller = Biller(7)
    transport = ScriptedTransport(biller.answer, latency=1.0)

    async def nothing(_: object) -> None:
        """The process dies before it can write."""

    monkeypatch.setattr("headway.runtime.purse.Purse.note", nothing)
    known = 0.0
    for life in range(8):
        async with scheduler(transport, SpendCap(usd), journal=path, retry=RetryPolicy(max_attempts=1)) as s:
            spend = s.status().spend
            assert spend is not None
            assert biller.billed <= spend.spent <= usd
            assert spend.spent <= known + usd / 200 + 1e-9, "a crash costs no more than that"
            for i in range(40):
                s.submit("žluť", key=f"{life}-{i}").add_done_callback(lambda _: None)
            await anyio.sleep(1.5)
            spend = s.status().spend
            assert spend is not None
            known = spend.spent + spend.reserved
            s.abort()
    assert biller.billed <= usd


@pytest.mark.parametrize("per", ["run", "day"])
async def test_the_journal_is_told_ahead_but_never_of_more_than_the_cap(per: Literal["run", "day"]) -> None:
    told: dict[str, float] = {}

    class Book:
        async def get_meta(self, name: str) -> None:
            return None

        async def set_meta(self, name: str, value: str) -> None:
            told.update(json.loads(value))

    purse = Purse(SpendCap(1.0, per), BUILT_IN, Book(), lambda: 0.0)
    assert await purse.take(0.5) is not None
    assert told["total"] == told["today"] == 0.505
    assert await purse.take(0.499) is not None
    capped, other = ("total", "today") if per == "run" else ("today", "total")
    assert (told[capped], told[other]) == (1.0, pytest.approx(1.004))
    assert await purse.take(0.002) is None


async def test_a_journal_that_cannot_say_what_was_spent(tmp_path: Path) -> None:
    path = tmp_path / "work.journal"
    async with SQLiteJournal(path) as journal:
        await journal.set_meta("spend", "nonsense")
    with pytest.raises(JournalError, match="what was spent cannot be read"):
        async with scheduler(ScriptedTransport(), SpendCap(1.0), journal=path):
            pytest.fail("it was opened")
    async with SQLiteJournal(path):  # it was closed again, and its lock is free
        pass


async def test_a_journal_must_keep_names() -> None:
    class Forgetful:
        admit = None

    with pytest.raises(TypeError, match=r"needs a journal with get_meta\(\) and set_meta\(\), not Forgetful"):
        scheduler(ScriptedTransport(), SpendCap(1.0), journal=Forgetful())
    with pytest.raises(TypeError, match=r"spend_cap must be SpendCap\(usd=…\), not 5"):
        scheduler(ScriptedTransport(), 5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"prices\['x'\] must be Price"):
        scheduler(ScriptedTransport(), None, prices={"x": 3})


async def test_without_a_price_there_is_no_cap() -> None:
    transport = ScriptedTransport(lambda sent: refusal(404, "not_found_error", message="model: gone"))
    fallback = FollowUp(fallback_models=("unheard-of",))
    async with scheduler(transport, SpendCap(1.0), follow_up=fallback) as s:
        with pytest.raises(RequestError, match=r"model: the price of 'my-own' is not known.*--prices FILE"):
            s.submit("job", model="my-own")
        outcomes = [o async for o in s.map(["job"], model="my-own")]
        assert [o.failure.kind for o in outcomes if o.failure] == [ErrorKind.INVALID_REQUEST]
        with pytest.raises(JobFailedError, match="unheard-of"):
            await s.submit("job")
        assert len(transport.sent) == 1
    async with scheduler(ScriptedTransport(), SpendCap(1.0), prices={"my-own": Price(1, 2, 0.1)}) as s:
        outcome = await s.submit("job", model="my-own").outcome()
        assert outcome.cost == pytest.approx((10 + 2 * 5) / 1e6)


async def test_streams_are_paid_for_as_far_as_they_may_have_come() -> None:
    """Whole: what it used. Broken, or closed early: its input, and all the output that was allowed."""
    broken = [start(), block(0), delta("Once "), lost(ErrorKind.DISCONNECTED)]
    plays = [
        whole("Hi"),
        broken,
        [start(), block(0), delta(" upon"), end_block(), *end()],
        [start(), block(0), delta("x"), 50],
    ]
    transport = StreamScript(lambda number, _: plays[number - 1])

    def spent() -> float:
        spend = s.status().spend
        assert spend is not None
        assert spend.reserved == 0
        return spend.spent

    full = (10 * 5 + 100 * 25) / 1e6
    async with scheduler(transport, SpendCap(1.0)) as s:
        async with s.stream("job") as stream:
            await stream.get_final_message()
        assert spent() == pytest.approx(first := (10 * 5 + 5 * 25) / 1e6)
        async with s.stream("job") as stream:
            await stream.get_final_message()
        assert spent() == pytest.approx(2 * first + full)
        async with s.stream("job") as stream:
            async for _ in stream.text_stream:
                break
        assert spent() == pytest.approx(2 * first + 2 * full)
        assert s.status().spend.unanswered == pytest.approx(2 * full)  # type: ignore[union-attr]


async def test_a_stream_is_not_begun_without_the_money() -> None:
    transport = StreamScript(lambda number, request: whole("Hi"))
    async with scheduler(transport, SpendCap(worst("job") / 2)) as s:
        with pytest.raises(BillingError):
            async with s.stream("job"):
                pytest.fail("it was sent")
        with pytest.raises(RequestError, match="not known"):
            s.stream("job", model="my-own")
        assert not transport.requests


async def test_an_overload_inside_an_answer_counts_at_its_worst() -> None:
    """The answer had begun (a scout is sent as a stream): nobody knows what of it is billed."""
    begun = Rejection(Failure(ErrorKind.OVERLOADED, "overloaded", 200))
    before = refusal(529, "overloaded_error")
    for rejected, doubts in ((begun, 1), (before, 0)):
        transport = ScriptedTransport(
            lambda sent, rejected=rejected: rejected if sent.attempt == 1 else reply()
        )
        async with scheduler(transport, SpendCap(1.0)) as s:
            outcome = await s.submit("job").outcome()
            spend = s.status().spend
        assert (outcome.state, outcome.sends, outcome.maybe_billed) == (JobState.SUCCEEDED, 2, doubts)
        assert spend is not None and (spend.unanswered > 0) == bool(doubts)
        assert s.status().maybe_billed == doubts
