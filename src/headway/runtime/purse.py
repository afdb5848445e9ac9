"""The money of one scheduler: what its cap still allows, kept in the journal so that a crash does not forget it.

A journal is told ahead: before anything is reserved beyond what stands there, a little more than that is written and
committed (`AHEAD` of the cap). What stands there is therefore never less than what was spent, even after ``kill -9``;
a clean end writes the exact sum.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Protocol, cast

import anyio

from headway.core.catalog import Catalog
from headway.core.faults import RequestError
from headway.core.price import PricedLane
from headway.core.request import Request
from headway.core.spend import Hold, Spend, SpendCap, SpendStatus
from headway.core.usage import NO_USAGE, Usage
from headway.core.worst_case import is_priced, worst_cost
from headway.errors import JournalError
from headway.runtime.clock import wall_time
from headway.runtime.sent_money import SentMoney

log: Final = logging.getLogger("headway")
META: Final = "spend"
"""The name under which a journal keeps it."""
AHEAD: Final = 1 / 200
"""Of the cap: so much more is written than is reserved, so that few reservations wait for the disk. A crash costs
this much at most, beside what was in flight."""
DAY: Final = 86_400.0


class SpendBook(Protocol):
    """The part of a journal that keeps named texts."""

    async def get_meta(self, name: str) -> str | None:
        """A text, or ``None``."""
        ...

    async def set_meta(self, name: str, value: str) -> None:
        """Keep a text; committed on return. Raises `JournalError`."""
        ...


class Purse:
    """A spend cap at work. ``wall`` gives Unix seconds."""

    def __init__(
        self,
        cap: SpendCap,
        catalog: Catalog,
        book: SpendBook | None = None,
        wall: Callable[[], float] | None = None,
    ) -> None:
        self._catalog = catalog
        self._book = book
        self._wall = wall or wall_time
        self._spend = Spend(cap, self._today())
        self.sent = SentMoney(self._spend)
        """Of it: for requests in message batches."""
        self._one = anyio.Lock()
        self._written = (0.0, 0.0)
        """What the journal says that run and day cannot exceed, USD."""

    async def open(self) -> None:
        """Go on with what earlier processes spent. Raises `JournalError`."""
        text = None if self._book is None else await self._book.get_meta(META)
        if text is None:
            return
        try:
            known = cast("dict[str, Any]", json.loads(text))
            day, total, today = int(known["day"]), float(known["total"]), float(known["today"])
            sent = {str(token): int(most) for token, most in known.get("batches", {}).items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise JournalError("what was spent cannot be read from the journal") from None
        self._spend = Spend(self._spend.cap, day, total=total, today=today)
        self._written = total, today
        self._spend.turn(self._today())
        self.sent = SentMoney(self._spend, sent, day)

    async def note(self) -> None:
        """Write the exact sum. If that cannot be, the higher one stays in the journal."""
        try:
            await self._write(0.0)
        except JournalError as error:
            log.warning("what was spent could not be written to the journal: %s", error)

    def require_price(self, request: Request) -> None:
        """Raises `RequestError` for a request whose price is unknown: no cap can hold it."""
        if not is_priced(request, self._catalog):
            raise unpriced(request.model)

    def worst(self, request: Request, lane: PricedLane = "live", *, shown: int = 0) -> float | None:
        """USD that one attempt costs at most; ``None``: unknown."""
        return worst_cost(request, self._catalog, lane, shown=shown)

    def cost(self, model: str, usage: Usage, lane: PricedLane = "live") -> float | None:
        """USD of an answer; ``None``: unknown, as that of one whose usage nobody saw."""
        return None if usage == NO_USAGE else self._catalog.cost(model, usage, lane)

    async def take(self, usd: float) -> Hold | None:
        """Reserve ``usd``; ``None`` when there is no room for it now. Raises `JournalError`."""
        spend = self._spend
        self._turn()
        hold = spend.take(usd)
        if hold is None or self._book is None:
            return hold
        total, today = spend.bounds
        if total > self._written[0] or today > self._written[1]:
            try:
                await self._write(spend.cap.usd * AHEAD, needed=True)
            except BaseException:
                hold.release()
                raise
        return hold

    @property
    def open_holds(self) -> int:
        """Attempts that hold money: their ends may make room."""
        return self._spend.open

    @property
    def day(self) -> int:
        """The UTC day it is, in days since 1970; never an earlier one than before."""
        self._turn()
        return self._spend.day

    @property
    def seconds_to_renewal(self) -> float:
        """Until the sum begins at zero again."""
        if self._spend.cap.per == "run":
            return math.inf
        return max(0.0, (self.day + 1) * DAY - self._wall())

    @property
    def renewed_at(self) -> str | None:
        """The same as a time (ISO 8601, UTC); ``None``: never by itself."""
        if self._spend.cap.per == "run":
            return None
        return datetime.fromtimestamp((self.day + 1) * DAY, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def change(self, cap: SpendCap) -> None:
        """Another cap from now on; what was spent stays counted."""
        self._spend.cap = cap

    def status(self) -> SpendStatus:
        """Now."""
        self._turn()
        return self._spend.status()

    def _today(self) -> int:
        return int(self._wall() // DAY)

    def _turn(self) -> None:
        before = self._spend.day
        self._spend.turn(self._today())
        if self._spend.day != before:
            self._written = self._written[0], 0.0

    async def _write(self, ahead: float, *, needed: bool = False) -> None:
        """Tell the journal what cannot be exceeded, plus ``ahead``. ``needed``: unless another reservation did so
        meanwhile."""
        if self._book is None:
            return
        async with self._one:
            total, today = self._spend.bounds
            if needed and total <= self._written[0] and today <= self._written[1]:
                return
            if ahead:  # nothing beyond the cap is reserved
                usd, per = self._spend.cap.usd, self._spend.cap.per
                total = max(total, min(total + ahead, usd if per == "run" else math.inf))
                today = max(today, min(today + ahead, usd if per == "day" else math.inf))
            # What is lowered counts at once: who reserves meanwhile must not rely on the higher sum.
            self._written = min(self._written[0], total), min(self._written[1], today)
            sums = {"total": total, "day": self._spend.day, "today": today, "batches": self.sent.sums()}
            await self._book.set_meta(META, json.dumps(sums))
            self._written = total, today


def unpriced(model: str) -> RequestError:
    """What is said of a model without a known price."""
    return RequestError(
        "model",
        f"the price of {model!r} is not known, so no spend cap can hold; pass"
        f" prices={{{model!r}: Price(input=…, output=…, cache_read=…)}} (--prices FILE), or leave the cap out",
    )
