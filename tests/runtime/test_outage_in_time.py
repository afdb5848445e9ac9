"""The API cannot be reached for a while: nothing fails because of it, and afterwards all goes on at once."""

from __future__ import annotations

from collections import Counter

import anyio
import pytest

from headway import ErrorKind, Flow, Limits, Priority, RetryPolicy, Scheduler
from headway.core.failure import failure_of
from headway.ports import Rejection, Reply
from headway.testing.transport import ScriptedTransport, Sent, refusal, reply

pytestmark = pytest.mark.anyio
JOBS = 1500


class Unreachable(ScriptedTransport):
    """No connection from ``down`` to ``up``."""

    def __init__(self, down: float, up: float) -> None:
        super().__init__(self._answer, latency=0.2)
        self.down, self.up = down, up
        self.refused: Counter[str] = Counter()
        self.began = anyio.current_time()

    def _answer(self, sent: Sent) -> Reply | Rejection:
        if not self.down <= anyio.current_time() - self.began < self.up:
            return reply()
        self.refused[sent.text] += 1
        return Rejection(failure_of(ErrorKind.CONNECTION, "connection refused"))


def scheduler(transport: ScriptedTransport, **options: object) -> Scheduler:
    limits = Limits(requests=6000)
    flow = Flow(max_in_flight=50)
    return Scheduler(
        model="claude-sonnet-5-5", max_tokens=64, transport=transport, limits=limits, flow=flow, **options
    )  # type: ignore[arg-type]


async def test_a_minute_without_network_loses_nothing_and_costs_a_minute() -> None:
    transport = Unreachable(5.0, 65.0)
    async with scheduler(transport) as s:
        outcomes = [await job.outcome() for job in [s.submit(str(n)) for n in range(JOBS)]]
        took = anyio.current_time() - transport.began
        assert s.status().unreachable is None
    assert all(outcome.state == "succeeded" for outcome in outcomes)
    assert sum(transport.refused.values()) < 50 + 32 + 100, "the ones in flight, and then probes"
    assert max(transport.refused.values()) > 5, "a probe uses up no attempt of its job"
    assert took < 65 + 25, "1,500 jobs need 15 to 20 seconds of these limits"


async def test_a_failure_of_everything_costs_few_jobs_their_attempts() -> None:
    """500: each may have been billed, so it counts, but only probes are sent."""
    began = anyio.current_time()
    transport = ScriptedTransport(
        lambda sent: refusal(500, "api_error") if 5 < anyio.current_time() - began < 35 else reply(),
        latency=0.2,
    )
    async with scheduler(transport) as s:
        outcomes = [await job.outcome() for job in [s.submit(str(n)) for n in range(JOBS)]]
        took = anyio.current_time() - began
    assert sum(outcome.state != "succeeded" for outcome in outcomes) < 30
    assert took < 60


async def test_an_outage_is_waited_for_as_long_as_the_policy_says_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    transport = Unreachable(5.0, 1e9)
    async with scheduler(transport, retry=RetryPolicy(max_throttle_wait=600)) as s:
        jobs = [s.submit(str(n)) for n in range(600)]
        await anyio.sleep(30)
        person = s.submit("at once", priority=Priority.INTERACTIVE)
        failure = (await person.outcome()).failure
        assert failure is not None and failure.kind is ErrorKind.CONNECTION
        assert len(person.attempts) == 5 and anyio.current_time() - transport.began < 60
        unreachable = s.status().unreachable
        assert unreachable is not None and unreachable.kind is ErrorKind.CONNECTION
        brief = s.submit("brief", deadline=20)
        assert (await brief.outcome()).state == "expired"
        first = next(job for job in jobs if not job.done())
        assert (await first.outcome()).failure == failure
        assert 600 <= anyio.current_time() - transport.began < 700
        s.abort()
    assert sum("attempts have failed in a row" in line for line in caplog.messages) == 1


async def test_a_wrong_address_fails_its_jobs_as_ever() -> None:
    transport = Unreachable(0.0, 1e9)
    async with scheduler(transport) as s:
        outcomes = [await job.outcome() for job in [s.submit(str(n)) for n in range(10)]]
    assert {(o.state.value, len(o.attempts)) for o in outcomes} == {("failed", 5)}


async def test_half_of_all_failing_is_no_outage_and_retries_keep_up() -> None:
    """The brake on retries is released by answers, so no job waits for it long after the trouble."""
    transport = ScriptedTransport(
        lambda sent: refusal(503, "api_error") if sent.attempt == 1 and int(sent.text) % 2 else reply(),
        latency=0.2,
    )
    began = anyio.current_time()
    async with scheduler(transport) as s:
        outcomes = [await job.outcome() for job in [s.submit(str(n)) for n in range(JOBS)]]
    assert all(outcome.state == "succeeded" for outcome in outcomes)
    assert anyio.current_time() - began < 60
