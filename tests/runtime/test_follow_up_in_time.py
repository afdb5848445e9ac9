"""Follow-ups in virtual time: paused turns, raised caps, other models; what was paid for is never lost."""

from __future__ import annotations

import anyio
import pytest

from amend_rig import MODEL, OTHER, THIRD, USAGE, Watch, answer, text
from headway import Alert, Alerts, ErrorKind, Flow, FollowUp, Job, JobState, Limits, Scheduler, Usage
from headway.core.catalog import cost_of
from headway.core.events import Continued, Rerouted
from headway.testing.transport import ScriptedTransport, Sent, refusal, reply

pytestmark = pytest.mark.anyio
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "save", "input": {}}
GONE = refusal(404, "not_found_error", message=f"model: {MODEL}")
BUSY = refusal(529, "overloaded_error")


def scheduler(transport: ScriptedTransport, **options: object) -> Scheduler:
    settings: dict[str, object] = {"model": MODEL, "max_tokens": 64, "limits": Limits(requests=60_000)}
    return Scheduler(transport=transport, **(settings | options))  # type: ignore[arg-type]


def scripted(*answers: object) -> ScriptedTransport:
    left = list(answers)
    return ScriptedTransport(lambda sent: left.pop(0))  # type: ignore[arg-type,return-value]


async def test_without_a_policy_every_answer_is_the_end() -> None:
    for stop_reason in ("pause_turn", "max_tokens", "refusal", "model_context_window_exceeded"):
        transport = scripted(answer(stop_reason, CALL))
        async with scheduler(transport) as s:
            outcome = await s.submit("x").outcome()
        assert (outcome.state, outcome.stop_reason, outcome.sends) == (JobState.SUCCEEDED, stop_reason, 1)
        assert outcome.message is not None and outcome.message.stop_reason == stop_reason


async def test_a_paused_turn_is_continued_to_its_end() -> None:
    transport = scripted(
        answer("pause_turn", text("a"), SEARCH),
        answer("pause_turn", text("b")),
        answer("end_turn", text("c")),
    )
    watch = Watch()
    async with scheduler(transport, follow_up=FollowUp(), sinks=[watch]) as s:
        outcome = await s.submit("x").outcome()
        status = s.status()
    message = outcome.result()
    assert [block.type for block in message.content] == ["text", "server_tool_use", "text", "text"]
    assert message.stop_reason == "end_turn"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (300, 150), (
        "the message tells all turns"
    )
    assert (outcome.usage, outcome.sends) == (Usage(300, 150), 3)
    assert outcome.cost == pytest.approx(cost_of(MODEL, Usage(300, 150)))
    assert (status.usage, status.cost, status.followed_up) == (outcome.usage, pytest.approx(outcome.cost), 2)
    turns = [sent.request.params["messages"] for sent in transport.sent]
    assert [len(turn) for turn in turns] == [1, 2, 2]  # type: ignore[arg-type]
    assert turns[2][1] == {"role": "assistant", "content": [text("a"), SEARCH, text("b")]}  # type: ignore[index]
    assert [change.rule for change in outcome.changes] == ["continue", "continue"]
    assert watch.names() == ["Queued", *["Started", "Continued"] * 2, "Started", "Succeeded"]
    assert [attempt.failure for attempt in outcome.attempts] == [None] * 3
    assert outcome.attempts[0].request_id == "req_test"


async def test_a_turn_that_pauses_for_ever_is_delivered_as_far_as_it_is() -> None:
    transport = ScriptedTransport(lambda sent: answer("pause_turn", text("more")))
    async with scheduler(transport) as s:
        outcome = await s.submit("x", follow_up=FollowUp(continue_paused=2)).outcome()
    assert (outcome.stop_reason, outcome.sends) == ("pause_turn", 3)
    assert len(outcome.result().content) == 3


async def test_a_cut_off_call_is_asked_for_again_with_a_larger_cap() -> None:
    transport = scripted(
        answer("max_tokens", text("I"), CALL), answer("tool_use", CALL, usage=Usage(100, 900))
    )
    async with scheduler(transport, follow_up=FollowUp()) as s:
        outcome = await s.submit("x").outcome()
    assert [sent.request.max_tokens for sent in transport.sent] == [64, 4096]
    assert [block.type for block in outcome.result().content] == ["tool_use"], (
        "the cut-off answer is discarded"
    )
    assert outcome.result().usage.output_tokens == 900
    assert outcome.usage == Usage(200, 950), "and paid for"


