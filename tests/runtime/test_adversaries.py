"""Servers that mislead: in virtual time, against true buckets. Full speed, and next to nothing refused all the same.

The table of all adversaries is in docs/concepts/budgets.md.
"""

from __future__ import annotations

import itertools
import math
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import anyio
import pytest
from virtual_api import VirtualAPI

from headway import JobState, Scheduler
from headway.core.dimension import Dimension
from headway.core.limits import NO_REPORT, Bucket, LimitReport
from headway.core.request import Request
from headway.ports import Rejection, Reply
from headway.testing.transport import refusal

pytestmark = [pytest.mark.anyio, pytest.mark.heavy]
TIER = (600.0, 120_000.0, 40_000.0)


class SkewedResets(VirtualAPI):
    """Reset stamps and ``Date`` come from clocks that disagree by minutes, now this way, now that."""

    dice = random.Random(1)

    def _report(self) -> LimitReport:
        buckets = super()._report().buckets
        return LimitReport(
            tuple(
                (
                    dimension,
                    replace(bucket, reset_after=(bucket.reset_after or 0) + self.dice.uniform(-300, 300)),
                )
                for dimension, bucket in buckets
            )
        )


class StaleHeaders(VirtualAPI):
    """Headers tell of the levels of two seconds ago."""

    def _report(self) -> LimitReport:
        self.__dict__.setdefault("seen", deque()).append((anyio.current_time(), super()._report()))
        seen: deque[tuple[float, LimitReport]] = self.__dict__["seen"]
        while len(seen) > 1 and seen[1][0] <= anyio.current_time() - 2.0:
            seen.popleft()
        return seen[0][1]


class ShuffledAnswers(VirtualAPI):
    """Answers take between nothing and six seconds more: their headers come in any order."""

    dice = random.Random(2)

    async def send(self, request: Request, **options: Any) -> Reply | Rejection:
        result = await super().send(request, **options)
        await anyio.sleep(6 * self.dice.random())
        return result


class Moody(VirtualAPI):
    """Refuses one request in forty for no reason that anybody can see."""

    dice = random.Random(3)

    async def send(self, request: Request, **options: Any) -> Reply | Rejection:
        if self.dice.random() < 1 / 40:
            return await self._refuse(429, "rate_limit_error")
        return await super().send(request, **options)


class BareErrors(Moody):
    """Its 429s say neither what is left nor when to come back."""

    async def _refuse(self, status: int, kind: str) -> Rejection:
        await super()._refuse(status, kind)
        return refusal(status, kind, report=NO_REPORT)


class WholeSeconds(Moody):
    """Its ``Retry-After`` is a whole number of seconds, at least one."""

    async def _refuse(self, status: int, kind: str) -> Rejection:
        answer = await super()._refuse(status, kind)
        self._touch()
        short = max(0.0, *((1 - bucket.level) / (bucket.limit or 1) * 60 for bucket in self.buckets))
        return refusal(status, kind, report=answer.report, retry_after=float(max(1, math.ceil(short))))


class CoarseRemaining(VirtualAPI):
    """Tokens are rounded to 5,000, a third of the bucket; requests are exact."""

    def _report(self) -> LimitReport:
        def coarse(dimension: Dimension, bucket: Bucket) -> Bucket:
            if dimension is Dimension.REQUESTS or bucket.remaining is None:
                return bucket
            return replace(bucket, remaining=round(bucket.remaining / 5000) * 5000.0)

        return LimitReport(tuple((row, coarse(row, bucket)) for row, bucket in super()._report().buckets))


def prompts(text: str) -> Iterator[str]:
    size = int(3.5 * int(text.split(maxsplit=1)[0]))
    return (f"{text} {number} ".ljust(size, "x") for number in itertools.count())


async def run_for(api: VirtualAPI, until: float, text: str) -> None:
    async with (
        Scheduler(model="claude-haiku-5-5", max_tokens=1024, transport=api) as s,
        s.map(prompts(text)) as outcomes,
    ):
        with anyio.CancelScope(deadline=until):
            async for outcome in outcomes:
                assert outcome.state is JobState.SUCCEEDED


@pytest.mark.parametrize(
    ("kind", "least", "refused"),
    [
        pytest.param(SkewedResets, 0.88, 2, id="skewed resets"),
        pytest.param(StaleHeaders, 0.90, 6, id="stale headers"),
        pytest.param(ShuffledAnswers, 0.88, 4, id="out of order"),
        pytest.param(CoarseRemaining, 0.90, 4, id="coarse remaining"),
    ],
)
async def test_headers_that_mislead(kind: type[VirtualAPI], least: float, refused: int) -> None:
    api = kind(TIER, burst=10.0)
    await run_for(api, 90.0, "900 40")
    assert api.used() >= least
    assert api.refusals(429) <= refused


@pytest.mark.parametrize("kind", [BareErrors, WholeSeconds], ids=["bare errors", "whole seconds"])
async def test_refusals_that_tell_little(kind: type[VirtualAPI]) -> None:
    api = kind(TIER, burst=10.0)
    await run_for(api, 120.0, "900 40")
    assert 1 <= api.refusals(429) <= 0.08 * len(api.served), "they were met, and brought no others"
    assert api.used() >= 0.80


async def test_outputs_of_zero() -> None:
    """``max_tokens=0`` warms a cache: nothing is written, and the output limit is never the reason to wait."""
    api = VirtualAPI(TIER, burst=10.0)
    await run_for(api, 40.0, "150 0")
    assert api.used() >= 0.90
    assert api.refusals(429) <= 2
