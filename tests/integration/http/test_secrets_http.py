"""The key and the prompts appear in no log line, exception, pickle, traceback with locals or repr."""

from __future__ import annotations

import io
import logging
import pickle
import traceback
from pathlib import Path

import pytest
from http_house import MODEL, Open, Quick, until

from headway import HeadwayError, JobFailedError, Outcome, Scheduler
from headway.adapters.anthropic.transport import STREAM_FROM
from headway.testing.fake_api import FaultKind, FaultRule, Latency

pytestmark = pytest.mark.anyio
F = FaultKind
KEY = "sk-ant-canary-key"
PROMPT = "canary-prompt"
TESTS = str(Path(__file__).parent)

FAULTS = [
    *(FaultRule(F.STATUS, status=code) for code in (400, 401, 403, 413, 500, 502)),
    FaultRule(F.STATUS, status=429, error_code="enforced_spend_limit_reached"),
    FaultRule(F.RESET, how="rst"),
    FaultRule(F.BODY_CUT),
    FaultRule(F.BODY_HTML),
    FaultRule(F.BODY_SHAPE),
    FaultRule(F.STREAM_ERROR),
    FaultRule(F.STREAM_CUT),
    FaultRule(F.STREAM_BAD_JSON),
]


def shown(error: BaseException) -> str:
    """All that a crash reporter could take from an exception, our tests' own frames left out."""
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    parts = [str(error), repr(error), str(error.args)]
    seen: traceback.TracebackException | None = trace
    while seen is not None:
        parts += seen.format_exception_only()
        parts += [
            f"{frame.filename} {frame.name} {frame.locals}"
            for frame in seen.stack
            if TESTS not in frame.filename
        ]
        seen = seen.__cause__ or seen.__context__
    return "\n".join(parts)


class Lines(logging.Handler):
    """Formats every record as an application would."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.stream = io.StringIO()
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.stream.write(f"{self.format(record)} {record.args!r} {record.exc_info!r}\n")


@pytest.fixture
def log():
    logger, handler = logging.getLogger("headway"), Lines()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler.stream
    logger.removeHandler(handler)
    logger.setLevel(level)


def fails_with(scheduler: Scheduler, size: int) -> object:
    """The submission; the prompt is a local of this frame only."""
    return scheduler.submit(f"{PROMPT} please", max_tokens=size, system=PROMPT)


def check(*texts: str) -> None:
    for text in texts:
        assert KEY not in text
        assert PROMPT not in text


@pytest.mark.parametrize("rule", FAULTS, ids=[f"{r.kind.value}-{r.status}" for r in FAULTS])
async def test_of_a_failure(house: Open, log: io.StringIO, rule: FaultRule) -> None:
    h = await house(rule, client={"api_key": KEY})
    size = STREAM_FROM if rule.kind.startswith("stream_") else 64
    async with h.scheduler(retry=Quick(max_attempts=2, max_throttle_wait=0)) as scheduler:
        job = fails_with(scheduler, size)
        try:
            await job
        except JobFailedError as error:
            caught = error
        outcome = await job.outcome()
        check(shown(caught), repr(outcome), str(outcome), repr(job), repr(scheduler.status()))
        check(outcome.ending.line(), repr(outcome.attempts), repr(job.record))
        check(pickle.dumps(caught).decode("latin-1"), pickle.dumps(outcome.ending).decode("latin-1"))
        again = pickle.loads(pickle.dumps(caught))
        assert (type(again), str(again)) == (type(caught), str(caught))
        check(shown(again))
        fails_with(scheduler, size).cancel()
    check(log.getvalue())


@pytest.mark.parametrize("key", [f"{KEY}\nx", f"{KEY}\x00"], ids=["newline", "null"])
async def test_of_a_key_that_cannot_be_sent(house: Open, log: io.StringIO, key: str) -> None:
    h = await house(client={"api_key": key})
    async with h.scheduler() as scheduler:
        outcome = await fails_with(scheduler, 64).outcome()
        try:
            outcome.result()
        except HeadwayError as error:
            check(shown(error))
    check(repr(outcome), log.getvalue())


async def test_of_success_cancellation_and_stopping(house: Open, log: io.StringIO) -> None:
    h = await house(client={"api_key": KEY}, latency=Latency(ttft=0.0, speed=float("inf"), jitter=0.0))
    endings: list[Outcome] = []
    async with h.scheduler() as scheduler:
        endings.append(await fails_with(scheduler, 64).outcome())
        job = fails_with(scheduler, 64)
        job.cancel()
        endings.append(await job.outcome())
        scheduler.abort()
        endings.append(await fails_with(scheduler, 64).outcome())
    for outcome in endings:
        check(repr(outcome))
        try:
            outcome.result()
        except HeadwayError as error:
            check(shown(error), pickle.dumps(error).decode("latin-1"))
    check(log.getvalue())


async def test_of_a_job_nobody_awaited(house: Open, log: io.StringIO) -> None:
    h = await house(FaultRule(F.STATUS, status=400), client={"api_key": KEY})
    async with h.scheduler() as scheduler:
        fails_with(scheduler, 64)
        await until(lambda: scheduler.status().failed == 1)
    assert "nobody awaited" in log.getvalue()
    check(log.getvalue())


async def test_of_the_account_and_the_budget(house: Open) -> None:
    h = await house(client={"api_key": KEY})
    async with h.scheduler(model=MODEL) as scheduler:
        await fails_with(scheduler, 64)
        check(repr(scheduler.status()), str(vars(scheduler)))
