"""What an answer costs: prices per million tokens, and what makes them higher or lower.

https://platform.claude.com/docs/en/about-claude/pricing: a batch costs half, fast mode twice, US-only inference a
tenth more; caching multiplies the price of input. The factors stack. A web search costs a fixed fee.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from headway.core.usage import FAST, Usage

PricedLane = Literal["live", "batch"]
"""How a request travels: by the Messages API, or inside a message batch."""
BATCH_FACTOR: Final = 0.5
FAST_FACTOR: Final = 2.0
"""``speed="fast"``: $10 and $50 where Opus 5 costs $5 and $25."""
CACHE_WRITE: Final = 1.25
"""Of the input price, for five minutes' life."""
CACHE_WRITE_1H: Final = 2.0
WEB_SEARCH: Final = 0.01
"""USD for one ``web_search`` of the server tool; neither lane nor speed changes it."""


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens."""

    input: float
    output: float
    cache_read: float
    long_prompt: tuple[int, float, float] | None = None
    """(tokens, input, output): the price of prompts above so many tokens."""

    def __post_init__(self) -> None:
        for name in ("input", "output", "cache_read"):
            _require_price(name, getattr(self, name))
        if self.long_prompt is not None:
            for name, value in zip(("tokens", "input", "output"), self.long_prompt, strict=True):
                _require_price(f"long_prompt: {name}", value)

    def cost(self, usage: Usage, lane: PricedLane = "live") -> float:
        """USD for what was used. An answer that says it came from a batch is priced as such in any case."""
        price_in, price_out, price_read = self.input, self.output, self.cache_read
        if self.long_prompt and usage.true_input > self.long_prompt[0]:
            _, price_in, price_out = self.long_prompt
            price_read *= price_in / self.input if self.input else 1.0
        tokens = (
            usage.input * price_in
            + usage.cache_write * price_in * CACHE_WRITE
            + usage.cache_write_1h * price_in * CACHE_WRITE_1H
            + usage.cache_read * price_read
            + usage.output * price_out
        )
        factor = usage.region_weight
        if lane == "batch" or usage.service_tier == "batch":
            factor *= BATCH_FACTOR
        if usage.speed == FAST:
            factor *= FAST_FACTOR
        return tokens * factor / 1e6 + usage.web_searches * WEB_SEARCH


def _require_price(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"Price.{name} must be 0 or more, not {value!r}")
