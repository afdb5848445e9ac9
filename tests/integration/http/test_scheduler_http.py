"""The whole of headway over real HTTP, judged by the fake API's own statistics."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import Iterator

import anyio
import httpx2
import pytest
from blockbuster import BlockBuster
from http_house import BOUND, MODEL, Open, Quick, client_of, until

from headway import (
    AuthenticationError,
    BillingError,
    ErrorKind,
    Flow,
    JobCancelledError,
    JobState,
    RequestRejectedError,
    RetriesExhaustedError,
    Scheduler,
)
from headway.adapters.anthropic.transport import STREAM_FROM
from headway.testing.fake_api import INSTANT, FakeAPI, FakeConfig, FaultKind, FaultRule, Latency

pytestmark = pytest.mark.anyio
F = FaultKind
SLOW = Latency(ttft=60.0)
"""Longer than any test."""


def status(code: int, **fields: object) -> FaultRule:
    return FaultRule(F.STATUS, status=code, **fields)  # type: ignore[arg-type]


def requests(count: int) -> Iterator[dict[str, object]]:
    """Every fifth is long enough to be streamed inside."""
    for number in range(count):
        key = f"job-{number}"
        yield {
            "custom_id": key,
            "params": {
                "messages": [{"role": "user", "content": f"question {number}"}],
                "max_tokens": STREAM_FROM if number % 5 == 0 else 64,
                "metadata": {"user_id": key},
            },
        }


MIXED = (
    *(status(code, probability=0.04, attempts="first") for code in (500, 502, 503, 504, 408, 409)),
    status(500, probability=0.04, attempts="first", after_work=True),
    *(
        FaultRule(kind, probability=0.04, attempts="first", how=how, after_work=late)  # type: ignore[arg-type]
        for kind in (F.RESET, F.BODY_CUT)
        for how in ("fin", "rst")
        for late in (False, True)
    ),
    *(
        FaultRule(kind, probability=0.04, attempts="first")
        for kind in (F.BODY_TRUNCATED, F.BODY_MALFORMED, F.BODY_HTML, F.BODY_SHAPE)
    ),
    *(
        FaultRule(kind, probability=0.1, attempts="first", error_type="api_error")
        for kind in (F.STREAM_CUT, F.STREAM_EOF, F.STREAM_ERROR, F.STREAM_BAD_JSON, F.STREAM_EMPTY)
    ),
)


@pytest.mark.heavy
async def test_three_hundred_jobs_and_none_is_lost(house: Open) -> None:
    h = await house(*MIXED)
    async with h.scheduler(flow=Flow(max_in_flight=30)) as scheduler:
        outcomes = [outcome async for outcome in scheduler.map(requests(300))]
        tally = scheduler.status()
    stats = h.api.stats
    assert sum(stats.faults.values()) > 50, "there were faults"
    assert sorted(o.key for o in outcomes) == sorted(f"job-{number}" for number in range(300))
    assert {o.state for o in outcomes} == {JobState.SUCCEEDED}
    assert stats.successes == {o.key: 1 for o in outcomes}, "each was answered exactly once"
    assert stats.attempts == {o.key: o.sends for o in outcomes}, "one layer retries, and counts what it sends"
    assert stats.arrivals == tally.sends == 300 + tally.retries
    unanswered = sum(stats.billed.values()) - 300
    assert unanswered <= tally.maybe_billed == sum(o.maybe_billed for o in outcomes)
    assert tally.usage.output == stats.output_tokens


@pytest.mark.parametrize("code", [400, 403, 404, 413, 422])
async def test_what_the_api_refuses_is_sent_once(house: Open, code: int) -> None:
    h = await house(status(code))
    async with h.scheduler() as scheduler:
        with pytest.raises(RequestRejectedError) as caught:
            await scheduler.submit("x")
        assert caught.value.failure.status == code
        assert scheduler.status().halted is None, "the others go on"
    assert h.api.stats.arrivals == 1


HALTS = [
    (status(401), ErrorKind.AUTHENTICATION, AuthenticationError),
    (status(402), ErrorKind.BILLING, BillingError),
    (status(400, message="Your credit balance is too low to access the Anthropic API."), ErrorKind.BILLING,
     BillingError),
    (status(400, message="You have reached your specified workspace API usage limits."), ErrorKind.BILLING,
     BillingError),
    (status(429, error_code="enforced_spend_limit_reached"), ErrorKind.BILLING, BillingError),
    (status(429, error_code="contract_spend_limit_reached"), ErrorKind.BILLING, BillingError),
    (status(400, error_code="organization_on_hold"), ErrorKind.ACCOUNT_HOLD, BillingError),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "kind", "error"), HALTS, ids=[f"{r.status}-{r.error_code}-{k}" for r, k, _ in HALTS]
)
async def test_what_concerns_the_account_halts_everything(
    house: Open, rule: FaultRule, kind: ErrorKind, error: type, caplog: pytest.LogCaptureFixture
) -> None:
    h = await house(rule)
    with caplog.at_level(logging.WARNING, logger="headway"):
        async with h.scheduler(flow=Flow(max_in_flight=2)) as scheduler:
            jobs = [scheduler.submit(f"x{number}") for number in range(20)]
            outcomes = [await job.outcome() for job in jobs]
            assert {(o.state, o.resumable, o.failure and o.failure.kind) for o in outcomes} == {
                (JobState.FAILED, True, kind)
            }
            assert sum(o.sends for o in outcomes) == h.api.stats.arrivals <= 2
            halted = scheduler.status().halted
            assert halted is not None and halted.kind is kind
            with pytest.raises(error) as caught:
                await scheduler.submit("while halted")
            assert caught.value.resumable
            before = h.api.stats.arrivals
            assert before <= 2, "nothing more was sent"

            h.api.set_faults(())
            scheduler.resume()
            assert scheduler.status().halted is None
            again = [scheduler.submit(outcome.request) for outcome in outcomes]
            assert {(await job.outcome()).state for job in again} == {JobState.SUCCEEDED}
            assert h.api.stats.arrivals == before + 20
    stopped = [record.getMessage() for record in caplog.records if "stopped sending" in record.getMessage()]
    assert len(stopped) == 1, "one message, not one per job"
    assert len(caplog.records) == 1


async def test_the_clients_own_retries_are_off(house: Open) -> None:
    h = await house(status(500))
    async with h.scheduler() as scheduler:
        with pytest.raises(RetriesExhaustedError) as caught:
            await scheduler.submit("x")
    assert h.client.max_retries == 5, "the user's client is as it was"
    assert h.api.stats.arrivals == len(caught.value.attempts) == 3


async def test_a_custom_httpx2_client_and_its_pool() -> None:
    async with FakeAPI(FakeConfig(latency=Latency(ttft=0.01))) as api:
        http_client = httpx2.AsyncClient(limits=httpx2.Limits(max_connections=4), verify=False)
        async with client_of("httpx2", api.base_url, http_client=http_client) as client:
            async with Scheduler(client, model=MODEL, max_tokens=64) as scheduler:
                assert scheduler.status().max_in_flight == 4, "it follows from the pool"
                await asyncio.gather(*(scheduler.submit(str(number)) for number in range(30)))  # type: ignore[arg-type]
        assert 1 <= api.stats.in_flight_max <= 4
        assert api.stats.served == 30


async def test_a_client_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeAPI(FakeConfig(latency=INSTANT, accepted_keys=frozenset({"sk-right"}))) as api:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", api.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", " sk-right\n")
        async with Scheduler(model=MODEL, max_tokens=64) as scheduler:
            await asyncio.gather(*(scheduler.submit(str(number)) for number in range(10)))  # type: ignore[arg-type]
        assert api.stats.served == 10


# Cancellation, leaks


@pytest.mark.parametrize("max_tokens", [64, STREAM_FROM], ids=["plain", "streamed"])
async def test_cancelling_closes_the_connection(house: Open, max_tokens: int) -> None:
    h = await house(latency=SLOW)
    async with h.scheduler(max_tokens=max_tokens) as scheduler:
        for way in range(3):
            job = scheduler.submit("x")
            await until(lambda way=way: h.api.stats.arrivals == way + 1)  # type: ignore[misc]
            if way == 0:
                job.cancel()
            elif way == 1:
                with anyio.move_on_after(0):
                    await job
            else:
                waiter = asyncio.ensure_future(job)
                await asyncio.sleep(0)
                waiter.cancel()
            outcome = await asyncio.wait_for(job.outcome(), BOUND)
            assert (outcome.state, outcome.maybe_billed) == (JobState.CANCELLED, 1)
            with pytest.raises(JobCancelledError):
                await job
            await until(lambda way=way: h.api.stats.client_disconnects == way + 1)  # type: ignore[misc]
        assert scheduler.status().in_flight == 0


async def test_a_deadline_closes_the_connection(house: Open) -> None:
    h = await house(latency=SLOW)
    async with h.scheduler() as scheduler:
        outcome = await scheduler.submit("x", deadline=0.05).outcome()
        assert outcome.state is JobState.EXPIRED
        await until(lambda: h.api.stats.client_disconnects == 1)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files by /proc")  # noqa: PTH112
async def test_nothing_is_left_behind(backend: str) -> None:
    rules = (
        FaultRule(F.RESET, how="rst", probability=0.1, attempts="first"),
        FaultRule(F.HANG, job="job-*5"),
    )
    async with FakeAPI(FakeConfig(latency=INSTANT, faults=rules)) as api:
        await asyncio.sleep(0)
        tasks, files = asyncio.all_tasks(), open_files()
        for ending in ("drain", "abort", "error"):
            try:
                async with client_of(backend, api.base_url) as client:
                    options = {"model": MODEL, "max_tokens": 64, "retry": Quick()}
                    async with Scheduler(client, **options) as scheduler:  # type: ignore[arg-type]
                        jobs = [scheduler.submit(request) for request in requests(60)]
                        hanging = [job for job in jobs if job.key.endswith("5")]
                        await asyncio.gather(*(job.outcome() for job in jobs if job not in hanging))
                        if ending == "drain":
                            for job in hanging:
                                job.cancel()
                        elif ending == "abort":
                            scheduler.abort()
                        else:
                            _ = 1 / 0
            except ZeroDivisionError:
                pass
            await until(lambda: asyncio.all_tasks() == tasks)
            await until(lambda: open_files() <= files)
        assert api.stats.client_disconnects == 18
        for job in jobs:
            assert job.done()


async def test_the_loop_is_never_blocked(house: Open) -> None:
    h = await house(FaultRule(F.RESET, how="rst", probability=0.2, attempts="first"))
    async with h.scheduler() as scheduler:
        await scheduler.submit("warm up: imports, the SDK's platform headers")
        guard = BlockBuster()
        guard.activate()
        try:
            outcomes = [outcome async for outcome in scheduler.map(requests(40))]
        finally:
            guard.deactivate()
    assert {o.state for o in outcomes} == {JobState.SUCCEEDED}


# Event loops


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_one_client_in_several_event_loops(backend: str) -> None:
    """(The warnings are about connections that only the first loop could have closed.)"""
    with FakeAPI.in_thread(FakeConfig(latency=INSTANT)) as api:
        _in_several_loops(api.base_url, backend)
        stats = api.stats()
        assert (stats.arrivals, stats.served, stats.billed_twice) == (28, 28, 0)
    gc.collect()


def _in_several_loops(base_url: str, backend: str) -> None:
    client = client_of(backend, base_url)

    async def run(first: int, count: int, *, last: bool = False) -> None:
        async with Scheduler(client, model=MODEL, max_tokens=64) as scheduler:
            jobs = [scheduler.submit(f"x{first + number}") for number in range(count)]
            assert {(await job.outcome()).state for job in jobs} == {JobState.SUCCEEDED}
        if last:
            await client.close()

    asyncio.run(run(0, 20))
    asyncio.run(run(20, 3))
    asyncio.run(run(23, 5, last=True))
