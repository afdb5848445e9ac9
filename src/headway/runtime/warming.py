"""The grant of a job whose prompt has cached prefixes: how its attempt goes tells who else may be sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headway.core.cache_prefix import CachePrefix
from headway.core.limits import LimitReport
from headway.core.reservation import Refusal
from headway.core.usage import Usage
from headway.core.warmth import Warmth
from headway.ports import Grant


class WarmingGrant:
    """Another grant that tells a `Warmth` what becomes of it."""

    def __init__(
        self,
        grant: Grant,
        warmth: Warmth,
        prefixes: Sequence[CachePrefix],
        sent: float,
        news: Callable[[Sequence[bytes]], None],
    ) -> None:
        self._grant = grant
        self._warmth = warmth
        self._prefixes = prefixes
        self._sent = sent
        self._news = news
        self._mine = warmth.begin(prefixes, sent)
        self._heard = False
        self._over = False

    @property
    def scout(self) -> bool:
        """Others wait for the beginning of its response: it is to be heard at once."""
        return self._grant.scout or self._warmth.is_wanted(self._prefixes)

    def observe(self, report: LimitReport, now: float) -> None:
        """The response has begun: what it wrote to the cache can be read."""
        self._grant.observe(report, now)
        if not self._over and not self._heard:
            self._heard = True
            self._news(self._warmth.began(self._prefixes, self._sent))

    def settle(self, usage: Usage, now: float) -> None:
        """It was answered; its usage says whether anything is cached at all."""
        self._grant.settle(usage, now)
        if self._ends():
            self._warmth.confirm(self._prefixes, usage.cache_read + usage.cache_write + usage.cache_write_1h)
            self._news(self._warmth.began(self._prefixes, self._sent))

    def release(self, now: float) -> None:
        """It failed before any work."""
        self._grant.release(now)
        self._fail(counts=True)

    def forfeit(self, now: float) -> None:
        """Nobody knows how it ended; if its response had begun, the cache has it."""
        self._grant.forfeit(now)
        if not self._heard:
            self._fail(counts=True)

    def refuse(self, refusal: Refusal, now: float, jitter: float) -> float:
        """It was refused for reasons of the budget: another one may warm them."""
        wait = self._grant.refuse(refusal, now, jitter)
        self._fail(counts=False)
        return wait

    def _fail(self, *, counts: bool) -> None:
        if self._ends():
            self._news(self._warmth.fail(self._mine, counts=counts))

    def _ends(self) -> bool:
        """True once."""
        first, self._over = not self._over, True
        return first
