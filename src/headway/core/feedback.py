"""Feedback: how long it takes until a header tells what a job did, and which headers are news.

Replies overtake each other; what an older job's header says was true before what we already follow. So
headers count in the order in which their jobs were *sent*, and an old one changes nothing, not even a limit.
"""

from __future__ import annotations

from typing import Final

FIRST_LAG: Final = 1.0
"""Seconds from a send to its header, before one came; also the least that the reserve is reckoned with."""
GAIN: Final = 0.1
"""Weight of one header in the averages."""
SILENT_LAGS: Final = 3.0
SILENT_INTERVALS: Final = 4.0
"""Silence begins after so many feedback delays and so many usual intervals between headers."""


class Feedback:
    """Delays of headers, in seconds."""

    __slots__ = ("_interval", "_seq", "at", "delay", "lag")

    def __init__(self, now: float) -> None:
        self.lag = FIRST_LAG
        self.delay = FIRST_LAG
        self._interval = 0.0
        self.at = now
        self._seq = -1

    @property
    def patience(self) -> float:
        """Seconds without a header that are nothing unusual."""
        return SILENT_LAGS * self.delay + SILENT_INTERVALS * self._interval

    def hear(self, seq: int, taken_at: float, now: float) -> bool:
        """A header of the job numbered ``seq`` came; whether it is news."""
        if seq <= self._seq:
            return False
        self._seq = seq
        delay = now - taken_at
        self.delay += GAIN * (delay - self.delay)
        self.lag += GAIN * (max(delay, FIRST_LAG) - self.lag)
        self._interval += GAIN * (now - self.at - self._interval)
        self.at = now
        return True
