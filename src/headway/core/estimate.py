"""What many requests will cost and take, before any is sent: sums, in memory that does not grow with their number.

Input is estimated from characters (calibrated by `Counted`, where somebody counted a sample), without any discount
for cache reads; output is bounded by ``max_tokens`` and expected to be what the caller or earlier answers say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from headway.core.account_limits import ToldLimits, told_for, told_group
from headway.core.catalog import BUILT_IN, US_WEIGHT, Catalog
from headway.core.dimension import Dimension
from headway.core.limits import Limits
from headway.core.price import Price, PricedLane
from headway.core.request import Request
from headway.core.tokens import CHARS_PER_TOKEN, PromptSize, measure
from headway.core.usage import FAST, Usage

ROWS: Final = 1000
"""Models told apart; the rest is counted together, at an unknown price."""
OTHERS: Final = "(other models)"


@dataclass(frozen=True, slots=True)
class Money:
    """USD at list price."""

    most: float
    """When every answer fills its ``max_tokens``."""
    expected: float | None
    """``None``: nothing says how long answers will be."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a set of requests will cost and take; nothing was sent for it."""

    jobs: int
    input_tokens: int
    """Estimated, whole prompts."""
    output_most: int
    """The sum of ``max_tokens``."""
    output_expected: int | None
    live: Money
    """Of the models whose price is known."""
    batch: Money
    """The same as message batches."""
    unpriced: Mapping[str, int]
    """Requests by model whose price is unknown."""
    seconds: float | None
    """At the told limits, with nobody else on the key; ``None``: they are not known. With answers as expected, or
    else as long as they can be."""
    binding: Dimension | None = None
    """The limit that takes longest."""
    untold: tuple[Dimension, ...] = ()
    """Limits that were not told: they may take longer."""
    prices_of: str = ""
    """ISO date of the catalogue."""
    calibrated: Mapping[str, float] = field(default_factory=dict[str, float])
    """Characters a token, by model, where a sample was counted."""
    refused: int = 0
    """Of the jobs: requests that the API would refuse, by preflight's rules."""
    unsendable: int = 0
    """What was given that is no request; not among the jobs."""
    problems: tuple[str, ...] = ()
    """The first of both."""


@dataclass(slots=True)
class _Row:
    """Requests of one model at one price."""

    jobs: int = 0
    characters: int = 0
    fixed: float = 0.0
    most: int = 0
    """Output."""

    def input(self, chars_per_token: float) -> float:
        return self.fixed + self.characters / chars_per_token


class _Kind(NamedTuple):
    """What decides on the price of a request, and on whose limits it counts against."""

    model: str
    speed: str
    long: bool
    us: bool


@dataclass(slots=True)
class Counted:
    """Requests of one model whose tokens were counted: how many characters make a token of it."""

    characters: int = 0
    tokens: float = 0.0

    def add(self, size: PromptSize, tokens: int) -> None:
        """One more."""
        self.characters += size.characters
        self.tokens += max(0.0, tokens - size.fixed)

    @property
    def chars_per_token(self) -> float | None:
        """``None``: there was too little text to tell."""
        return self.characters / self.tokens if self.characters >= 16 and self.tokens >= 1 else None


class EstimateTally:
    """Adds up requests, and says what they come to."""

    def __init__(self, catalog: Catalog = BUILT_IN) -> None:
        self._catalog = catalog
        self._rows: dict[_Kind, _Row] = {}
        self.jobs = 0

    def add(self, request: Request) -> PromptSize:
        """One request; gives its size."""
        size = measure(request.params)
        row = self._rows.setdefault(self._kind(request, size), _Row())
        self.jobs += 1
        row.jobs += 1
        row.characters += size.characters
        row.fixed += size.fixed
        row.most += request.max_tokens
        return size

    def _kind(self, request: Request, size: PromptSize) -> _Kind:
        model = request.model
        facts = self._catalog.find(model)
        price = facts.price if facts else None
        limit = price.long_prompt[0] if price and price.long_prompt else math.inf
        kind = _Kind(
            model,
            FAST if request.params.get("speed") == FAST else "",
            size.fixed + size.characters / CHARS_PER_TOKEN > limit,
            request.params.get("inference_geo") == "us" and not (facts and facts.prefill),
        )
        return kind if kind in self._rows or len(self._rows) < ROWS else _Kind(OTHERS, "", False, False)

    def result(
        self,
        *,
        expected_output: float | None = None,
        limits: ToldLimits | None = None,
        counted: Mapping[str, Counted] | None = None,
    ) -> Estimate:
        """The estimate. ``expected_output``: tokens of a mean answer; ``counted``: samples by model."""
        ratios = {model: ratio for model, seen in (counted or {}).items() if (ratio := seen.chars_per_token)}
        sums = _Sums(self._catalog, expected_output)
        for kind, row in self._rows.items():
            sums.add(kind, row, row.input(ratios.get(kind.model, CHARS_PER_TOKEN)))
        seconds, binding, untold = sums.time(limits)
        known = expected_output is not None
        return Estimate(
            jobs=self.jobs,
            input_tokens=round(sums.input),
            output_most=sums.most,
            output_expected=round(sums.expected) if known else None,
            live=sums.money("live"),
            batch=sums.money("batch"),
            unpriced=sums.unpriced,
            seconds=seconds,
            binding=binding,
            untold=untold,
            prices_of=self._catalog.as_of,
            calibrated=ratios,
        )


