"""Rate-limit headers, as the API words them."""

from __future__ import annotations

import math
import time
from collections import deque
from functools import lru_cache

from headway.testing.fake_api.ledger import Level

Headers = dict[str, str]
_STEM = {"requests": "requests", "input": "input-tokens", "output": "output-tokens"}
_FAR = 366 * 86400.0


@lru_cache(maxsize=4096)
def rfc3339(second: int) -> str:
    """``2026-11-22T13:05:32Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))


@lru_cache(maxsize=256)
def http_date(second: int) -> str:
    """``Sun, 22 Nov 2026 13:05:32 GMT``, whatever the locale."""
    stamp = time.gmtime(second)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[stamp.tm_wday]
    names = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{day}, {stamp.tm_mday:02d} {names[stamp.tm_mon - 1]} " + time.strftime("%Y %H:%M:%S GMT", stamp)


def nearest_thousand(tokens: float) -> int:
    """Token counts are reported to the nearest 1,000."""
    return int((tokens + 500) // 1000) * 1000


def rate_headers(levels: tuple[Level, ...], wall: float) -> Headers:
    """``anthropic-ratelimit-*`` for these levels; ``wall`` is the server's clock in epoch seconds.

    ``tokens`` is the sum of input and output when both are limited (no workspace limit is in force).
    """
    headers: Headers = {}
    tokens = [level for level in levels if level.dimension != "requests"]
    for level in levels:
        counted = level.dimension == "requests"
        remaining = int(level.remaining) if counted else nearest_thousand(level.remaining)
        _write(headers, _STEM[level.dimension], level.limit, remaining, wall + min(level.full_in, _FAR))
    if tokens:
        _write(
            headers,
            "tokens",
            sum(level.limit for level in tokens),
            nearest_thousand(sum(level.remaining for level in tokens)),
            wall + min(max(level.full_in for level in tokens), _FAR),
        )
    return headers


def _write(headers: Headers, stem: str, limit: float, remaining: int, reset: float) -> None:
    prefix = f"anthropic-ratelimit-{stem}-"
    headers[prefix + "limit"] = str(int(limit))
    headers[prefix + "remaining"] = str(remaining)
    headers[prefix + "reset"] = rfc3339(math.ceil(reset))


class StaleLevels:
    """Remembers levels, to describe them ``age`` seconds later."""

    def __init__(self, age: float) -> None:
        self.age = age
        self._seen: deque[tuple[float, tuple[Level, ...]]] = deque()

    def exchange(self, now: float, levels: tuple[Level, ...]) -> tuple[Level, ...]:
        """Store today's levels, return the newest that are ``age`` old (the first ones until then)."""
        if self.age <= 0:
            return levels
        self._seen.append((now, levels))
        while len(self._seen) > 1 and self._seen[1][0] <= now - self.age:
            self._seen.popleft()
        return self._seen[0][1]
