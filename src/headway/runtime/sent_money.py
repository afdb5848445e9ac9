"""What the requests in message batches may cost, by batch: the next process goes on with it.

A batch outlives the process that made it. To that process's end its requests count as spent at their worst case; the
next one reserves as much again for those that are not answered yet, and settles each with its result. Without that a
cap would be used up by what was long answered for half of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from headway.core.spend import Hold, Spend, units


class SentMoney:
    """Sums in picodollars by the tokens of batches; all of them are part of what was spent or is reserved."""

    def __init__(self, spend: Spend, earlier: Mapping[str, int] | None = None, day: int = 0) -> None:
        """``earlier``: what the last process left, and counted in the sum of that ``day`` too."""
        self._spend = spend
        self._earlier = dict(earlier or {})
        self._day = day
        self._own: dict[str, int] = {}

    def sums(self) -> dict[str, int]:
        """All of them, for the journal."""
        names = self._own.keys() | self._earlier.keys()
        sums = {name: self._own.get(name, 0) + self._earlier.get(name, 0) for name in names}
        return {name: most for name, most in sums.items() if most > 0}

    def add(self, token: str, hold: Hold) -> None:
        """A request goes into a batch."""
        self._own[token] = self._own.get(token, 0) + hold.most

    def end(self, token: str, hold: Hold) -> None:
        """It has its result, or nobody wants it any more."""
        self._own[token] = self._own.get(token, 0) - hold.most
        if self._own[token] <= 0:
            del self._own[token]

    def reopen(self, token: str, usd: float) -> Hold | None:
        """Reserve again for a request of an earlier process that costs ``usd`` at most; ``None``: there was no cap
        when it was sent."""
        left = self._earlier.get(token, 0)
        most = min(units(usd), left)
        if not most:
            return None
        self._earlier[token] = left - most
        hold = self._reserved(most)
        self.add(token, hold)
        return hold

    def keep_only(self, tokens: Collection[str]) -> None:
        """Earlier batches other than these do not exist: money was reserved and nothing was sent."""
        for token in [token for token in self._earlier if token not in tokens]:
            self._reserved(self._earlier.pop(token)).release()

    def _reserved(self, most: int) -> Hold:
        return self._spend.reopen(most, today=self._spend.day == self._day)
