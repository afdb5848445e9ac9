"""Answers that do not fit ``output_format``: asked for again within a bound of their own, and every one counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from http_house import Open, Quick
from pydantic import BaseModel, model_validator

from headway import ErrorKind, JobFailedError, JobState, Scheduler, SpendCap
from headway.testing.fake_api import FakeAPI

pytestmark = pytest.mark.anyio


def picky(times: int) -> type[BaseModel]:
    """A type that the first answers do not fit, and a counter of them."""

    class City(BaseModel):
        name: str

        @model_validator(mode="after")
        def refuse(self) -> City:
            seen.append(self.name)
            if len(seen) <= times:
                raise ValueError("secret: not this one")
            return self

    seen: list[str] = []
    return City


def same(outcome, api: FakeAPI, scheduler: Scheduler) -> bool:  # type: ignore[no-untyped-def]
    """Job, scheduler and server agree on what was used."""
    usage, total = outcome.usage, scheduler.status().usage
    assert usage == total
    (group,) = api.stats.groups.values()
    return (usage.input, usage.output) == (group.buckets["input"].consumed, group.buckets["output"].consumed)


@pytest.mark.parametrize(
    ("policy", "misfits", "sends", "fits"),
    [
        (Quick(), 1, 2, True),
        (Quick(), 2, 2, False),
        (Quick(max_misfits=3), 3, 4, True),
        (Quick(max_misfits=0), 1, 1, False),
        (Quick(max_attempts=1), 1, 1, False),
        (Quick(max_attempts=9), 2, 2, False),
    ],
)
async def test_misfits(
    house: Open, tmp_path: Path, policy: Quick, misfits: int, sends: int, fits: bool
) -> None:
    there = await house()
    async with there.scheduler(
        retry=policy, journal=tmp_path / "j", spend_cap=SpendCap(usd=1.0)
    ) as scheduler:
        job = scheduler.submit("A city", output_format=picky(misfits), key="k")
        outcome = await job.outcome()
        assert (outcome.state is JobState.SUCCEEDED) == fits
        assert len(job.attempts) == sends and not outcome.maybe_billed
        assert (spend := scheduler.status().spend) is not None and spend.spent == pytest.approx(outcome.cost)
        assert same(outcome, there.api, scheduler) and outcome.cost == pytest.approx(scheduler.status().cost)
        if fits:
            assert outcome.message is not None and outcome.message.parsed_output.name  # type: ignore[attr-defined]
        else:
            with pytest.raises(
                JobFailedError, match="does not fit output_format City: the text \\(value_error\\)"
            ) as e:
                await job
            assert e.value.failure.kind is ErrorKind.MISFIT and "secret" not in str(e.value)
    async with there.scheduler(retry=policy, journal=tmp_path / "j") as scheduler:
        restored = await scheduler.submit("A city", output_format=picky(0), key="k").outcome()
        assert restored.restored and (restored.usage, restored.cost) == (outcome.usage, outcome.cost)


async def test_what_a_misfit_cost_survives_the_process(house: Open, tmp_path: Path) -> None:
    there = await house()
    spent: list[object] = []

    class Stop:
        """Stops the scheduler at the first retry."""

        def emit(self, record, event) -> None:  # type: ignore[no-untyped-def]
            if type(event).__name__ == "RetryScheduled":
                spent.append(event.usage)
                scheduler.abort()

    async with there.scheduler(journal=tmp_path / "j", sinks=[Stop()]) as scheduler:
        assert (await scheduler.submit("A city", output_format=picky(1), key="k").outcome()).resumable
    async with there.scheduler(journal=tmp_path / "j") as scheduler:
        outcome = await scheduler.submit("A city", output_format=picky(0), key="k").outcome()
    assert outcome.state is JobState.SUCCEEDED and outcome.sends == 2
    (group,) = there.api.stats.groups.values()
    assert outcome.usage.output == group.buckets["output"].consumed > spent[0].output > 0  # type: ignore[attr-defined]
