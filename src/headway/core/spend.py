"""A hard bound on money: reserve what an attempt may cost at most, settle what it did cost.

The invariant is ``spent + reserved <= cap`` at every moment, so whatever the attempts in flight turn out to cost, the
cap is kept. Money is counted in whole picodollars: sums of floats drift.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

_UNITS: Final = 10**12
"""Picodollars in a USD: every list price is a whole number of them for each token."""


@dataclass(frozen=True, slots=True)
class SpendCap:
    """Spend no more than ``usd``, in one run or in one UTC day.

    What an attempt may cost at most (all of its input, and ``max_tokens``) is reserved before it is sent. A run
    is everything that shares a journal, over all processes, or else one scheduler's life; with a journal a day's
    sum survives restarts too. Prices are those of the catalogue (``prices=`` corrects them).
    """

    usd: float
    per: Literal["run", "day"] = "run"

    def __post_init__(self) -> None:
        if isinstance(self.usd, bool) or not isinstance(self.usd, int | float) or not 0 < self.usd < math.inf:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"SpendCap.usd must be above 0 US dollars, not {self.usd!r}")
        if self.per not in ("run", "day"):
            raise ValueError(f"SpendCap.per must be 'run' or 'day', not {self.per!r}")


@dataclass(frozen=True, slots=True)
class SpendStatus:
    """A spend cap and what has been spent under it, in USD."""

    cap: float
    per: Literal["run", "day"]
    spent: float
    """Answers at their price, and at worst-case price what may have been billed without an answer."""
    reserved: float
    """What the attempts in flight may cost at most."""
    unanswered: float
    """The part of ``spent`` that may have been billed although no answer reached us."""

    @property
    def left(self) -> float:
        """What may still be reserved; below 0 if the cap was lowered, or prices were too low."""
        return self.cap - self.spent - self.reserved


class Hold:
    """Money reserved for one attempt. It ends exactly once: a second ending does nothing."""

    __slots__ = ("_spend", "ended", "most")

    def __init__(self, spend: Spend, most: int) -> None:
        self._spend = spend
        self.most = most
        """Picodollars."""
        self.ended = False

    def settle(self, usd: float | None) -> None:
        """The attempt was answered and cost this; ``None``: its cost is unknown, the most counts."""
        self._end(self.most if usd is None else units(usd))

    def release(self) -> None:
        """The attempt was refused before any work, or never sent: it cost nothing."""
        self._end(0)

    def forfeit(self, usd: float | None = None) -> None:
        """Nobody knows what became of it, so it counts at the most (or at ``usd``, if no more was possible)."""
        cost = self.most if usd is None else min(self.most, units(usd))
        if not self.ended:
            self._spend.unanswered += cost
        self._end(cost)

    def _end(self, cost: int) -> None:
        if not self.ended:
            self.ended = True
            self._spend.end(self, cost)


class Spend:
    """What one cap allows. Mutable, single-threaded, deterministic; the day is given."""

    def __init__(self, cap: SpendCap, day: int, *, total: float = 0.0, today: float = 0.0) -> None:
        self.cap = cap
        self.day = day
        """The UTC day that ``today`` is about, in days since 1970."""
        self._total = units(total)
        self._today = units(today)
        self._reserved = 0
        self.open = 0
        """Attempts that hold money."""
        self.unanswered = 0
        """Picodollars of the present run or day that may have been billed without an answer."""

    def turn(self, day: int) -> None:
        """The day it is now. A new one begins at zero, with what is reserved: it is not known when an attempt
        over midnight is billed, so it counts on both days. A clock that was set back changes nothing."""
        if day > self.day:
            self.day, self._today = day, 0
            if self.cap.per == "day":
                self.unanswered = 0

    def take(self, usd: float) -> Hold | None:
        """Reserve what an attempt may cost at most; ``None`` when the cap has no room for it now."""
        most = units(usd)
        if self.spent + self._reserved + most > _whole(self.cap.usd):
            return None
        self._reserved += most
        self.open += 1
        return Hold(self, most)

    def reopen(self, most: int, *, today: bool) -> Hold:
        """What was counted as spent is reserved again: it turned out to be open. Picodollars; ``today``: it was
        counted on this day."""
        self._total -= most
        self._today -= most if today else 0
        self._reserved += most
        self.open += 1
        return Hold(self, most)

    def end(self, hold: Hold, cost: int) -> None:
        """For a `Hold` only: it has ended and cost this."""
        self._reserved -= hold.most
        self.open -= 1
        self._total += cost
        self._today += cost

    @property
    def spent(self) -> int:
        """Picodollars of the run or of the day, as the cap counts them."""
        return self._total if self.cap.per == "run" else self._today

    @property
    def bounds(self) -> tuple[float, float]:
        """USD that run and day cannot exceed if nothing more is taken."""
        return (self._total + self._reserved) / _UNITS, (self._today + self._reserved) / _UNITS

    def status(self) -> SpendStatus:
        """For people."""
        return SpendStatus(
            self.cap.usd,
            self.cap.per,
            self.spent / _UNITS,
            self._reserved / _UNITS,
            self.unanswered / _UNITS,
        )


def _whole(usd: float) -> int:
    """The same rounded down: a cap is not exceeded by a fraction either."""
    return math.floor(round(usd * _UNITS, 3))


def units(usd: float) -> int:
    """USD as whole picodollars, rounded up but for the noise of floats."""
    return math.ceil(round(usd * _UNITS, 3))
