"""Outage: the API cannot be reached, or fails whatever is asked of it.

    many failures in a row, none of them a word about the request     open: nothing flows until a pause is over
    then one probe at a time, each after a longer pause (`Patience`)   any answer at all: closed
    a probe that outlives the usual time of a failure                  closed: failures are quick, work is slow

Without it every queued job would be sent into the outage, use up attempts, and wait for its turn at the retry quota
long after the outage is over. (529 and 429 are the budget's own circuit, `core/breaker.py`.)
"""

from __future__ import annotations

from typing import Final

from headway.core.error_kind import ErrorKind
from headway.core.failure import Failure
from headway.core.patience import Patience

IN_A_ROW: Final = 32
"""Failures without any answer in between that make an outage. Where half of all requests fail, 32 in a row are a
chance of one in four thousand million; a handful of jobs use up their attempts before."""
JITTER: Final = 0.3
"""Of the pause, to either side."""
OUTLIVE: Final = 2.0
"""Times the mean time of a failure, plus `OUTLIVE_LEAST`: a probe that lives longer counts as taken."""
OUTLIVE_LEAST: Final = 2.0
"""Seconds."""
GAIN: Final = 0.2
"""Weight of one failure in that mean."""
KINDS: Final = frozenset(
    {
        ErrorKind.CONNECTION,
        ErrorKind.DISCONNECTED,
        ErrorKind.REQUEST_TIMEOUT,
        ErrorKind.API_ERROR,
        ErrorKind.BAD_GATEWAY,
        ErrorKind.UNAVAILABLE,
        ErrorKind.SERVER_TIMEOUT,
    }
)
"""Failures that say nothing of the request."""


class Outage:
    """Whether anything may be sent to this API. Seconds."""

    __slots__ = ("_mean", "_patience", "_probe_at", "_row", "_until", "is_open", "reached")

    def __init__(self) -> None:
        self.is_open = False
        self.reached = False
        """Something was answered once: the address is right."""
        self._row = 0
        self._mean = 0.0
        self._until = 0.0
        self._probe_at: float | None = None
        self._patience = Patience()

    def seconds(self, now: float) -> float:
        """Seconds until a job may be sent; 0: now."""
        if not self.is_open:
            return 0.0
        if self._probe_at is not None:
            left = self._probe_at + OUTLIVE * self._mean + OUTLIVE_LEAST - now
            if left > 0:
                return left
            self._close()
            return 0.0
        return max(0.0, self._until - now)

    def send(self, now: float) -> None:
        """A job goes; while the outage lasts it is the probe."""
        if self.is_open:
            self._probe_at = now

    def leave(self) -> None:
        """An attempt ended without telling anything (cancelled): the next one is the probe."""
        self._probe_at = None

    def answer(self) -> bool:
        """The API answered, whatever it said; whether that ends an outage."""
        self.reached = True
        was = self.is_open
        self._close()
        return was

    def fail(self, now: float, started: float, jitter: float) -> bool:
        """An attempt that began at ``started`` failed in one of these `KINDS`; whether an outage begins with it.
        ``jitter``: 0 to 1."""
        self._mean += GAIN * (now - started - self._mean)
        self._row += 1
        pause = self._patience.refused(now) * (1 - JITTER + 2 * JITTER * jitter)
        if self.is_open:
            if self._probe_at is not None and started >= self._probe_at:
                self._probe_at = None
                self._until = now + pause
            return False
        if self._row < IN_A_ROW:
            return False
        self.is_open = True
        self._until = now + pause
        return True

    def paces(self, failure: Failure) -> bool:
        """Whether this failure is one of an outage, which bounds how often anything is tried. Never before the API
        was reached at all: then the address may be wrong."""
        return self.is_open and self.reached and failure.kind in KINDS

    def _close(self) -> None:
        self.is_open = False
        self._row = 0
        self._probe_at = None
        self._patience.taken()