class _Sums:
    """Rows put together: money by lane, and needs by budget."""

    def __init__(self, catalog: Catalog, mean: float | None) -> None:
        self._catalog = catalog
        self._mean = mean
        self.input = 0.0
        self.most = 0
        self.expected = 0.0
        self.unpriced: dict[str, int] = {}
        self._cost: dict[tuple[PricedLane, bool], float] = {}
        self._needs: dict[tuple[str, str], dict[Dimension, float]] = {}

    def add(self, kind: _Kind, row: _Row, tokens: float) -> None:
        likely = row.most if self._mean is None else min(float(row.most), self._mean * row.jobs)
        self.input += tokens
        self.most += row.most
        self.expected += likely
        needs = self._needs.setdefault((kind.model, kind.speed), dict.fromkeys(Dimension, 0.0))
        needs[Dimension.REQUESTS] += row.jobs
        needs[Dimension.INPUT] += tokens
        needs[Dimension.OUTPUT] += likely
        facts = self._catalog.find(kind.model)
        price = facts.price if facts else None
        if price is None:
            self.unpriced[kind.model] = self.unpriced.get(kind.model, 0) + row.jobs
            return
        flat, weight = _flat(price, long=kind.long), US_WEIGHT if kind.us else 1.0
        for bound, output in ((True, float(row.most)), (False, likely)):
            for lane in ("live", "batch"):
                each = _per_token(flat, kind.speed, weight, lane)
                cost = tokens * each[0] + output * each[1]
                self._cost[lane, bound] = self._cost.get((lane, bound), 0.0) + cost

    def money(self, lane: PricedLane) -> Money:
        known = self._mean is not None
        return Money(self._cost.get((lane, True), 0.0), self._cost.get((lane, False), 0.0) if known else None)

    def time(self, limits: ToldLimits | None) -> tuple[float | None, Dimension | None, tuple[Dimension, ...]]:
        told = limits or Limits()
        groups: dict[tuple[str, str], dict[Dimension, float]] = {}
        for (model, speed), needs in self._needs.items():
            group = groups.setdefault(
                (told_group(told, model, self._catalog), speed), dict.fromkeys(Dimension, 0.0)
            )
            for dimension, need in needs.items():
                group[dimension] += need
        seconds, binding = 0.0, None
        untold: set[Dimension] = set()
        for (group, speed), needs in groups.items():
            known = told_for(told, group, speed)
            for dimension, need in needs.items():
                limit = known.told(dimension)
                if limit is None:
                    untold.add(dimension)
                    continue
                rate = limit * known.share / 60
                takes = max(0.0, need / rate - (known.burst or 0.0))
                if binding is None or takes > seconds:
                    seconds, binding = takes, dimension
        order = tuple(dimension for dimension in Dimension if dimension in untold)
        return (seconds if binding is not None else None), binding, order


def _flat(price: Price, *, long: bool) -> Price:
    """The price of prompts of one length."""
    if not long or price.long_prompt is None:
        return Price(price.input, price.output, price.cache_read)
    return Price(price.long_prompt[1], price.long_prompt[2], price.cache_read)


def _per_token(price: Price, speed: str, weight: float, lane: PricedLane) -> tuple[float, float]:
    """USD of a token of input and of output."""
    return (
        price.cost(Usage(1, 0, region_weight=weight, speed=speed), lane),
        price.cost(Usage(0, 1, region_weight=weight, speed=speed), lane),
    )
