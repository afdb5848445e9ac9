"""The server: three token buckets with continuous refill; output is charged while it is generated."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

from headway.core.budget import Refusal, RefusalKind
from headway.core.dimension import TABLE
from headway.core.limits import NO_REPORT, Bucket, LimitReport

Span = tuple[float, float]


@dataclass(frozen=True)
class Rules:
    """What the server is like. Limits per minute, times in seconds."""

    limits: tuple[float, float, float] = (4000, 2_000_000, 400_000)
    depth: float = 60.0
    output_depth: float | None = None
    cuts: tuple[tuple[float, float], ...] = ()
    """(time, factor of the first limits)."""
    tenants: tuple[tuple[float, float, float], ...] = ()
    """(from, to, fraction of the limits that someone else uses)."""
    storms: tuple[Span, ...] = ()
    headers: bool = True
    error_headers: bool = True
    moment: str = "admission"
    """What headers describe: "admission" or "reply" (the first byte)."""
    stale: float = 0.0
    """Headers are this old."""
    skew: float = 0.0
    random_429: float = 0.0
    random_529: float = 0.0
    retry_after: bool = True
    """Whether a 429 says when to come back."""
    retry_after_least: float = 0.0
    hidden: float = 1.0
    """The real limit as a fraction of the one in headers."""
    ramp: float = 0.0
    """Acceleration limit: the rate over 10 s is at most this times that over 60 s, or .2 of the limit."""
    concurrency: int = 0


@dataclass
class Counts:
    """What happened at the server."""

    admitted: int = 0
    refused: int = 0
    overloaded: int = 0
    used: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    others: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    refilled: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])


class Server:
    """Admits or refuses; tells in headers what its buckets hold."""

    def __init__(self, rules: Rules, rng: random.Random) -> None:
        self.rules = rules
        self.rng = rng
        self.factor = 1.0
        depth = (rules.depth, rules.depth, rules.output_depth or rules.depth)
        self.depth = depth
        self.level = [self.limit(d) / 60 * rules.hidden * depth[d] for d in range(3)]
        self.first = list(self.level)
        self.at = 0.0
        self.speed = 0.0
        self.down = False
        """Whether the last request met an outage: until the next one, nobody can know that it is over."""
        self.running = 0
        self.counts = Counts()
        self._edges = sorted({t for a, b, _ in rules.tenants for t in (a, b)} | {t for t, _ in rules.cuts})
        self._recent: list[tuple[float, float]] = []
        self._history: list[tuple[float, list[float]]] = []

    def limit(self, d: int) -> float:
        """Per minute, now."""
        return self.rules.limits[d] * self.factor

    def touch(self, now: float) -> None:
        """Bring the buckets to ``now``, in pieces between changes of the rules."""
        while self._edges and self._edges[0] <= now:
            edge = self._edges.pop(0)
            self._advance(edge)
            for at, factor in self.rules.cuts:
                if at == edge:
                    self.factor = factor
                    for d in range(3):
                        self.level[d] = min(self.level[d], self.cap(d))
        self._advance(now)

    def cap(self, d: int) -> float:
        """Depth of a bucket in units."""
        return self.limit(d) / 60 * self.rules.hidden * self.depth[d]

    def _advance(self, now: float) -> None:
        dt = now - self.at
        if dt <= 0:
            return
        middle = self.at + dt / 2
        taken = sum(f for a, b, f in self.rules.tenants if a <= middle < b)
        for d in range(3):
            rate = self.limit(d) / 60 * self.rules.hidden
            self.counts.refilled[d] += rate * dt
            self.counts.others[d] += rate * taken * dt
            level = self.level[d] + rate * (1 - taken) * dt
            if taken and level < 0 and d < 2:
                level = min(0.0, self.level[d] + rate * dt)
            if d == 2:
                level -= self.speed * dt
                self.counts.used[2] += self.speed * dt
            self.level[d] = min(level, self.cap(d))
        self.at = now

    def ask(self, now: float, size: float) -> Refusal | None:
        """Admit a request of ``size`` input tokens, or refuse it."""
        self.touch(now)
        rules, rng = self.rules, self.rng
        self.down = any(a <= now < b for a, b in rules.storms)
        if self.down or rng.random() < rules.random_529:
            self.counts.overloaded += 1
            return Refusal(RefusalKind.OVERLOAD)
        refusal = self._judge(now, size)
        if refusal:
            self.counts.refused += 1
            return refusal
        self.level[0] -= 1
        self.level[1] -= size
        self.counts.used[0] += 1
        self.counts.used[1] += size
        self.counts.admitted += 1
        self.running += 1
        return None

    def admits(self, now: float, size: float) -> bool:
        """Whether a request would be taken at this moment, chance and the acceleration limit left aside."""
        self.touch(now)
        rules = self.rules
        if self.down or any(a <= now < b for a, b in rules.storms) or 0 < rules.concurrency <= self.running:
            return False
        return self._missing(size) <= 0

    def _missing(self, size: float) -> float:
        """Seconds until the buckets hold what a request needs; below 0: they do."""
        return max(
            (need - self.level[d]) / (self.limit(d) / 60 * self.rules.hidden)
            for d, need in enumerate((1.0, min(size, self.cap(1)), 1.0))
        )

    def _judge(self, now: float, size: float) -> Refusal | None:
        rules = self.rules
        if rules.concurrency and self.running >= rules.concurrency:
            return Refusal(RefusalKind.CONCURRENCY)
        if rules.ramp and self._too_steep(now, size):
            return Refusal(RefusalKind.RAMP, 1.0, self.report(now, error=True))
        missing = self._missing(size)
        if missing <= 0 and self.rng.random() >= rules.random_429:
            return None
        after = max(math.ceil(max(missing, 0.01)), rules.retry_after_least)
        return Refusal(
            RefusalKind.RATE, float(after) if rules.retry_after else None, self.report(now, error=True)
        )

    def _too_steep(self, now: float, size: float) -> bool:
        recent = self._recent
        while recent and recent[0][0] < now - 60:
            recent.pop(0)
        last = (size + sum(s for t, s in recent if t > now - 10)) / 10
        mean = sum(s for _, s in recent) / 60
        if last > self.rules.ramp * max(mean, self.limit(1) / 60 * 0.2):
            return True
        recent.append((now, size))
        return False

    def report(self, now: float, *, error: bool = False) -> LimitReport:
        """What the headers of a reply say."""
        rules = self.rules
        if not rules.headers or (error and not rules.error_headers):
            return NO_REPORT
        self.touch(now)
        level = self.level
        if rules.stale:
            self._history.append((now, list(level)))
            while len(self._history) > 1 and self._history[1][0] <= now - rules.stale:
                self._history.pop(0)
            level = self._history[0][1]
        buckets: list[tuple[object, Bucket]] = []
        for d, row in enumerate(TABLE):
            rate = self.limit(d) / 60
            remaining = max(0.0, round(level[d] / rules.hidden / row.rounding) * row.rounding)
            full = now + max(0.0, (rate * self.depth[d] - level[d] / rules.hidden) / rate)
            buckets.append(
                (row.dimension, Bucket(self.limit(d), remaining, math.floor(full) - math.floor(now)))
            )
        return LimitReport(tuple(buckets))  # type: ignore[arg-type]

    def write(self, now: float, speed: float) -> None:
        """A job begins (speed > 0) or ends (speed < 0) to write ``speed`` tokens per second."""
        self.touch(now)
        self.speed += speed

    def leave(self) -> None:
        """A job ended."""
        self.running -= 1
