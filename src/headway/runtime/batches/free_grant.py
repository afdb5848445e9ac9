"""The grant of a request in a batch: batches have no part in the rate limits of live requests."""

from __future__ import annotations

from typing import Final

from headway.core.budget import Refusal
from headway.core.limits import LimitReport
from headway.core.usage import Usage

REFUSED_WAIT: Final = 60.0
"""Seconds, before jitter, that a request waits which was refused inside a batch for load."""


class FreeGrant:
    """Reserves nothing and learns nothing."""

    scout = False

    def observe(self, report: LimitReport, now: float) -> None:
        """There are no limit headers inside a batch."""

    def settle(self, usage: Usage, now: float) -> None:
        """Its tokens count against no limit."""

    def release(self, now: float) -> None:
        """Nothing was reserved."""

    def forfeit(self, now: float) -> None:
        """Nothing was reserved."""

    def refuse(self, refusal: Refusal, now: float, jitter: float) -> float:
        """The API had no room for it: not again at once."""
        return REFUSED_WAIT * (0.5 + 0.5 * jitter)


FREE: Final = FreeGrant()
