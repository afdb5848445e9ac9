"""Dead scopes: a model, profile or workspace that cannot be used stops its own jobs, once, and no others."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from headway import (
    Alert,
    DeadScope,
    ErrorKind,
    Flow,
    JobState,
    Limits,
    RequestRejectedError,
    Scheduler,
    Scope,
)
from headway.core.error_kind import ROW
from headway.core.failure import Failure
from headway.core.job import Priority
from headway.core.request import Request
from headway.runtime.job_factory import Terms
from headway.testing.transport import ScriptedTransport, Sent, lost, refusal, reply

pytestmark = pytest.mark.anyio
DEAD, GOOD = "claude-sonet-5-5", "claude-sonnet-5-5"
FLIGHT = 20


class Heard:
    """A sink for alerts only."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def alert(self, alert: Alert) -> None:
        self.alerts.append(alert)


def scheduler(transport: ScriptedTransport, **options: object) -> Scheduler:
    settings: dict[str, object] = {"max_tokens": 64, "limits": Limits(requests=600_000), "model": GOOD}
    return Scheduler(transport=transport, **(settings | options))  # type: ignore[arg-type]


def no_such_model(sent: Sent) -> object:
    model = sent.request.model
    return refusal(404, "not_found_error", message=f"model: {model}") if model == DEAD else reply()


def count(transport: ScriptedTransport) -> Counter[str]:
    return Counter(sent.request.model for sent in transport.sent)


async def test_a_thousand_jobs_of_a_dead_model_cost_one_flight(caplog: pytest.LogCaptureFixture) -> None:
    transport, heard = ScriptedTransport(no_such_model), Heard()  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING, logger="headway"):
        async with scheduler(transport, flow=Flow(max_in_flight=FLIGHT), sinks=[heard]) as s:
            dead = [s.submit(str(number), model=DEAD) for number in range(1000)]
            good = [s.submit(f"g{number}") for number in range(100)]
            outcomes = [await job.outcome() for job in dead]
            assert [(await job.outcome()).state for job in good] == [JobState.SUCCEEDED] * 100
            assert {(o.state, o.resumable, o.failure and o.failure.kind) for o in outcomes} == {
                (JobState.FAILED, True, ErrorKind.NOT_FOUND)
            }
            assert all("Did you mean claude-sonnet-5-5?" in o.failure.message for o in outcomes if o.failure)
            assert count(transport)[DEAD] <= FLIGHT
            status = s.status()
            assert status.halted is None
            assert list(status.dead) == [DeadScope(Scope.MODEL, DEAD)]
            assert "Did you mean" in status.dead[DeadScope(Scope.MODEL, DEAD)].message
            before = count(transport)[DEAD]
            with pytest.raises(RequestRejectedError, match="Did you mean claude-sonnet-5-5") as caught:
                await s.submit("later", model=DEAD)
            assert caught.value.resumable
            assert count(transport)[DEAD] == before, "not sent to again"
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1, "one message, not one per job"
    [alert] = heard.alerts
    assert alert.dead == DeadScope(Scope.MODEL, DEAD)
    assert alert.jobs == 1000 - before
    assert errors[0].getMessage() == alert.text


async def test_while_advice_is_fetched_nothing_is_sent_to_the_model() -> None:
    """The list of models may take seconds; the others do not wait for it, and a job may be cancelled."""

    class Slow(ScriptedTransport):
        asked = 0

        async def advise(self, failure: Failure, request: Request) -> Failure:
            self.asked += 1
            await anyio.sleep(4)
            return await super().advise(failure, request)

    transport = Slow(no_such_model)  # type: ignore[arg-type]
    async with scheduler(transport, flow=Flow(max_in_flight=2)) as s:
        first = s.submit("0", model=DEAD)
        await anyio.sleep(0.5)
        dead = [s.submit(str(number), model=DEAD) for number in range(1, 10)]
        good = s.submit("good")
        await anyio.sleep(1.5)
        sent = count(transport)[DEAD]
        assert sent <= 2
        late = s.submit("late", model=DEAD)
        assert (await late.outcome()).resumable
        assert dead[-1].cancel()
        await good
        assert anyio.current_time() < 4, "before the advice"
        outcomes = [await job.outcome() for job in (first, *dead)]
        assert count(transport)[DEAD] == sent
        assert [o.state for o in outcomes] == [JobState.FAILED] * 9 + [JobState.CANCELLED]
        assert transport.asked == sent, "only those that were sent ask"


async def test_advice_that_fails_keeps_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(ScriptedTransport):
        async def advise(self, failure: Failure, request: Request) -> Failure:
            raise RuntimeError("no advice")

    with caplog.at_level(logging.CRITICAL, logger="headway"):
        async with scheduler(Broken(no_such_model), flow=Flow(max_in_flight=1)) as s:  # type: ignore[arg-type]
            outcomes = [await job.outcome() for job in [s.submit(str(n), model=DEAD) for n in range(5)]]
    assert {o.failure and o.failure.message for o in outcomes} == {f"model: {DEAD}"}


