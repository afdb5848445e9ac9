"""What many requests will cost and take, before any is sent: sums, in memory that does not grow with their number.

Input is estimated from characters (calibrated by `Counted`, where somebody counted a sample), with what the cache
spares as `CacheForecast` sees it; output is bounded by ``max_tokens`` and expected to be what the caller or earlier
answers say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from headway.core.account_limits import ToldLimits
from headway.core.bill import Bill, Kind, Money, Row, Sums
from headway.core.cache_forecast import NO_USE, CacheUse
from headway.core.catalog import BUILT_IN, Catalog
from headway.core.dimension import Dimension
from headway.core.request import Request
from headway.core.tokens import CHARS_PER_TOKEN, PromptSize, measure
from headway.core.usage import FAST

ROWS: Final = 1000
"""Models told apart; the rest is counted together, at an unknown price."""
OTHERS: Final = "(other models)"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a set of requests will cost and take; nothing was sent for it."""

    jobs: int
    """Requests that would be sent."""
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
    cache_read: int = 0
    """Of ``input_tokens``, sent live: read from the cache."""
    cache_written: int = 0
    """Of ``input_tokens``, sent live: written to the cache."""
    repeated: int = 0
    """Requests with the same content as one before them: with ``dedupe`` they are not sent and not among the jobs,
    without it they are."""
    plain: Bill | None = None
    """The same requests without ``dedupe`` and without ``cache="auto"``."""
    deduped: Bill | None = None
    """The same requests with ``dedupe``."""
    refused: int = 0
    """Of the jobs: requests that the API would refuse, by preflight's rules."""
    unsendable: int = 0
    """What was given that is no request; not among the jobs."""
    problems: tuple[str, ...] = ()
    """The first of both."""


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

    def __init__(self, catalog: Catalog = BUILT_IN, *, dedupe: bool = False) -> None:
        """``dedupe``: repeated requests are not sent."""
        self._catalog = catalog
        self._dedupe = dedupe
        self._rows: dict[Kind, Row] = {}
        self._repeats: dict[Kind, Row] = {}
        self._plain: dict[Kind, Row] = {}
        """Both, without the breakpoints that headway would place."""
        self.jobs = 0
        """Requests that would be sent."""
        self.repeated = 0

    def add(
        self, request: Request, use: CacheUse = NO_USE, *, placed: bool = False, repeated: bool = False
    ) -> PromptSize:
        """One request; gives its size. ``use``: what the cache has to do with it, by breakpoints that are in the
        request or that headway has ``placed``; ``repeated``: an earlier one has the same content."""
        size = measure(request.params)
        kind = self._kind(request, size)
        rows = self._repeats if repeated else self._rows
        rows.setdefault(kind, Row()).add(size, request.max_tokens, use)
        self._plain.setdefault(kind, Row()).add(size, request.max_tokens, NO_USE if placed else use)
        self.repeated += repeated
        self.jobs += not (repeated and self._dedupe)
        return size

    def _kind(self, request: Request, size: PromptSize) -> Kind:
        model = request.model
        facts = self._catalog.find(model)
        price = facts.price if facts else None
        limit = price.long_prompt[0] if price and price.long_prompt else math.inf
        kind = Kind(
            model,
            FAST if request.params.get("speed") == FAST else "",
            size.fixed + size.characters / CHARS_PER_TOKEN > limit,
            request.params.get("inference_geo") == "us" and not (facts and facts.prefill),
        )
        return kind if kind in self._plain or len(self._plain) < ROWS else Kind(OTHERS)

    def result(
        self,
        *,
        expected_output: float | None = None,
        limits: ToldLimits | None = None,
        counted: Mapping[str, Counted] | None = None,
    ) -> Estimate:
        """The estimate. ``expected_output``: tokens of a mean answer; ``counted``: samples by model."""
        ratios = {model: ratio for model, seen in (counted or {}).items() if (ratio := seen.chars_per_token)}
        plain, once, sums = (Sums(self._catalog, expected_output, ratios) for _ in range(3))
        plain.add(self._plain.items())
        once.add(self._rows.items())
        sums.add(self._rows.items())
        if not self._dedupe:
            sums.add(self._repeats.items())
        seconds, binding, untold = sums.time(limits)
        bill, known = sums.bill(limits), expected_output is not None
        return Estimate(
            jobs=self.jobs,
            input_tokens=round(sums.input),
            output_most=sums.most,
            output_expected=round(sums.expected) if known else None,
            live=bill.live,
            batch=bill.batch,
            unpriced=sums.unpriced,
            seconds=seconds,
            binding=binding,
            untold=untold,
            prices_of=self._catalog.as_of,
            calibrated=ratios,
            cache_read=round(sums.read),
            cache_written=round(sums.written),
            repeated=self.repeated,
            plain=plain.bill(limits),
            deduped=once.bill(limits),
        )
