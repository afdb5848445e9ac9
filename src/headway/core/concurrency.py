"""Concurrency: how many jobs may be in flight, where the API refuses "concurrent connections", and where the
client's own pool has no connection left.

No header shows either limit. AIMD, as TCP does it: a refusal lowers the limit to .7 of what was in flight, once
per round (refusals of jobs sent before the last decrease say nothing new); each round of jobs that the limit
held back raises it by one.
"""

from __future__ import annotations

from typing import Final

BACK_OFF: Final = 0.7
"""Multiplicative decrease."""


class Concurrency:
    """The learned bound of jobs in flight; ``limit`` None: none is known."""

    __slots__ = ("_blocked", "_round", "limit")

    def __init__(self) -> None:
        self.limit: float | None = None
        self._round = -1.0
        self._blocked = False

    def allows(self, in_flight: int) -> bool:
        """Whether one more job may go; one always may."""
        if self.limit is None or in_flight == 0 or in_flight + 1 <= self.limit:
            return True
        self._blocked = True
        return False

    def refuse(self, seq: float, last_seq: float, in_flight: int) -> None:
        """Job ``seq`` was refused among ``in_flight`` jobs, itself included; ``last_seq`` was sent last.

        Both are sequence numbers of sending, or moments of it."""
        if seq <= self._round:
            return
        self.limit = max(1.0, BACK_OFF * (in_flight if self.limit is None else min(in_flight, self.limit)))
        self._round = last_seq
        self._blocked = False

    def succeed(self) -> None:
        """A job was accepted."""
        if self.limit is not None and self._blocked:
            self.limit += 1 / self.limit
            self._blocked = False