async def test_retries_of_a_dead_model_end_too() -> None:
    def script(sent: Sent) -> object:
        return lost() if sent.text == "again" and sent.attempt == 1 else no_such_model(sent)

    transport = ScriptedTransport(script)  # type: ignore[arg-type]
    async with scheduler(transport, flow=Flow(max_in_flight=1)) as s:
        again, other = s.submit("again", model=DEAD), s.submit("x", model=DEAD)
        outcome = await again.outcome()
        await other.outcome()
        assert outcome.resumable
        assert outcome.failure is not None and outcome.failure.kind is ErrorKind.NOT_FOUND


@pytest.mark.parametrize(
    ("params", "others", "rejection"),
    [
        (
            {"user_profile_id": "up_1"},
            {"user_profile_id": "up_2"},
            refusal(403, "permission_error", error_code="user_profile_not_billable"),
        ),
        (
            {"workspace_id": "ws_1"},
            {"workspace_id": "ws_2"},
            refusal(
                400,
                "invalid_request_error",
                message="You have reached your specified workspace API usage limits.",
            ),
        ),
    ],
)
async def test_a_dead_profile_or_workspace(
    params: dict[str, str], others: dict[str, str], rejection: object
) -> None:
    def script(sent: Sent) -> object:
        return rejection if params.items() <= sent.request.params.items() else reply()

    transport = ScriptedTransport(script)  # type: ignore[arg-type]
    async with scheduler(transport, flow=Flow(max_in_flight=2)) as s:
        dead = [s.submit(str(n), **params) for n in range(50)]  # type: ignore[arg-type]
        alive = [s.submit(f"o{n}", **others) for n in range(10)]  # type: ignore[arg-type]
        bare = [s.submit(f"b{n}") for n in range(10)]
        assert all([(await job.outcome()).resumable for job in dead])
        assert {(await job.outcome()).state for job in (*alive, *bare)} == {JobState.SUCCEEDED}
        [(scope, name)] = [(d.scope.value, d.name) for d in s.status().dead]
        assert [(f"{scope}_id" if scope == "workspace" else "user_profile_id", name)] == list(params.items())
        assert s.status().halted is None
    assert sum(params.items() <= sent.request.params.items() for sent in transport.sent) <= 2


async def test_what_concerns_one_job_stops_no_other() -> None:
    rejection = refusal(403, "permission_error", error_code="sandbox_egress_restricted")
    no_profile = refusal(403, "permission_error", error_code="user_profile_not_billable")
    thread = refusal(404, "not_found_error", error_code="thread_not_found", message="thread of model: x")
    answers = {"a": rejection, "b": no_profile, "c": thread}
    transport = ScriptedTransport(lambda sent: answers.get(sent.text) or reply())
    async with scheduler(transport) as s:
        outcomes = [await s.submit(text).outcome() for text in "abcd"]
        assert [o.state for o in outcomes] == [JobState.FAILED] * 3 + [JobState.SUCCEEDED]
        assert not any(o.resumable for o in outcomes)
        assert (s.status().halted, dict(s.status().dead)) == (None, {})


async def test_resume_one_scope_and_all() -> None:
    alive: set[str] = {GOOD}

    def script(sent: Sent) -> object:
        model = sent.request.model
        return reply() if model in alive else refusal(404, "not_found_error", message=f"model: {model}")

    async with scheduler(ScriptedTransport(script)) as s:  # type: ignore[arg-type]
        for model in ("a-model", "b-model"):
            assert (await s.submit("x", model=model).outcome()).resumable
        assert len(s.status().dead) == 2
        alive |= {"a-model", "b-model"}
        s.resume(DeadScope(Scope.MODEL, "a-model"))
        await s.submit("x", model="a-model")
        assert (await s.submit("x", model="b-model").outcome()).resumable
        s.resume()
        await s.submit("x", model="b-model")
        assert not s.status().dead


async def test_an_account_that_dies_after_a_model_speaks_for_it() -> None:
    def script(sent: Sent) -> object:
        return refusal(402, "billing_error") if sent.text == "last" else no_such_model(sent)

    async with scheduler(ScriptedTransport(script)) as s:  # type: ignore[arg-type]
        await s.submit("x", model=DEAD).outcome()
        await s.submit("last").outcome()
        outcome = await s.submit("y", model=DEAD).outcome()
        assert outcome.failure is not None and outcome.failure.kind is ErrorKind.BILLING
        status = s.status()
        assert status.halted is not None
        assert list(status.dead) == [DeadScope(Scope.MODEL, DEAD)]


