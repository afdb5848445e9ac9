"""How long to wait between tries while the API refuses everything: the longer it lasts, the longer.

    pause = max(.5 s, 1.5 % of the time since it began), at most 30 s

so the end of an outage is noticed within a small part of its length (a minute: .9 s), and an hour of 529 costs
about 400 requests for a whole account, not 7,000.
"""

from __future__ import annotations

from typing import Final

PAUSE: Final = 0.5
"""Seconds between probes at first."""
SHARE: Final = 0.015
"""Of the outage's length so far."""
LONGEST: Final = 30.0
"""Seconds."""


class Patience:
    """The pause of one series of refusals. Seconds."""

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since: float | None = None

    def refused(self, now: float) -> float:
        """A try was refused; the pause before the next, without jitter."""
        if self._since is None:
            self._since = now
        return min(max(PAUSE, SHARE * (now - self._since)), LONGEST)

    def taken(self) -> None:
        """Something was taken: the series is over."""
        self._since = None
