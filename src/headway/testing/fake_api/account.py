"""The account: limits of every model group, and what changes them while the server runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from headway.testing.fake_api.bound import Change
from headway.testing.fake_api.bucket import Bucket
from headway.testing.fake_api.config import FakeConfig
from headway.testing.fake_api.fault import ENVIRONMENT_KINDS, FaultKind, FaultRule
from headway.testing.fake_api.ledger import Ledger, Level
from headway.testing.fake_api.limits import DIMENSIONS, FakeLimits
from headway.testing.fake_api.rate_headers import StaleLevels
from headway.testing.fake_api.stats import BucketStats, GroupStats


@dataclass(slots=True)
class _Scheduled:
    """A rule that changes the account, and how far it has got."""

    rule: FaultRule
    active: bool = False
    over: bool = False


class Account:
    """Ledgers by model group, made when a group is first used. Times are passed in and never go back."""

    def __init__(self, config: FakeConfig, now: float) -> None:
        self.config = config
        self.started = now
        self.first_request: float | None = None
        self.ledgers: dict[str, Ledger] = {}
        self._limits = config.limits
        self._group_limits = dict(config.group_limits)
        self._stale: dict[str, StaleLevels] = {}
        self._changes: dict[str, list[Change]] = {}
        self._schedule: list[_Scheduled] = []
        self.set_rules(config.faults, now)

    def set_rules(self, rules: tuple[FaultRule, ...], now: float) -> None:
        """Replace the rules that change limits or bring tenants."""
        self._schedule = [_Scheduled(rule) for rule in rules if rule.kind in ENVIRONMENT_KINDS]
        self._apply(now)
        self.advance(now)

    def set_limits(self, now: float, limits: FakeLimits, group: str | None = None) -> None:
        """New usual limits of one group, or of all (which forgets those told by group)."""
        self.advance(now)
        if group is None:
            self._limits = limits
            self._group_limits.clear()
        else:
            self._group_limits[group] = limits
        self._apply(now)

    def ledger(self, group: str, now: float) -> Ledger:
        """The buckets of a group as they are now."""
        self.advance(now)
        ledger = self.ledgers.get(group)
        if ledger is None:
            ledger = Ledger(group, self._limits_of(group), now)
            ledger.share_with_others(now, self._share_of(group))
            self.ledgers[group] = ledger
            self._note(ledger, -math.inf)
        return ledger

    def advance(self, now: float) -> None:
        """Let the rules take effect whose time has come, each at its own moment and in order."""
        while self._schedule:
            due = [(at, item) for item in self._schedule if (at := self._next_change(item)) <= now]
            if not due:
                return
            at, item = min(due, key=lambda pair: pair[0])
            item.over = item.active
            item.active = not item.active
            self._apply(at)

    def levels(self, ledger: Ledger, now: float) -> tuple[Level, ...]:
        """What the headers describe: the levels of now, or stale ones."""
        age = self.config.headers.stale
        levels = ledger.levels(now)
        if age <= 0:
            return levels
        return self._stale.setdefault(ledger.group, StaleLevels(age)).exchange(now, levels)

    def stats(self, now: float) -> dict[str, GroupStats]:
        """Every group as it is now."""
        self.advance(now)
        found: dict[str, GroupStats] = {}
        for group, ledger in self.ledgers.items():
            ledger.touch(now)
            last = (ledger.requests.consumed, ledger.input.consumed, ledger.output_at_last_admission)
            buckets = {
                name: _bucket_stats(bucket, charged)
                for name, bucket, charged in zip(DIMENSIONS, ledger.buckets, last, strict=True)
            }
            changes = tuple(
                replace(change, at=self._since_first(change.at)) for change in self._changes[group]
            )
            found[group] = GroupStats(ledger.admitted, buckets, changes)
        return found

    def _since_first(self, at: float) -> float:
        origin = self.started if self.first_request is None else self.first_request
        return max(0.0, at - origin)

    def _next_change(self, item: _Scheduled) -> float:
        rule = item.rule
        origin = self.started if rule.since == "server_start" else self.first_request
        if item.over or origin is None:
            return math.inf
        if item.active:
            return math.inf if rule.end is None else origin + rule.end
        return origin + rule.start

    def _apply(self, now: float) -> None:
        for ledger in self.ledgers.values():
            limits, share = self._limits_of(ledger.group), self._share_of(ledger.group)
            if limits != ledger.limits:
                ledger.change(now, limits)
            ledger.share_with_others(now, share)
            self._note(ledger, now)

    def _note(self, ledger: Ledger, at: float) -> None:
        change = Change(at, ledger.limits, ledger.requests.others)
        self._changes.setdefault(ledger.group, []).append(change)

    def _active(self, kind: FaultKind, group: str) -> list[FaultRule]:
        rules = [item.rule for item in self._schedule if item.active]
        return [rule for rule in rules if rule.kind is kind and rule.group in (None, group)]

    def _limits_of(self, group: str) -> FakeLimits:
        limits = self._group_limits.get(group, self._limits)
        for rule in self._active(FaultKind.LIMITS, group):
            limits = rule.limits or _scaled(limits, rule.scale or 1.0)
        return limits

    def _share_of(self, group: str) -> float:
        return min(1.0, sum(rule.share for rule in self._active(FaultKind.TENANT, group)))


def _scaled(limits: FakeLimits, factor: float) -> FakeLimits:
    scaled = {name: value * factor for name in DIMENSIONS if (value := limits.per_minute(name)) is not None}
    return replace(limits, **scaled)


def _bucket_stats(bucket: Bucket, charged: float) -> BucketStats:
    if bucket.limit is None:
        return BucketStats(None, None, None, bucket.consumed, charged)
    return BucketStats(bucket.limit, bucket.depth, bucket.level, bucket.consumed, charged)
