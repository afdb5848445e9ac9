"""The batch lane in virtual time: collected, created, watched, handed out; deadlines, refusals, cancelling."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest

from batch_rig import LOST, MINUTES, Account, BatchingTransport, MemoryBatches, failure
from headway import (
    Batching,
    ErrorKind,
    Flow,
    JobExpiredError,
    JobState,
    Lane,
    Limits,
    Outcome,
    Request,
    RequestError,
    Scheduler,
    SpendCap,
)
from headway.core.batch_info import BatchResult
from headway.core.catalog import BUILT_IN, cost_of
from headway.core.usage import Usage
from headway.core.worst_case import worst_cost
from headway.testing.transport import ScriptedTransport

pytestmark = pytest.mark.anyio
MODEL = "claude-sonnet-5-5"
PRICE = cost_of(MODEL, Usage(input=1_000_000)) or 0.0


def scheduler(transport: ScriptedTransport, **options: object) -> Scheduler:
    limits = options.pop("limits", Limits(requests=60_000))
    return Scheduler(model=MODEL, max_tokens=64, transport=transport, limits=limits, **options)  # type: ignore[arg-type]


async def run(s: Scheduler, texts: list[str], **options: object) -> dict[str, Outcome]:
    found = [o async for o in s.map(texts, **options)]  # type: ignore[arg-type]
    return {o.request.params["messages"][0]["content"]: o for o in found}  # type: ignore[index]


async def test_a_batch_brings_every_answer_at_half_the_price() -> None:
    account = Account()
    texts = [f"text {n}" for n in range(50)]
    async with scheduler(BatchingTransport(account)) as s:
        started = anyio.current_time()
        found = await run(s, texts, lane="batch")
        assert anyio.current_time() - started < 35 * MINUTES, "the input had ended: nothing was waited for"
        assert s.status().sends == 50
    assert [sorted(batch.texts) for batch in account.batches] == [sorted(texts)]
    for text, outcome in found.items():
        assert outcome.result().content[0].text == f"echo {text}"  # type: ignore[union-attr]
        assert (outcome.lane, outcome.sends, outcome.cost) == (Lane.BATCH, 1, PRICE / 2)
        assert '"lane":"batch"' in outcome.ending.line()


async def test_cache_auto_places_its_breakpoint_in_batches_too() -> None:
    account = Account()
    account.price, account.cached = 10, 990
    words = "Every review is read by a person who means well. " * 200
    async with scheduler(BatchingTransport(account)) as s:
        found = [
            o async for o in s.map([words + f"Number {n}" for n in range(9)], lane="batch", cache="auto")
        ]
        assert s.status().usage.cache_hit_rate == 1.0, "what was to be cached was read"
        assert s.status().usage.cache_read == 9 * 990
    assert {change.rule for outcome in found for change in outcome.changes} == {"cache_auto"}
    sent = [item.params["messages"][0]["content"] for item in account.batches[0].items]  # type: ignore[index]
    assert [(block[0]["text"], "cache_control" in block[0], len(block)) for block in sent] == [
        (words + "Number ", True, 2)
    ] * 9


async def test_batches_are_split_by_number_and_made_when_full_or_quiet_or_late() -> None:
    account = Account(takes=60)
    batching = Batching(max_requests=3, quiet=10, longest=25)
    async with scheduler(BatchingTransport(account), batching=batching) as s:
        for n in range(4):
            s.submit(f"at once {n}", lane="batch")
        await anyio.sleep(5)
        assert [len(batch.items) for batch in account.batches] == [3]
        await anyio.sleep(6)
        assert [len(batch.items) for batch in account.batches] == [3, 1]
        jobs = []
        for n in range(4):  # never quiet, never full
            jobs.append(s.submit(f"drop {n}", lane="batch", max_tokens=n + 1))
            await anyio.sleep(9)
        assert [len(batch.items) for batch in account.batches][:3] == [3, 1, 3]
        assert s.status().batch.batches >= 1
        [await job for job in jobs]


async def test_a_deadline_passes_in_a_batch_and_the_result_is_not_wanted_any_more() -> None:
    account = Account()
    async with scheduler(BatchingTransport(account)) as s:
        late, other = s.submit("late", lane="batch", deadline=600), s.submit("other", lane="batch")
        with pytest.raises(JobExpiredError):
            await late
        assert anyio.current_time() == pytest.approx(600)
        assert (late.state, (await late.outcome()).maybe_billed) == (JobState.EXPIRED, 1)
        assert (await other.outcome()).state is JobState.SUCCEEDED
    assert "cancel" not in account.calls


async def test_a_job_is_taken_out_before_its_batch_exists_and_unwanted_afterwards() -> None:
    account = Account()
    async with scheduler(BatchingTransport(account)) as s:
        before, first, second = (s.submit(text, lane="batch") for text in ("before", "first", "second"))
        assert before.cancel()
        await anyio.sleep(60)
        assert [sorted(batch.texts) for batch in account.batches] == [["first", "second"]]
        first.cancel()
        await anyio.sleep(60)
        assert "cancel" not in account.calls
        second.cancel()  # now nobody wants any of it
        outcomes = [await job.outcome() for job in (before, first, second)]
        await anyio.sleep(60)
        assert account.calls.count("cancel") == 1
    assert [(o.state, o.maybe_billed) for o in outcomes] == [
        (JobState.CANCELLED, 0),
        (JobState.CANCELLED, 1),
        (JobState.CANCELLED, 1),
    ]


async def test_what_expires_after_a_day_goes_into_the_next_batch_and_three_times_at_most() -> None:
    account = Account(takes=100 * 3600)
    transport = BatchingTransport(account)
    async with scheduler(transport) as s:
        job = s.submit("slow", lane="batch")
        await anyio.sleep(25 * 3600)
        account.takes = MINUTES
        assert (await job).content[0].text == "echo slow"  # type: ignore[union-attr]
        assert [a.failure and a.failure.kind for a in job.attempts] == [ErrorKind.BATCH_EXPIRED, None]
        account.takes = 100 * 3600
        outcome = await s.submit("never", lane="batch").outcome()
        assert (outcome.failure and outcome.failure.kind, outcome.sends) == (ErrorKind.BATCH_EXPIRED, 3)
        assert outcome.resumable and outcome.maybe_billed == 0
        (live,) = (await run(s, ["either"], lane="auto", deadline=1000.0)).values()
        assert live.lane is Lane.LIVE
    assert [sent.text for sent in transport.sent] == ["either"]


async def test_errors_of_items_are_those_of_the_handbook() -> None:
    account = Account(takes=MINUTES)
    fates = {
        "bad": failure(400, "invalid_request_error", "messages.0: bad"),
        "flaky": failure(500, "api_error"),
        "busy": failure(529, "overloaded_error"),
    }
    account.fate = lambda text, batch: (
        fates[text] if text == "bad" or (text in fates and batch < 3) else "succeeded"
    )
    async with scheduler(BatchingTransport(account)) as s:
        found = await run(s, ["bad", "flaky", "busy", "good"], lane="batch")
    assert {text: (o.state, o.sends) for text, o in found.items()} == {
        "bad": (JobState.FAILED, 1),
        "flaky": (JobState.SUCCEEDED, 3),
        "busy": (JobState.SUCCEEDED, 2),  # it waits longer: the third batch is its second
        "good": (JobState.SUCCEEDED, 1),
    }
    assert found["bad"].failure and found["bad"].failure.field == "messages.0"


async def test_what_no_batch_can_carry_is_refused_at_the_call_and_the_rest_goes() -> None:
    account = Account(takes=MINUTES)
    async with scheduler(BatchingTransport(account)) as s:
        with pytest.raises(RequestError, match="speed"):
            s.submit("fast", lane="batch", speed="fast")
        with pytest.raises(RequestError, match="extra_query"):
            s.submit("query", lane="batch", extra_query={"a": "b"})
        with pytest.raises(ValueError, match="'live', 'batch' or 'auto'"):
            s.submit("typo", lane="bulk")  # type: ignore[arg-type]
        bodies = [{"messages": [{"role": "user", "content": str(n)}], "max_tokens": n} for n in range(3)]
        found = [o async for o in s.map(bodies, lane="batch")]
        assert sorted(o.state for o in found) == [JobState.FAILED, JobState.SUCCEEDED, JobState.SUCCEEDED]
        assert (await s.submit("fast", lane="auto", speed="fast").outcome()).lane is Lane.LIVE
    async with scheduler(ScriptedTransport()) as s:
        with pytest.raises(RequestError, match="no Message Batches API"):
            s.submit("x", lane="batch")
        assert (await s.submit("x", lane="auto").outcome()).state is JobState.SUCCEEDED


async def test_items_with_different_beta_headers_are_in_batches_of_their_own() -> None:
    account = Account(takes=MINUTES)
    async with scheduler(BatchingTransport(account)) as s:
        jobs = [s.submit(str(n), lane="batch", betas=["a"] if n % 2 else ["b"]) for n in range(4)]
        assert [await job for job in jobs]
    assert sorted(sorted(batch.texts) for batch in account.batches) == [["0", "2"], ["1", "3"]]


@pytest.mark.parametrize("named", [True, False])
async def test_a_batch_that_is_refused_whole_is_divided_down_to_the_item_at_fault(named: bool) -> None:
    account = Account(takes=MINUTES)

    def refuse(items: object) -> object:
        for n, item in enumerate(items):  # type: ignore[arg-type]
            if item.params["messages"][0]["content"] in {"13", "60"}:
                where = f"requests.{n}.params.tools: " if named else ""
                return failure(400, "invalid_request_error", f"{where}what is this")
        return None

    account.refuse = refuse  # type: ignore[assignment]
    async with scheduler(BatchingTransport(account)) as s:
        found = await run(s, [str(n) for n in range(100)], lane="batch")
    failed = {text for text, o in found.items() if o.state is not JobState.SUCCEEDED}
    assert failed == {"13", "60"}
    assert found["13"].failure and "what is this" in found["13"].failure.message
    assert sorted(account.billed()) == sorted(str(n) for n in range(100) if n not in {13, 60})
    assert account.calls.count("create") <= (7 if named else 30)


async def test_refusals_of_the_account_or_for_load_are_waited_for_or_stop_the_run() -> None:
    account = Account(takes=MINUTES)
    account.faults["create"] = [failure(429, "rate_limit_error"), failure(503), failure(529)]
    account.faults["look"] = [failure(500)] * 5
    account.faults["results"] = [(None, LOST)]
    async with scheduler(BatchingTransport(account)) as s:
        found = await run(s, [str(n) for n in range(10)], lane="batch")
        assert all(o.state is JobState.SUCCEEDED for o in found.values())
        assert len(account.batches) == 1
        account.faults["create"] = [failure(401, "authentication_error")]
        outcome = await s.submit("poor", lane="batch").outcome()
        assert outcome.resumable
        assert s.status().halted is not None


async def test_a_creation_without_an_answer_is_looked_for_and_never_repeated_while_it_may_exist() -> None:
    account = Account()
    account.faults["create"] = [None, (None, LOST), LOST]
    async with scheduler(BatchingTransport(account), batching=Batching(quiet=1)) as s:
        await run(s, ["an older one"], lane="batch")
        found = await run(s, ["there", "too"], lane="batch")
        assert [o.maybe_billed for o in found.values()] == [0, 0]
        assert len(account.batches) == 2
        (lost,) = (await run(s, ["nowhere"], lane="batch")).values()
        assert (lost.state, lost.sends, lost.maybe_billed) == (JobState.SUCCEEDED, 2, 1)
        assert [a.failure and a.failure.kind for a in lost.attempts] == [ErrorKind.DISCONNECTED, None]
    assert sorted(account.billed()) == ["an older one", "nowhere", "there", "too"]


async def test_strangers_among_the_results_are_kept_aside_and_nothing_is_delivered_twice() -> None:
    account = Account(takes=MINUTES)
    account.extra = [
        BatchResult("somebody-else", "canceled"),
        BatchResult("", "errored", error=LOST, raw="{half a line"),
    ]
    async with scheduler(BatchingTransport(account)) as s:
        found = await run(s, ["mine"], lane="batch")
        assert found["mine"].state is JobState.SUCCEEDED
        await s.drain()
        assert s.status().batch.strays == 2


async def test_a_stray_404_does_not_give_a_batch_up() -> None:
    account = Account(takes=MINUTES)
    account.faults = {name: [failure(404, "not_found_error")] * 2 for name in ("look", "results")}
    async with scheduler(BatchingTransport(account)) as s:
        assert (await run(s, ["paid for"], lane="batch"))["paid for"].state is JobState.SUCCEEDED


async def test_what_is_no_json_fails_by_itself_however_much_of_it_there_is() -> None:
    """A batch is divided 64 times at most: that must not be used up by what can be seen before."""
    account = Account(takes=MINUTES)
    texts = ["good", *(f"\ud83d {n}" for n in range(80))]
    async with scheduler(BatchingTransport(account)) as s:
        found = await run(s, texts, lane="batch")
        with pytest.raises(RequestError, match="surrogate"):
            s.submit("\ud83d", lane="batch")
    assert [text for text, outcome in found.items() if outcome.failure is None] == ["good"]
    assert len(account.batches) == 1
    assert "surrogate" in str(found["\ud83d 7"].failure)


async def test_results_that_are_cut_short_are_read_once_more_before_anything_is_lost() -> None:
    account = Account(takes=MINUTES)
    reads: list[int] = []

    class Forgetful(MemoryBatches):
        async def results(self, batch_id: str) -> AsyncIterator[BatchResult]:
            reads.append(len(reads))
            async for result in super().results(batch_id):
                if result.message != "echo text 1" or len(reads) > 1:
                    yield result

    transport = BatchingTransport(account)
    transport.batches = lambda: Forgetful(account)  # type: ignore[method-assign]
    async with scheduler(transport) as s:
        found = await run(s, ["text 0", "text 1", "text 2"], lane="batch")
        assert {outcome.state for outcome in found.values()} == {JobState.SUCCEEDED}, "the second time"
        assert reads == [0, 1]
    assert sum(outcome.maybe_billed for outcome in found.values()) == 0


async def test_a_batch_that_is_deleted_or_cancelled_elsewhere() -> None:
    account = Account()
    async with scheduler(BatchingTransport(account), batching=Batching(quiet=1)) as s:
        deleted = s.submit("deleted", lane="batch")
        await anyio.sleep(60)
        account.batches[0].info = account.batches[0].info.__class__("gone", "in_progress", 0, 0)
        outcome = await deleted.outcome()
        assert outcome.failure and outcome.failure.kind is ErrorKind.BATCH_LOST
        assert (outcome.maybe_billed, outcome.resumable) == (1, False)
        cancelled = s.submit("cancelled", lane="batch")
        await anyio.sleep(60)
        await MemoryBatches(account).cancel_batch("msgbatch_2")
        outcome = await cancelled.outcome()
        assert outcome.failure and outcome.failure.kind is ErrorKind.BATCH_CANCELLED
        assert (outcome.maybe_billed, outcome.resumable) == (0, True)


async def test_auto_takes_the_batch_for_what_live_would_need_long_for() -> None:
    account = Account()
    transport = BatchingTransport(account)
    limits = Limits(requests=60, burst=1)
    batching = Batching(worth=60)
    async with scheduler(transport, limits=limits, batching=batching) as s:
        found = await run(s, [str(n) for n in range(500)], lane="auto")
    lanes = [o.lane for o in found.values()]
    assert all(o.state is JobState.SUCCEEDED for o in found.values())
    assert 30 <= lanes.count(Lane.LIVE) <= 120, "what live does in a minute or so"
    assert len(transport.sent) == lanes.count(Lane.LIVE)


async def test_auto_leaves_a_slow_batch_in_time_for_its_deadline() -> None:
    """The batch is cancelled first: what was done by then is not sent again."""
    account = Account(takes=10 * 3600)
    transport = BatchingTransport(account)
    limits = Limits(requests=60, burst=1)
    async with scheduler(transport, limits=limits, batching=Batching(worth=10)) as s:
        found = await run(s, [str(n) for n in range(300)], lane="auto", deadline=3 * 3600.0)
        assert anyio.current_time() < 3 * 3600
    assert {o.state for o in found.values()} == {JobState.SUCCEEDED}
    assert {o.lane for o in found.values()} == {Lane.LIVE}
    assert account.calls.count("cancel") == len(account.batches) == 1
    assert sum(o.maybe_billed for o in found.values()) == 0
    assert len(transport.sent) == 300


async def test_auto_leaves_a_batch_that_cannot_be_cancelled() -> None:
    account = Account(takes=10 * 3600)
    account.faults["cancel"] = [failure(403, "permission_error")]
    limits = Limits(requests=60, burst=1)
    async with scheduler(BatchingTransport(account), limits=limits, batching=Batching(worth=10)) as s:
        found = await run(s, [str(n) for n in range(100)], lane="auto", deadline=3 * 3600.0)
        assert anyio.current_time() < 3 * 3600
    assert {o.state for o in found.values()} == {JobState.SUCCEEDED}
    assert sum(o.maybe_billed for o in found.values()) == len(account.batches[0].items)


async def test_stop_does_not_wait_for_batches_and_drain_does() -> None:
    account = Account()
    async with scheduler(BatchingTransport(account), batching=Batching(quiet=1)) as s:
        job = s.submit("x", lane="batch")
        await anyio.sleep(10)
        await s.stop()
        outcome = await job.outcome()
        assert anyio.current_time() < 30
    assert outcome.resumable and outcome.maybe_billed == 1, "without a journal nobody will fetch it"
    assert account.batches[0].info.status == "in_progress"


async def test_a_spend_cap_holds_for_batches_at_their_price() -> None:
    account = Account(takes=MINUTES)
    most = worst_cost(
        Request({"model": MODEL, "max_tokens": 64, "messages": [_turn("0")]}), BUILT_IN, "batch"
    )
    assert most
    account.price = int(most * 0.5 / PRICE * 2e6)  # each answer costs half of what it might
    async with scheduler(BatchingTransport(account), spend_cap=SpendCap(usd=most * 4.1)) as s:
        found = await run(s, [str(n) for n in range(10)], lane="batch")
        spent = s.status().cost
    done = [o for o in found.values() if o.state is JobState.SUCCEEDED]
    assert [len(batch.items) for batch in account.batches] == [4, 2, 1], "what is free again is used"
    assert len(done) == 7 and spent <= most * 4.1
    left = [o for o in found.values() if o not in done]
    assert all(o.resumable and o.failure and o.failure.kind is ErrorKind.SPEND_CAP for o in left)


def _turn(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


async def test_jobs_that_wait_for_the_choice_are_not_forgotten_when_the_others_are_cancelled() -> None:
    account = Account(takes=MINUTES)
    transport = BatchingTransport(account)
    async with Scheduler(model=MODEL, max_tokens=64, transport=transport, flow=Flow(max_in_flight=1)) as s:
        jobs = [s.submit(str(n), lane="auto") for n in range(400)]
        assert s.status().queued == 400
        for job in jobs[:200]:
            job.cancel()
        outcomes = [await job.outcome() for job in jobs]
    assert [o.state for o in outcomes] == [JobState.CANCELLED] * 200 + [JobState.SUCCEEDED] * 200
