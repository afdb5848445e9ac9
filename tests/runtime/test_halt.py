"""Stopping early: authentication, billing, stop, abort, resume. Nothing hangs, nothing is lost."""

from __future__ import annotations

import anyio
import pytest

from headway import (
    AuthenticationError,
    BillingError,
    ErrorKind,
    Flow,
    JobState,
    Limits,
    Scheduler,
    StoppedError,
)
from headway.testing.transport import ScriptedTransport, Sent, refusal, reply

pytestmark = pytest.mark.anyio


def scheduler(transport: ScriptedTransport, **options: object) -> Scheduler:
    limits = Limits(requests=60_000)  # told, so that nothing is learned and nothing paces what is tested here
    return Scheduler(model="claude-sonnet-5-5", max_tokens=64, transport=transport, limits=limits, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rejection", "error", "kind"),
    [
        (refusal(401, "authentication_error"), AuthenticationError, ErrorKind.AUTHENTICATION),
        (refusal(402, "billing_error"), BillingError, ErrorKind.BILLING),
        (
            refusal(429, "rate_limit_error", error_code="enforced_spend_limit_reached"),
            BillingError,
            ErrorKind.BILLING,
        ),
        (
            refusal(400, "invalid_request_error", message="Your credit balance is too low to access the API"),
            BillingError,
            ErrorKind.BILLING,
        ),
    ],
)
async def test_a_dead_account_is_not_asked_again(
    rejection: object, error: type[Exception], kind: ErrorKind
) -> None:
    transport = ScriptedTransport(lambda sent: rejection)  # type: ignore[arg-type,return-value]
    async with scheduler(transport, flow=Flow(max_in_flight=1)) as s:
        jobs = [s.submit(str(i)) for i in range(100)]
        outcomes = [await job.outcome() for job in jobs]
        assert len(transport.sent) == 1
        assert all(o.resumable and o.failure and o.failure.kind is kind for o in outcomes)
        assert s.status().halted is not None
        with pytest.raises(error):
            await s.submit("later")
        assert len(transport.sent) == 1


async def test_resume_after_the_cause_is_mended() -> None:
    broken = True
    transport = ScriptedTransport(lambda sent: refusal(401, "authentication_error") if broken else reply())
    async with scheduler(transport) as s:
        assert (await s.submit("x").outcome()).resumable
        broken = False
        s.resume()
        await s.submit("x")
        assert s.status().halted is None


async def test_stop_lets_flights_land_and_parks_the_rest() -> None:
    transport = ScriptedTransport(latency=10)
    async with scheduler(transport, flow=Flow(max_in_flight=3)) as s:
        jobs = [s.submit(str(i)) for i in range(10)]
        await anyio.sleep(1)
        await s.stop()
        assert anyio.current_time() == pytest.approx(10)
        outcomes = [await job.outcome() for job in jobs]
    assert [o.state for o in outcomes].count(JobState.SUCCEEDED) == 3
    parked = [o for o in outcomes if o.state is not JobState.SUCCEEDED]
    assert all(o.resumable and o.sends == 0 for o in parked)
    with pytest.raises(StoppedError):
        parked[0].result()


async def test_stop_cuts_off_after_the_grace_time() -> None:
    transport = ScriptedTransport(latency=1000)
    async with scheduler(transport) as s:
        job = s.submit("x")
        await anyio.sleep(1)
        await s.stop(grace=5)
        assert anyio.current_time() == pytest.approx(6)
        outcome = await job.outcome()
        assert outcome.resumable
        assert outcome.maybe_billed == 1
        assert transport.in_flight == 0


async def test_a_retry_that_falls_into_a_stop_is_parked() -> None:
    transport = ScriptedTransport(lambda sent: refusal(500, "api_error"), latency=5)
    async with scheduler(transport) as s:
        job = s.submit("x")
        await anyio.sleep(1)
        await s.stop()
        outcome = await job.outcome()
        assert outcome.resumable
        assert outcome.sends == 1


async def test_drain_with_a_timeout() -> None:
    transport = ScriptedTransport(latency=lambda sent: 1.0 if sent.text == "quick" else 1000.0)
    async with scheduler(transport) as s:
        quick, slow = s.submit("quick"), s.submit("slow")
        assert not await s.drain(timeout=30)
        assert anyio.current_time() == pytest.approx(30)
        assert quick.state is JobState.SUCCEEDED
        assert (await slow.outcome()).resumable


async def test_abort_ends_everything_at_once() -> None:
    transport = ScriptedTransport(latency=1000)
    async with scheduler(transport, flow=Flow(max_in_flight=2)) as s:
        jobs = [s.submit(str(i)) for i in range(5)]
        await anyio.sleep(1)
        s.abort()
        outcomes = [await job.outcome() for job in jobs]
        assert anyio.current_time() == pytest.approx(1)
    assert all(o.resumable for o in outcomes)
    assert [o.maybe_billed for o in outcomes] == [1, 1, 0, 0, 0]


async def test_map_ends_when_the_account_is_dead() -> None:
    def script(sent: Sent) -> object:
        return refusal(402, "billing_error") if int(sent.text) == 50 else reply()

    transport = ScriptedTransport(script, connections=10)  # type: ignore[arg-type]
    async with scheduler(transport) as s:
        outcomes = [o async for o in s.map(map(str, range(1000)))]
    assert len(outcomes) == 1000
    assert sum(o.state is JobState.SUCCEEDED for o in outcomes) < 100
    assert all(o.resumable for o in outcomes if o.state is not JobState.SUCCEEDED)
    assert len(transport.sent) < 100
