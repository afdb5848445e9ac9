"""Adding up what many answers used."""

from __future__ import annotations

from headway.core.usage import FAST, NO_USAGE, Usage


class UsageSum:
    """What ``Usage + Usage + …`` comes to, added in place: three sums for every job need no new value each."""

    __slots__ = (
        "_cache_read", "_cache_write", "_cache_write_1h", "_input", "_output", "_region_weight", "_speed", "_tier",
        "_web_searches",
    )  # fmt: skip

    def __init__(self, first: Usage = NO_USAGE) -> None:
        self._input = first.input
        self._output = first.output
        self._cache_write = first.cache_write
        self._cache_write_1h = first.cache_write_1h
        self._cache_read = first.cache_read
        self._tier = first.service_tier
        self._region_weight = first.region_weight
        self._speed = first.speed
        self._web_searches = first.web_searches

    def add(self, usage: Usage) -> None:
        """One more."""
        self._input += usage.input
        self._output += usage.output
        self._cache_write += usage.cache_write
        self._cache_write_1h += usage.cache_write_1h
        self._cache_read += usage.cache_read
        self._web_searches += usage.web_searches
        if self._tier != usage.service_tier:
            self._tier = ""
        self._region_weight = max(self._region_weight, usage.region_weight)
        if self._speed != usage.speed:
            self._speed = FAST if FAST in (self._speed, usage.speed) else ""

    def total(self) -> Usage:
        """The sum so far."""
        return Usage(
            self._input, self._output, self._cache_write, self._cache_write_1h, self._cache_read, self._tier,
            self._region_weight, self._speed, self._web_searches,
        )  # fmt: skip