async def test_a_refusal_goes_to_the_next_model_and_its_budget() -> None:
    transport = ScriptedTransport(
        lambda sent: answer("refusal") if sent.request.model != THIRD else answer("end_turn", text("ok"))
    )
    policy = FollowUp(fallback_models=(OTHER, THIRD))
    async with scheduler(transport, follow_up=policy) as s:
        outcome = await s.submit("x").outcome()
        assert set(s.status().budgets) == {"opus-5-5", "sonnet-5", "haiku-5-5"}
        assert all(budget.in_flight == 0 for budget in s.status().budgets.values())
    assert [sent.request.model for sent in transport.sent] == [MODEL, OTHER, THIRD]
    assert outcome.stop_reason == "end_turn"
    expected = sum(cost_of(model, USAGE) or 0.0 for model in (MODEL, OTHER, THIRD))
    assert outcome.cost == pytest.approx(expected), "each at its own price"
    assert [(change.old, change.new) for change in outcome.changes] == [(MODEL, OTHER), (OTHER, THIRD)]


@pytest.mark.parametrize("failing", ["400", "deadline in the queue", "deadline in flight"])
async def test_an_answer_is_not_lost_when_its_follow_up_fails(failing: str) -> None:
    watch = Watch()
    second = refusal(400, "invalid_request_error") if failing == "400" else BUSY
    latency = 100.0 if failing == "deadline in flight" else 1.0
    transport = ScriptedTransport(
        lambda sent: second if sent.request.model == OTHER else answer("refusal", text("no")),
        latency=lambda sent: latency if sent.request.model == OTHER else 1.0,
    )
    async with scheduler(transport, follow_up=FollowUp(fallback_models=(OTHER,)), sinks=[watch]) as s:
        outcome = await s.submit("x", deadline=30).outcome()
        status = s.status()
    assert (outcome.state, outcome.stop_reason, outcome.failure) == (JobState.SUCCEEDED, "refusal", None)
    assert outcome.result().content[0].text == "no"  # type: ignore[union-attr]
    assert (outcome.usage, status.usage) == (USAGE, USAGE)
    assert watch.names()[-1] == "Kept"
    assert (status.succeeded, status.failed, status.expired) == (1, 0, 0)
    assert outcome.maybe_billed == status.maybe_billed
    if failing != "deadline in the queue":  # there the last probe may be in flight just then
        assert outcome.maybe_billed == (failing == "deadline in flight")


async def test_a_retired_model_takes_its_queue_along() -> None:
    transport = ScriptedTransport(lambda sent: GONE if sent.request.model == MODEL else reply())
    policy = FollowUp(fallback_models=(OTHER,))
    async with scheduler(transport, flow=Flow(max_in_flight=2)) as s:
        jobs = [s.submit(str(n), follow_up=policy) for n in range(20)]
        lonely = s.submit("no other model will do")
        outcomes = [await job.outcome() for job in jobs]
        refused = await lonely.outcome()
    assert {outcome.state for outcome in outcomes} == {JobState.SUCCEEDED}
    asked = [sent for sent in transport.sent if sent.request.model == MODEL]
    assert len(asked) <= 3, "those in flight, and the one that names no other model"
    assert refused.failure is not None and refused.failure.kind is ErrorKind.NOT_FOUND


async def test_into_a_model_that_is_dead_already_nothing_is_sent() -> None:
    """The first job had no other model, so the scope died; later ones that name others go on with those."""
    dead = {MODEL, OTHER}
    gone = {name: refusal(404, "not_found_error", message=f"model: {name}") for name in dead}
    transport = ScriptedTransport(lambda sent: gone.get(sent.request.model) or reply())
    watch = Watch()
    async with scheduler(transport, sinks=[watch]) as s:
        for model in (MODEL, OTHER):
            assert (await s.submit("lonely", model=model).outcome()).resumable
        policy = FollowUp(fallback_models=(OTHER, THIRD))
        outcomes = [await s.submit(str(n), follow_up=policy).outcome() for n in range(3)]
        lost = await s.submit("x", follow_up=FollowUp(fallback_models=(OTHER,))).outcome()
        assert len(s.status().dead) == 2
    assert {outcome.state for outcome in outcomes} == {JobState.SUCCEEDED}
    assert [(change.old, change.new) for change in outcomes[0].changes] == [(MODEL, OTHER), (OTHER, THIRD)]
    assert {outcome.request.model for outcome in outcomes} == {MODEL}, "identity is what the user gave"
    assert [sent.request.model for sent in transport.sent] == [MODEL, OTHER, THIRD, THIRD, THIRD]
    assert (lost.resumable, lost.sends) == (True, 0), "both of its models are gone"
    assert lost.failure is not None and lost.failure.kind is ErrorKind.NOT_FOUND


async def test_queued_for_a_model_that_dies_they_move_on_whoever_found_out() -> None:
    transport = ScriptedTransport(lambda sent: GONE if sent.request.model == MODEL else reply())
    policy = FollowUp(fallback_models=(OTHER,))
    async with scheduler(transport, flow=Flow(max_in_flight=1)) as s:
        lonely = s.submit("no other model will do")
        moving = [s.submit(str(n), follow_up=policy) for n in range(10)]
        assert {(await job.outcome()).state for job in moving} == {JobState.SUCCEEDED}
        assert (await lonely.outcome()).resumable
        late = [await s.submit(f"late {n}", follow_up=policy).outcome() for n in range(3)]
    assert {outcome.state for outcome in late} == {JobState.SUCCEEDED}
    assert [sent.request.model for sent in transport.sent].count(MODEL) == 1


