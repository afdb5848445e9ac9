"""What all endpoints of one server share: configuration, account, faults, counters and the clock."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import replace

from headway.testing.fake_api.account import Account
from headway.testing.fake_api.batch_store import BatchStore
from headway.testing.fake_api.bound import Window
from headway.testing.fake_api.config import FakeConfig
from headway.testing.fake_api.exchange import Exchange
from headway.testing.fake_api.fault import FaultKind, FaultRule
from headway.testing.fake_api.fault_plan import FaultPlan, outages
from headway.testing.fake_api.file_store import FileStore
from headway.testing.fake_api.ledger import Ledger
from headway.testing.fake_api.limits import FakeLimits
from headway.testing.fake_api.prompt_cache import PromptCache
from headway.testing.fake_api.rate_headers import Headers, http_date, rate_headers
from headway.testing.fake_api.recorder import Recorder
from headway.testing.fake_api.stats import FakeStats
from headway.testing.fake_api.threads import Threads
from headway.testing.fake_api.wire_error import WireError


class Site:
    """The state of a running server."""

    def __init__(self, config: FakeConfig, loop: asyncio.AbstractEventLoop) -> None:
        self.config = config
        self.now = loop.time
        self.closing = False
        self._ids = 0
        self.reset()

    def reset(self) -> None:
        """Forget everything that happened: counters, attempts, levels, the first request's moment."""
        now = self.now()
        self.passed = 0.0
        """Seconds that `pass_time` moved the clock on."""
        self.started = now
        self.account = Account(self.config, now)
        self.plan = FaultPlan(self.config.faults, self.config.seed)
        self.recorder = Recorder()
        self.counting: Ledger | None = None
        self.filing: Ledger | None = None
        self.files = FileStore(self.wall, self.config.file_quota)
        self.threads = Threads()
        self.batching: Ledger | None = None
        self.batches = BatchStore(self._batch_time)
        self._epoch = time.time()
        self.prompts = PromptCache()

    def next_id(self) -> str:
        """``req_…``, unique on this server."""
        self._ids += 1
        return f"req_011C{self._ids:020d}"

    def pass_time(self, seconds: float) -> None:
        """Move the server's clock on: files and cached prompts expire, buckets do not fill."""
        self.passed += seconds

    def set_limits(self, limits: FakeLimits, group: str | None = None) -> None:
        """New limits from now on, for one group or for all."""
        if group is None:
            self.config = replace(self.config, limits=limits, group_limits={})
        else:
            self.config = replace(self.config, group_limits={**self.config.group_limits, group: limits})
        self.account.set_limits(self.now(), limits, group)

    def set_faults(self, rules: tuple[FaultRule, ...]) -> None:
        """New fault schedule; windows still count from the first request."""
        self.config = replace(self.config, faults=rules)
        self.plan = FaultPlan(rules, self.config.seed)
        self.account.set_rules(rules, self.now())

    def stats(self) -> FakeStats:
        """A snapshot."""
        windows = tuple(Window(start, end) for start, end in outages(self.config.faults))
        seen = self.recorder.snapshot(self.account.stats(self.now()), windows)
        return replace(seen, batches=self.batches.stats())

    def base_headers(self, request_id: str, content_type: str = "application/json") -> Headers:
        """The headers of every answer."""
        return {
            "content-type": content_type,
            "date": http_date(int(self.wall())),
            "request-id": request_id,
            "anthropic-organization-id": self.config.organization_id,
        }

    def wall(self) -> float:
        """The server's clock, epoch seconds."""
        return time.time() + self.config.headers.clock_skew + self.passed

    def _batch_time(self) -> float:
        """The clock of batches, epoch seconds: it goes with the loop's, virtual or not, at its own speed."""
        elapsed = (self.now() - self.started) * self.config.batch_time_scale
        return self._epoch + self.config.headers.clock_skew + self.passed + elapsed

    def rate_headers(self, ledger: Ledger, at: float, error: bool = False) -> Headers:
        """``anthropic-ratelimit-*`` for the levels at the loop time ``at``."""
        omit = self.config.headers.omit
        if omit == "always" or (error and omit == "errors"):
            return {}
        return rate_headers(self.account.levels(ledger, at), self.wall())

    def retry_after(self, seconds: float) -> Headers:
        """``retry-after``, rounded up to whole seconds."""
        if not self.config.headers.retry_after:
            return {}
        return {"retry-after": str(max(1, math.ceil(min(seconds, 86400.0))))}

    def alter(self, headers: Headers, rules: tuple[FaultRule, ...]) -> Headers:
        """Headers after the faults that concern headers."""
        for rule in rules:
            if rule.kind is FaultKind.HEADERS_MISSING:
                headers = {
                    name: value
                    for name, value in headers.items()
                    if name != "retry-after" and not name.startswith("anthropic-ratelimit-")
                }
            if rule.retry_after is not None and (
                rule.kind is not FaultKind.HEADERS or "retry-after" in headers
            ):
                headers = headers | {"retry-after": self._retry_text(rule.retry_after)}
            for name, value in rule.headers.items():
                headers = {key: old for key, old in headers.items() if key != name.lower()}
                if value is not None:
                    headers[name.lower()] = value
        return headers

    def _retry_text(self, text: str) -> str:
        if not text.startswith("date"):
            return text
        return http_date(int(self.wall()) + int(text.removeprefix("date") or 0))

    def answer_error(self, exchange: Exchange, error: WireError, extra: Headers | None = None) -> None:
        """An error answer with the API's JSON body."""
        headers = self.base_headers(exchange.request_id) | error.headers | (extra or {})
        exchange.answer(error.status, headers, error.body(exchange.request_id))
