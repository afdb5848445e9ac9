"""What an answer used: tokens as the API's ``usage`` object counts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PRIORITY: Final = "priority"
"""``usage.service_tier`` of an answer that Priority Tier gave."""
FAST: Final = "fast"
"""``usage.speed`` of an answer in fast mode."""
_CACHE_WRITE: Final = 1.25
_CACHE_WRITE_1H: Final = 2.0
_CACHE_READ: Final = 0.1
"""What a token weighs in the committed capacity of Priority Tier
(https://platform.claude.com/docs/en/api/service-tiers)."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more answers."""

    input: int = 0
    """Uncached input tokens (``input_tokens``)."""
    output: int = 0
    """Output tokens."""
    cache_write: int = 0
    """Input tokens written to the cache, five minutes' life."""
    cache_write_1h: int = 0
    """Input tokens written to the cache, one hour's life."""
    cache_read: int = 0
    """Input tokens read from the cache; they do not count against the input limit."""
    service_tier: str = ""
    """Who gave the answer: ``standard``, ``priority`` or ``batch``. Empty: unknown, or several."""
    region_weight: float = 1.0
    """What a token weighs, in price and in Priority Tier, because of the region that answered (`region_weight`)."""
    speed: str = ""
    """``standard`` or ``fast``, as the answer says. Empty: unknown."""
    web_searches: int = 0
    """Searches of the server tool: they cost a fee each."""

    @property
    def limited_input(self) -> int:
        """What counts against input tokens per minute: uncached input and cache writes."""
        return self.input + self.cache_write + self.cache_write_1h

    @property
    def token_weight(self) -> float:
        """What one token, of input that is not cached or of output, is charged as."""
        return self.region_weight if self.service_tier == PRIORITY else 1.0

    @property
    def charged_input(self) -> float:
        """What the limits are charged with: `limited_input`, or what Priority Tier makes of it, which weighs
        tokens as prices do."""
        if self.service_tier != PRIORITY:
            return self.limited_input
        written = _CACHE_WRITE * self.cache_write + _CACHE_WRITE_1H * self.cache_write_1h
        return self.token_weight * (self.input + written + _CACHE_READ * self.cache_read)

    @property
    def charged_output(self) -> float:
        """The same for output."""
        return self.output * self.token_weight

    @property
    def true_input(self) -> int:
        """The whole prompt in tokens."""
        return self.limited_input + self.cache_read

    @property
    def cache_hit_rate(self) -> float | None:
        """Of the input that was to be cached, the share that was read from the cache, 0 to 1; ``None``: there was
        none."""
        kept = self.cache_read + self.cache_write + self.cache_write_1h
        return self.cache_read / kept if kept else None

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cache_write + other.cache_write,
            self.cache_write_1h + other.cache_write_1h,
            self.cache_read + other.cache_read,
            self.service_tier if self.service_tier == other.service_tier else "",
            max(self.region_weight, other.region_weight),
            self.speed if self.speed == other.speed else FAST if FAST in (self.speed, other.speed) else "",
            self.web_searches + other.web_searches,
        )

    def at_least(self, other: Usage) -> Usage:
        """Each count the larger of the two: cumulative counts that arrive in parts."""
        return Usage(
            max(self.input, other.input),
            max(self.output, other.output),
            max(self.cache_write, other.cache_write),
            max(self.cache_write_1h, other.cache_write_1h),
            max(self.cache_read, other.cache_read),
            other.service_tier or self.service_tier,
            max(self.region_weight, other.region_weight),
            other.speed or self.speed,
            max(self.web_searches, other.web_searches),
        )


NO_USAGE: Final = Usage()
