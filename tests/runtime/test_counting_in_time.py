"""Prompts near the edge of their window: their tokens are counted, and the count decides before anything is sent."""

from __future__ import annotations

import logging
from collections.abc import Callable

import anyio
import pytest

from headway import ErrorKind, Flow, JobState, Limits, RepairPolicy, Request, RequestRejectedError, Scheduler
from headway.testing.transport import ScriptedTransport

pytestmark = pytest.mark.anyio
MODEL, WINDOW = "claude-haiku-4-5", 200_000


class Counting(ScriptedTransport):
    """Says how many tokens a request has, after a while."""

    def __init__(self, tokens: int | None, *, seconds: float = 2.0) -> None:
        super().__init__()
        self.tokens = tokens
        self.seconds = seconds
        self.counted: list[Request] = []
        self.fault: Exception | None = None

    async def count_tokens(self, request: Request) -> int | None:
        self.counted.append(request)
        await anyio.sleep(self.seconds)
        if self.fault is not None:
            raise self.fault
        return self.tokens


def scheduler(transport: ScriptedTransport, mode: str, **options: object) -> Scheduler:
    settings: dict[str, object] = {"model": MODEL, "max_tokens": 64, "limits": Limits(input=10**9, burst=60)}
    policy = RepairPolicy("off", rules={"context": mode})
    return Scheduler(transport=transport, repair=policy, **(settings | options))  # type: ignore[arg-type]


def talk(share: float) -> list[dict[str, object]]:
    """Seven turns that fill so much of the window by estimate."""
    text = "x" * int(share * WINDOW * 3.5 / 7)
    return [{"role": "assistant" if n % 2 else "user", "content": f"{n} {text}"} for n in range(7)]


@pytest.mark.parametrize("share", [0.91, 1.0, 1.2])
@pytest.mark.parametrize("mode", ["report", "strict", "repair"])
async def test_what_fits_by_count_is_sent_as_it_is(mode: str, share: float) -> None:
    transport = Counting(WINDOW - 1)
    async with scheduler(transport, mode) as s:
        outcome = await s.submit(talk(share)).outcome()
        assert s.status().findings == {}
    assert (outcome.state, outcome.findings, outcome.changes) == (JobState.SUCCEEDED, (), ())
    assert len(transport.counted) == len(transport.sent) == 1
    assert transport.counted[0].params == transport.sent[0].request.params


@pytest.mark.parametrize("share", [0.91, 1.2])
async def test_what_does_not_fit_is_reported_refused_or_mended(
    share: float, caplog: pytest.LogCaptureFixture
) -> None:
    said = "messages: the prompt has 210,000 tokens, the model's window 200,000"
    transport = Counting(210_000)
    async with scheduler(transport, "report") as s:
        with caplog.at_level(logging.WARNING, logger="headway"):
            told = await s.submit(talk(share)).outcome()
        assert [str(finding).startswith(said) for finding in told.findings] == [True]
        assert (said if share < 1 else "tokens by estimate") in caplog.text
        assert s.status().findings == {"context": 1}
        assert len(transport.sent) == 1, "a report stops nothing"
        with pytest.raises(RequestRejectedError, match=said) as caught:
            await s.submit(talk(share), repair=RepairPolicy(rules={"context": "strict"}))
        assert caught.value.failure.kind is ErrorKind.CONTEXT_OVERFLOW
        assert len(transport.sent) == 1, "nothing was sent"
        mended = await s.submit(talk(share), repair=RepairPolicy(rules={"context": "repair"})).outcome()
    assert mended.state is JobState.SUCCEEDED
    assert "210,000 tokens exceeds the window" in mended.changes[0].reason
    assert len(transport.sent[-1].request.params["messages"]) < 7  # type: ignore[arg-type]
    assert len(transport.counted) == 3, "once for each body"


async def test_what_must_stay_and_does_not_fit_fails_with_the_count() -> None:
    transport = Counting(210_000)
    async with scheduler(transport, "repair") as s:
        with pytest.raises(RequestRejectedError, match="turns that must stay have 210,000 tokens"):
            await s.submit("x" * int(0.95 * WINDOW * 3.5))
    assert not transport.sent


@pytest.mark.parametrize(
    ("share", "mode", "model"),
    [
        (0.85, "repair", MODEL),
        (0.95, "off", MODEL),
        (0.95, "repair", "somebody-elses"),
        (0.2, "repair", "claude-sonnet-5-5"),
    ],
)
async def test_where_there_is_no_doubt_nothing_is_counted(share: float, mode: str, model: str) -> None:
    transport = Counting(1)
    async with scheduler(transport, mode) as s:
        await s.submit(talk(share), model=model)
    assert not transport.counted


@pytest.mark.parametrize("mode", ["report", "strict", "repair"])
@pytest.mark.parametrize("trouble", ["unknown", "fault", "silence"])
async def test_without_a_count_the_estimate_serves(trouble: str, mode: str) -> None:
    transport = Counting(None, seconds=999.0 if trouble == "silence" else 1.0)
    transport.fault = RuntimeError("x") if trouble == "fault" else None
    async with scheduler(transport, mode) as s:
        outcome = await s.submit(talk(1.1)).outcome()
        assert outcome.attempts[0].started == pytest.approx(10 if trouble == "silence" else 1, abs=0.1)
        hurried = await s.submit(talk(1.1), deadline=8).outcome()
    assert {outcome.state, hurried.state} == {JobState.SUCCEEDED}
    assert [finding.severity.value for finding in outcome.findings] == ["warning"], "by estimate"


@pytest.mark.parametrize("end", [lambda s, job: job.cancel(), lambda s, job: s.abort()])
async def test_counting_holds_nothing_and_is_cut_off(end: Callable[[Scheduler, object], object]) -> None:
    transport = Counting(1, seconds=9)
    async with scheduler(transport, "repair", flow=Flow(max_in_flight=1)) as s:
        job, other = s.submit(talk(1.0)), s.submit("short")
        await other
        assert (s.status().mending, s.status().in_flight) == (1, 0)
        end(s, job)
        outcome = await job.outcome()
        assert outcome.sends == 0
        assert anyio.current_time() < 5
    assert len(transport.sent) == 1