async def test_map_goes_on_with_the_other_models() -> None:
    transport = ScriptedTransport(no_such_model, connections=10)  # type: ignore[arg-type]
    async with scheduler(transport) as s:
        requests = (
            {"messages": [{"role": "user", "content": str(n)}], "model": DEAD if n % 2 else GOOD}
            for n in range(2000)
        )
        outcomes = [outcome async for outcome in s.map(requests)]
    states = Counter((o.state, o.resumable) for o in outcomes)
    assert states == {(JobState.SUCCEEDED, False): 1000, (JobState.FAILED, True): 1000}
    assert count(transport)[DEAD] <= 10


# The pool


async def test_a_pool_timeout_lowers_the_number_in_flight_and_it_recovers() -> None:
    carries = 8

    class Pool(ScriptedTransport):
        async def send(self, request: Request, **options):  # type: ignore[no-untyped-def, override]
            if self.in_flight >= carries:
                await anyio.sleep(0.5)
                return lost(ErrorKind.POOL_TIMEOUT, "no connection was free")
            return await super().send(request, **options)

    transport = Pool(connections=32)
    async with scheduler(transport) as s:
        jobs = [s.submit(str(n)) for n in range(400)]
        await anyio.sleep(10)
        assert 1 <= s.status().max_in_flight < 32
        outcomes = [await job.outcome() for job in jobs]
        assert {o.state for o in outcomes} == {JobState.SUCCEEDED}
        late = outcomes[-100:]
        assert sum(len(o.attempts) > 1 for o in late) < 30, "it has learned what the pool carries"
        low = s.status().max_in_flight
        carries = 1000
        await anyio.sleep(60)
        for job in [s.submit(f"r{n}") for n in range(2000)]:
            await job
        assert s.status().max_in_flight > low + 5


async def test_a_504_is_tried_again_as_a_stream() -> None:
    def script(sent: Sent) -> object:
        return (
            refusal(504, "timeout_error") if sent.attempt == 1 else lost() if sent.attempt == 2 else reply()
        )

    transport = ScriptedTransport(script)  # type: ignore[arg-type]
    async with scheduler(transport) as s:
        await s.submit("x")
    assert [sent.streamed for sent in transport.sent] == [False, True, True]


def test_every_refusal_reaches_the_budget() -> None:
    from headway.runtime.grants import _REFUSALS

    assert {row.kind for row in ROW.values() if row.throttle} == set(_REFUSALS)


async def test_an_alert_sink_that_fails_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Heard):
        def alert(self, alert: Alert) -> None:
            raise RuntimeError("broken sink")

    heard = Heard()
    with caplog.at_level(logging.CRITICAL, logger="headway"):
        async with scheduler(
            ScriptedTransport(lambda _: refusal(402, "billing_error")), sinks=[Broken(), heard]
        ) as s:
            assert (await s.submit("x").outcome()).resumable
    assert len(heard.alerts) == 1


class TestWithAJournal:
    """Real time: a journal has a thread."""

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    async def test_jobs_of_a_dead_model_stay_queued_and_finished_ones_come_back(self, tmp_path: Path) -> None:
        path, alive = tmp_path / "j", True

        def script(sent: Sent) -> object:
            return reply() if alive else no_such_model(sent)

        async with scheduler(ScriptedTransport(script, latency=0.0), journal=path) as s:  # type: ignore[arg-type]
            await s.submit("done", model=DEAD, key="done")
            alive = False
            outcomes = [await s.submit(str(n), model=DEAD, key=str(n)).outcome() for n in range(5)]
            assert all(o.resumable for o in outcomes)
            again = await s.submit("done", model=DEAD, key="done").outcome()
            assert (again.restored, again.state) == (True, JobState.SUCCEEDED), "nothing is sent for it"
        alive = True
        async with scheduler(ScriptedTransport(script, latency=0.0), journal=path) as s:  # type: ignore[arg-type]
            jobs = await s.recover()
            assert sorted(job.key for job in jobs) == [str(n) for n in range(5)]
            assert {(await job.outcome()).state for job in jobs} == {JobState.SUCCEEDED}


def test_a_failure_is_resumable_by_its_scope() -> None:
    failure = Failure(ErrorKind.NOT_FOUND, "gone", 404)
    assert not failure.resumable
    assert replace(failure, scope=Scope.MODEL).resumable


async def test_a_guest_of_a_dead_model_gets_the_same_error() -> None:
    """A stream, or a call through a client of the user's, stands in the same queue."""
    async with scheduler(ScriptedTransport(), model=DEAD) as s:
        terms = Terms(Priority.NORMAL, "", None)
        first, waiting = s._guest("x", {}, terms), s._guest("y", {}, terms)
        await first.turn()
        await first.finish(refusal(404, "not_found_error", message=f"model: {DEAD}"))
        for guest in (first, waiting):
            with pytest.raises(RequestRejectedError, match="Did you mean claude-sonnet-5-5"):
                await guest.turn()
        assert s.status().in_flight == 0