async def test_that_a_model_is_gone_is_found_out_once_and_told_once() -> None:
    transport = ScriptedTransport(lambda sent: GONE if sent.request.model == MODEL else reply())
    alerts: list[Alert] = []
    policy = FollowUp(fallback_models=(OTHER,))
    async with scheduler(transport, follow_up=policy, alerts=Alerts(callback=alerts.append)) as s:
        for number in range(5):
            assert (await s.submit(str(number)).outcome()).state is JobState.SUCCEEDED
        assert [dead.name for dead in s.status().dead] == [MODEL]
        s.resume()
        await s.submit("again")
    assert [sent.request.model for sent in transport.sent].count(MODEL) == 2, "once, and once after resume()"
    assert [alert.dead.name for alert in alerts] == [MODEL, MODEL]


@pytest.mark.parametrize("known", [False, True], ids=["found out", "known"])
async def test_a_refused_job_whose_other_model_is_gone_keeps_its_answer(known: bool) -> None:
    gone = refusal(404, "not_found_error", message=f"model: {OTHER}")
    transport = ScriptedTransport(
        lambda sent: gone if sent.request.model == OTHER else answer("refusal", text("no"))
    )
    async with scheduler(transport) as s:
        if known:
            await s.submit("x", model=OTHER).outcome()
        outcome = await s.submit("x", follow_up=FollowUp(fallback_models=(OTHER,))).outcome()
    assert (outcome.state, outcome.stop_reason) == (JobState.SUCCEEDED, "refusal")
    assert outcome.result().content[0].text == "no"  # type: ignore[union-attr]


async def test_a_long_outage_sends_the_queue_to_another_model() -> None:
    def script(sent: Sent) -> object:
        return BUSY if sent.request.model == MODEL and sent.at < 400 else reply(sent.text)

    transport, watch = ScriptedTransport(script), Watch()  # type: ignore[arg-type]
    async with scheduler(transport, sinks=[watch], flow=Flow(max_in_flight=10)) as s:
        patient = s.submit("patient")
        jobs: list[Job[object]] = [  # type: ignore[type-var]
            s.submit(str(n), follow_up=FollowUp(fallback_models=(OTHER,), overload_patience=60))
            for n in range(50)
        ]
        outcomes = [await job.outcome() for job in jobs]
        moved = anyio.current_time()
        await patient
    assert 60 <= moved < 80, "patience, then all at once"
    assert all(outcome.result().model for outcome in outcomes)
    models = {sent.text: sent.request.model for sent in transport.sent}
    assert {models[str(n)] for n in range(50)} == {OTHER}
    assert models["patient"] == MODEL
    events = [event for event in watch.events if isinstance(event, Rerouted)]
    assert len(events) == 50
    assert {event.failure.kind for event in events} == {ErrorKind.OVERLOADED}
    assert outcomes[7].changes[0].reason == "overloaded for long"


async def test_a_short_outage_changes_no_model() -> None:
    transport = ScriptedTransport(lambda sent: BUSY if sent.at < 50 else reply())
    async with scheduler(transport, follow_up=FollowUp(fallback_models=(OTHER,))) as s:
        outcomes = [o async for o in s.map(map(str, range(20)))]
    assert {o.state for o in outcomes} == {JobState.SUCCEEDED}
    assert {sent.request.model for sent in transport.sent} == {MODEL}


async def test_cancelled_between_answer_and_follow_up() -> None:
    transport = ScriptedTransport(lambda sent: answer("pause_turn", text("a")), latency=10)
    async with scheduler(transport, follow_up=FollowUp()) as s:
        job = s.submit("x")
        await anyio.sleep(15)
        job.cancel()
        outcome = await job.outcome()
    assert (outcome.state, outcome.sends, outcome.maybe_billed) == (JobState.CANCELLED, 2, 1)
    assert outcome.usage == USAGE, "the first turn was billed"


async def test_a_stop_parks_a_job_between_turns() -> None:
    transport = ScriptedTransport(lambda sent: answer("pause_turn", text("a")), latency=10)
    watch = Watch()
    async with scheduler(transport, follow_up=FollowUp(), sinks=[watch]) as s:
        job = s.submit("x")
        await anyio.sleep(5)
        await s.stop()
        outcome = await job.outcome()
    assert outcome.resumable
    assert outcome.sends == 1
    assert watch.names() == ["Queued", "Started", "Continued", "Parked"]
    assert isinstance(watch.events[2], Continued)
