"""Repairs in virtual time: before the queue, after a refusal, and by tools that take their time."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import anyio
import pytest

from amend_rig import CAP, RULES, Painter, Watch, rules
from headway import (
    Change,
    ErrorKind,
    Flow,
    JobFailedError,
    JobState,
    Limits,
    RepairPolicy,
    RequestError,
    RequestRejectedError,
    Scheduler,
)
from headway.core.events import Repaired, SetAside, Started
from headway.preflight import policy, repair
from headway.preflight.facts import Body, Facts
from headway.preflight.rule import Mended, UnrepairableError
from headway.runtime import inspector
from headway.testing.transport import ScriptedTransport, refusal, reply

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("rules")]
__all__ = ["rules"]
REPAIR = RepairPolicy("repair")
OVERFLOW = refusal(400, "invalid_request_error", message="prompt is too long: 9 tokens > 8 maximum")


def scheduler(transport: ScriptedTransport, **options: object) -> Scheduler:
    settings: dict[str, object] = {
        "model": "claude-sonnet-5-5",
        "max_tokens": 64,
        "limits": Limits(requests=60_000),
    }
    return Scheduler(transport=transport, **(settings | options))  # type: ignore[arg-type]


def caps(transport: ScriptedTransport) -> list[int]:
    return [sent.request.max_tokens for sent in transport.sent]


# Before the queue


async def test_findings_are_reported_and_the_request_is_sent_as_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    transport = ScriptedTransport()
    with caplog.at_level(logging.WARNING, logger="headway"):
        async with scheduler(transport, max_tokens=5000) as s:
            outcomes = [await s.submit("secret prompt").outcome() for _ in range(3)]
            await s.submit("secret prompt", model="claude-haiku-4-5")
            assert s.status().findings == {"cap": 4, "age": 1}
    assert caps(transport) == [5000] * 4
    for outcome in outcomes:
        assert [(finding.rule, finding.path) for finding in outcome.findings] == [("cap", "max_tokens")]
        assert outcome.changes == ()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 3, "one for each rule and model"
    assert lines[0].startswith("claude-sonnet-5-5: max_tokens: above 1000. Use 1000.")
    assert "secret" not in "".join(lines)


async def test_strict_fails_before_anything_is_sent() -> None:
    transport = ScriptedTransport()
    async with scheduler(transport, repair=RepairPolicy(rules={"cap": "strict"})) as s:
        with pytest.raises(RequestError, match=r"max_tokens: above 1000\. Use 1000\.") as caught:
            s.submit("x", max_tokens=5000)
        assert caught.value.field == "max_tokens"
        outcomes = [
            o
            async for o in s.map(["a", {"messages": [{"role": "user", "content": "b"}], "max_tokens": 9999}])
        ]
        await s.submit("x", max_tokens=5000, repair=RepairPolicy("off"))
        assert await s.submit("x", model="claude-haiku-4-5", repair=RepairPolicy("strict")), (
            "a warning is no error"
        )
    assert sorted(o.state.value for o in outcomes) == ["failed", "succeeded"]
    assert caps(transport) == [64, 5000, 64]


async def test_a_repair_is_told_in_event_outcome_and_line() -> None:
    transport, watch = ScriptedTransport(), Watch()
    async with scheduler(transport, repair=REPAIR, sinks=[watch]) as s:
        outcome = await s.submit("x", max_tokens=5000).outcome()
        fine = await s.submit("x").outcome()
        assert s.status().repaired == 1
    change = Change("cap", "max_tokens", "too large", 5000, CAP)
    assert outcome.changes == (change,)
    assert (outcome.changes[0].old, outcome.changes[0].new) == (5000, CAP)
    assert outcome.request.max_tokens == 5000, "identity is what the user gave"
    assert (
        '"repairs":[{"rule":"cap","path":"max_tokens","reason":"too large","old":5000,"new":1000}]'
        in outcome.ending.line()
    )
    assert "repairs" not in fine.ending.line()
    assert fine.changes == ()
    assert caps(transport) == [CAP, 64]
    assert watch.names()[:4] == ["Queued", "Repaired", "Started", "Succeeded"]
    assert Repaired(watch.events[1].at, watch.events[1].params, (change,)) == watch.events[1]  # type: ignore[union-attr]


# After a refusal


async def test_a_refused_request_is_mended_and_sent_again_at_once() -> None:
    transport = ScriptedTransport(lambda sent: reply() if sent.request.max_tokens <= 300 else OVERFLOW)
    watch = Watch()
    async with scheduler(transport, repair=REPAIR, sinks=[watch]) as s:
        outcome = await s.submit("x", max_tokens=1000).outcome()
        assert anyio.current_time() == pytest.approx(3, abs=0.1), (
            "three attempts of a second, no wait between"
        )
    assert caps(transport) == [1000, 500, 250]
    assert outcome.state is JobState.SUCCEEDED
    assert [(change.old, change.new) for change in outcome.changes] == [(1000, 500), (500, 250)]
    assert [attempt.failure and attempt.failure.kind for attempt in outcome.attempts] == [
        ErrorKind.CONTEXT_OVERFLOW, ErrorKind.CONTEXT_OVERFLOW, None,
    ]  # fmt: skip
    assert outcome.maybe_billed == 0
    assert watch.names() == ["Queued", "Started", "Repaired", "Started", "Repaired", "Started", "Succeeded"]


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"attempts": 1}, [1000, 500]),
        ({"attempts": 0}, [1000]),
        ({"default": "report"}, [1000]),
        ({"rules": {"context": "off"}}, [1000]),
    ],
)
async def test_repairs_are_bounded_and_only_those_asked_for(
    options: dict[str, object], sent: list[int]
) -> None:
    policy = RepairPolicy(**{"default": "repair", **options})  # type: ignore[arg-type]
    transport = ScriptedTransport(lambda sent: OVERFLOW)
    async with scheduler(transport, repair=policy) as s:
        with pytest.raises(RequestRejectedError) as caught:
            await s.submit("x", max_tokens=1000)
    assert caps(transport) == sent
    assert caught.value.failure.message == "prompt is too long: 9 tokens > 8 maximum"


async def test_what_cannot_be_repaired_fails_with_the_refusal_and_the_reason() -> None:
    transport = ScriptedTransport(lambda sent: OVERFLOW)
    async with scheduler(transport, repair=REPAIR) as s:
        outcome = await s.submit("x", max_tokens=90).outcome()
    assert outcome.failure is not None
    assert outcome.failure.kind is ErrorKind.CONTEXT_OVERFLOW
    assert outcome.failure.message.endswith("(cannot be repaired: max_tokens is 90 already)")
    assert len(transport.sent) == 1


# Tools


@pytest.fixture
def images() -> Painter:
    return Painter("images", "heic", "jpeg")


@pytest.fixture
def files() -> Painter:
    return Painter("files", "large", "file_1")


async def test_a_tool_mends_before_the_job_is_queued(images: Painter, files: Painter) -> None:
    transport, watch = ScriptedTransport(), Watch()
    async with scheduler(transport, repair=REPAIR, tools=[images, files], sinks=[watch]) as s:
        job, other = s.submit("a large heic"), s.submit("plain")
        await other
        assert anyio.current_time() < 2, "others do not wait"
        assert (job.state, s.status().mending, s.status().queued, s.status().in_flight) == (
            JobState.QUEUED,
            1,
            1,
            0,
        )
        assert sum(budget.in_flight for budget in s.status().budgets.values()) == 0, "no budget is held"
        outcome = await job.outcome()
    assert [sent.text for sent in transport.sent] == ["plain", "a file_1 jpeg"]
    assert images.asked == [("images", None)]
    assert files.asked == [("size", None)]
    assert [change.rule for change in outcome.changes] == ["images", "files"]
    assert images.released == files.released == [outcome.changes], "before the scheduler closes"
    assert outcome.attempts[0].started == pytest.approx(20, abs=0.1)


async def test_few_are_mended_at_a_time(images: Painter) -> None:
    transport = ScriptedTransport()
    async with scheduler(transport, repair=REPAIR, tools=[images]) as s:
        outcomes = [o async for o in s.map([f"heic {n}" for n in range(100)])]
    assert {o.state for o in outcomes} == {JobState.SUCCEEDED}
    assert images.most_at_work == 8
    assert len(images.released) == 100


async def test_the_slot_is_free_while_a_tool_mends_after_a_refusal(
    images: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    too_large = refusal(400, "invalid_request_error", error_code="image_dimensions_too_large")
    transport = ScriptedTransport(lambda sent: too_large if "tiff" in sent.text else reply())
    tool, watch = Painter("images", "tiff", "png"), Watch()
    async with scheduler(
        transport, repair=REPAIR, tools=[tool], sinks=[watch], flow=Flow(max_in_flight=1)
    ) as s:
        job, other = s.submit("a tiff"), s.submit("plain")
        await other
        assert anyio.current_time() == pytest.approx(2, abs=0.1)
        assert job.state is JobState.QUEUED
        outcome = await job.outcome()
    assert tool.asked == [("", ErrorKind.IMAGE_TOO_LARGE)]
    assert [sent.text for sent in transport.sent] == ["a tiff", "plain", "a png"]
    assert outcome.state is JobState.SUCCEEDED
    first = [event for event in watch.events if isinstance(event, SetAside | Repaired)]
    assert [type(event) for event in first] == [SetAside, Repaired]
    assert outcome.running_seconds == pytest.approx(2, abs=0.1), "mending is no attempt"


async def test_a_tool_that_cannot_help_ends_the_job() -> None:
    transport = ScriptedTransport(lambda sent: refusal(413, "request_too_large"))
    async with scheduler(transport, repair=REPAIR) as s:
        outcome = await s.submit("so large").outcome()
        assert outcome.failure is not None
        assert outcome.failure.kind is ErrorKind.INVALID_REQUEST
        assert "there is no tool 'files'" in outcome.failure.message
        assert not transport.sent
        refused = await s.submit("whatever").outcome()
    assert refused.failure is not None
    assert refused.failure.kind is ErrorKind.REQUEST_TOO_LARGE
    assert "there is no tool 'files'" in refused.failure.message


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (UnrepairableError("it is a bomb"), ErrorKind.INVALID_REQUEST),
        (ZeroDivisionError("x"), ErrorKind.INTERNAL),
        (asyncio.CancelledError("not of this task"), ErrorKind.INTERNAL),
    ],
)
async def test_a_tool_that_fails_fails_one_job(
    images: Painter, fault: BaseException, kind: ErrorKind, caplog: pytest.LogCaptureFixture
) -> None:
    images.fault = fault
    async with scheduler(ScriptedTransport(), repair=REPAIR, tools=[images]) as s:
        with pytest.raises(JobFailedError) as caught:
            await s.submit("a heic")
        assert caught.value.failure.kind is kind
        images.fault = None
        await s.submit("another heic")


@pytest.mark.parametrize("behind", [False, True], ids=["being mended", "waiting for it"])
@pytest.mark.parametrize("way", ["cancel", "deadline", "stop", "abort", "leave"])
async def test_mending_is_cut_off_in_order(images: Painter, way: str, behind: bool) -> None:
    transport = ScriptedTransport()
    before = anyio.current_time()
    with anyio.CancelScope() as outside:
        async with scheduler(transport, repair=REPAIR, tools=[images]) as s:
            jobs = [s.submit(f"heic {n}") for n in range(8 if behind else 0)]
            job = s.submit("a heic", deadline=3 if way == "deadline" else None)
            await anyio.sleep(2)
            assert images.at_work == (8 if behind else 1)
            if way == "cancel":
                job.cancel()
            elif way == "stop":
                await s.stop()
            elif way == "abort":
                s.abort()
            elif way == "leave":
                outside.cancel()
            outcome = await job.outcome()
            assert anyio.current_time() - before < 3.01
    outcome = await job.outcome()
    expected = {"cancel": JobState.CANCELLED, "deadline": JobState.EXPIRED}.get(way, JobState.FAILED)
    assert outcome.state is expected
    assert outcome.resumable == (way in {"stop", "abort", "leave"})
    assert (outcome.sends, outcome.maybe_billed) == (0, 0)
    assert images.at_work == 0
    assert all(other.done() for other in jobs)


async def test_a_fault_in_a_rule_does_not_stop_the_request(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(inspector, "check", lambda *_: 1 / 0)
    async with scheduler(ScriptedTransport(), repair=REPAIR) as s:
        await s.submit("secret")
        await s.submit("secret")
    lines = [record.getMessage() for record in caplog.records if "rule" in record.getMessage()]
    assert lines == ["a rule failed (ZeroDivisionError): please report it"]


async def test_events_before_the_first_send_are_in_order(images: Painter) -> None:
    watch = Watch()
    async with scheduler(ScriptedTransport(), repair=REPAIR, tools=[images], sinks=[watch]) as s:
        outcome = await s.submit("a heic", max_tokens=5000).outcome()
    assert watch.names() == ["Queued", "Repaired", "Repaired", "Started", "Succeeded"]
    assert isinstance(watch.events[3], Started)
    assert [change.rule for change in outcome.changes] == ["cap", "images"]


async def test_a_rule_hears_what_the_api_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[float | None] = []

    def halve(body: Body, facts: Facts) -> Mended:
        counted.append(facts.counted)
        return Mended({**body, "max_tokens": 9}, (Change("context", "max_tokens", "too long", 64, 9),))

    (rule,) = (rule for rule in RULES if rule.name == "context")
    for module in (policy, repair, inspector):
        monkeypatch.setattr(module, "all_rules", lambda: (replace(rule, repair=halve),))
    message = "prompt is too long: 205668 tokens > 200000 maximum"
    refused = refusal(400, "invalid_request_error", message=message)
    transport = ScriptedTransport(lambda sent: reply() if sent.request.max_tokens == 9 else refused)
    async with scheduler(transport, repair=REPAIR) as s:
        await s.submit("x")
    assert counted == [205668]
