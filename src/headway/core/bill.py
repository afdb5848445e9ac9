"""Requests added up by what decides on their price and on whose limits they count, and what the sums come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from headway.core.account_limits import ToldLimits, told_for, told_group
from headway.core.cache_forecast import BATCH_HITS, CacheUse
from headway.core.catalog import US_WEIGHT, Catalog
from headway.core.dimension import Dimension
from headway.core.limits import Limits
from headway.core.price import Price, PricedLane
from headway.core.tokens import CHARS_PER_TOKEN, PromptSize
from headway.core.usage import Usage

LANES: Final[tuple[PricedLane, ...]] = ("live", "batch")


@dataclass(frozen=True, slots=True)
class Money:
    """USD at list price."""

    most: float
    """When every answer fills its ``max_tokens``."""
    expected: float | None
    """``None``: nothing says how long answers will be."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What some requests cost and take."""

    jobs: int
    live: Money
    """Of the models whose price is known."""
    batch: Money
    """The same as message batches."""
    seconds: float | None
    """At the told limits, with nobody else on the key; ``None``: they are not known. With answers as expected, or
    else as long as they can be."""


class Kind(NamedTuple):
    """What decides on the price of a request, and on whose limits it counts against."""

    model: str
    speed: str = ""
    long: bool = False
    """Its prompt is so long that it costs more."""
    us: bool = False


@dataclass(slots=True)
class Amount:
    """Text and the like, added up."""

    characters: int = 0
    fixed: float = 0.0

    def add(self, size: PromptSize) -> None:
        """Some more."""
        self.characters += size.characters
        self.fixed += size.fixed

    def tokens(self, chars_per_token: float) -> float:
        """As tokens."""
        return self.fixed + self.characters / chars_per_token


@dataclass(slots=True)
class Row:
    """Requests of one kind."""

    jobs: int = 0
    whole: Amount = field(default_factory=Amount)
    """The prompts; the four below are parts of it."""
    read: Amount = field(default_factory=Amount)
    read_1h: Amount = field(default_factory=Amount)
    written: Amount = field(default_factory=Amount)
    written_1h: Amount = field(default_factory=Amount)
    most: int = 0
    """Output."""

    def add(self, size: PromptSize, max_tokens: int, use: CacheUse) -> None:
        """One request."""
        self.jobs += 1
        self.most += max_tokens
        self.whole.add(size)
        self.read.add(use.read)
        self.read_1h.add(use.read_1h)
        self.written.add(use.written)
        self.written_1h.add(use.written_1h)


class _Input(NamedTuple):
    """Tokens of prompts by how they are charged."""

    plain: float
    read: float
    written: float
    written_1h: float

    @property
    def whole(self) -> float:
        return sum(self)


def _input(row: Row, ratio: float, hits: float) -> _Input:
    """Of what could be read a share of ``hits`` is; the rest is written again."""
    read, read_1h = row.read.tokens(ratio), row.read_1h.tokens(ratio)
    written = row.written.tokens(ratio) + (1 - hits) * read
    written_1h = row.written_1h.tokens(ratio) + (1 - hits) * read_1h
    read = hits * (read + read_1h)
    return _Input(row.whole.tokens(ratio) - read - written - written_1h, read, written, written_1h)


class Sums:
    """Rows put together: money by lane, and needs by budget."""

    def __init__(self, catalog: Catalog, mean: float | None, ratios: Mapping[str, float]) -> None:
        """``mean``: tokens of a mean answer; ``ratios``: characters a token, by model."""
        self._catalog = catalog
        self._mean = mean
        self._ratios = ratios
        self.jobs = 0
        self.input = self.read = self.written = 0.0
        """Input tokens: of whole prompts, and of those what the cache has to do with when they are sent live."""
        self.most = 0
        """Output tokens at most."""
        self.expected = 0.0
        """Output tokens, as expected or else at most."""
        self.unpriced: dict[str, int] = {}
        """Requests by model whose price is unknown."""
        self._cost: dict[tuple[PricedLane, bool], float] = {}
        self._needs: dict[tuple[str, str], dict[Dimension, float]] = {}

    def add(self, rows: Iterable[tuple[Kind, Row]]) -> None:
        """Some more."""
        for kind, row in rows:
            self._add(kind, row)

    def _add(self, kind: Kind, row: Row) -> None:
        ratio = self._ratios.get(kind.model, CHARS_PER_TOKEN)
        likely = row.most if self._mean is None else min(float(row.most), self._mean * row.jobs)
        prompts = _input(row, ratio, 1.0)
        self.jobs += row.jobs
        self.input += prompts.whole
        self.read += prompts.read
        self.written += prompts.written + prompts.written_1h
        self.most += row.most
        self.expected += likely
        needs = self._needs.setdefault((kind.model, kind.speed), dict.fromkeys(Dimension, 0.0))
        needs[Dimension.REQUESTS] += row.jobs
        needs[Dimension.INPUT] += prompts.whole - prompts.read
        needs[Dimension.OUTPUT] += likely
        facts = self._catalog.find(kind.model)
        price = facts.price if facts else None
        if price is None:
            self.unpriced[kind.model] = self.unpriced.get(kind.model, 0) + row.jobs
            return
        for lane in LANES:
            each = _rates(price, kind, lane)
            prompts = _input(row, ratio, 1.0 if lane == "live" else BATCH_HITS)
            paid = sum(tokens * rate for tokens, rate in zip(prompts, each, strict=False))
            for bound, output in ((True, float(row.most)), (False, likely)):
                self._cost[lane, bound] = self._cost.get((lane, bound), 0.0) + paid + output * each.output

    def bill(self, limits: ToldLimits | None) -> Bill:
        """What it comes to."""
        seconds, _, _ = self.time(limits)
        return Bill(self.jobs, self._money("live"), self._money("batch"), seconds)

    def _money(self, lane: PricedLane) -> Money:
        known = self._mean is not None
        return Money(self._cost.get((lane, True), 0.0), self._cost.get((lane, False), 0.0) if known else None)

    def time(self, limits: ToldLimits | None) -> tuple[float | None, Dimension | None, tuple[Dimension, ...]]:
        """Seconds, the limit that takes longest, and the limits that were not told."""
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


class _Rates(NamedTuple):
    """USD of one token; the first four in the order of `_Input`."""

    plain: float
    read: float
    written: float
    written_1h: float
    output: float


def _rates(price: Price, kind: Kind, lane: PricedLane) -> _Rates:
    weight = US_WEIGHT if kind.us else 1.0
    flat = _flat(price, long=kind.long)

    each = (
        Usage(input=1),
        Usage(cache_read=1),
        Usage(cache_write=1),
        Usage(cache_write_1h=1),
        Usage(output=1),
    )
    return _Rates(*(flat.cost(replace(one, region_weight=weight, speed=kind.speed), lane) for one in each))


def _flat(price: Price, *, long: bool) -> Price:
    """The price of prompts of one length."""
    if not long or price.long_prompt is None:
        return Price(price.input, price.output, price.cache_read)
    _, price_in, price_out = price.long_prompt
    dearer = price_in / price.input if price.input else 1.0
    return Price(price_in, price_out, price.cache_read * dearer)
