"""A town in virtual time: many tenants, three priorities, faults all along. In full: an hour, a hundred tenants."""

from __future__ import annotations

import math
import random
import statistics
from collections import Counter
from functools import partial
from typing import Any
from zlib import crc32

import anyio
import pytest
from virtual_api import VirtualAPI

from headway import Flow, JobState, Priority, Scheduler
from headway.core.error_kind import ErrorKind
from headway.core.request import Request
from headway.ports import Rejection, Reply
from headway.testing.clock import virtual_loop
from headway.testing.transport import last_text, lost, refusal

LIMITS = (240.0, 60_000.0, 20_000.0)
BURST = 10.0
PERSON_EVERY = 2.0
NORMAL_EVERY = 4.0


class UnreliableAPI(VirtualAPI):
    """Three in a hundred requests fail in one way or another: which ones, their names and numbers decide. A storm
    of half a minute after a quarter of the time; half of the limits in the middle."""

    def __init__(self, seconds: float) -> None:
        super().__init__(LIMITS, burst=BURST, storm=(seconds / 4, seconds / 4 + 30))
        self.lean = (seconds / 2, seconds / 2 + seconds / 12)
        self.seen: Counter[str] = Counter()
        self.first: dict[str, float] = {}

    async def live(self) -> None:
        await anyio.sleep_until(self.lean[0])
        self.cut(0.5)
        await anyio.sleep_until(self.lean[1])
        self.cut(2.0)

    async def send(self, request: Request, **options: Any) -> Reply | Rejection:
        text = last_text(request.params)
        self.seen[text] += 1
        self.first.setdefault(text.split()[2], anyio.current_time())
        fate = crc32(f"{text} {self.seen[text]}".encode()) % 300
        if fate < 3:
            await anyio.sleep(0.3)
            return refusal(500, "api_error")
        if fate < 6:
            await anyio.sleep(1.0)
            return lost(ErrorKind.DISCONNECTED)
        if fate < 9:
            return await self._refuse(529, "overloaded_error")
        return await super().send(request, **options)


class Town:
    """Who asks for what, and what became of it."""

    def __init__(self, seconds: float, tenants: int) -> None:
        self.seconds = seconds
        self.tenants = [f"tenant-{number}" for number in range(tenants)]
        self.gold = self.tenants[::10]
        """They have twice the share of the others."""
        self.api = UnreliableAPI(seconds)
        self.asked: dict[str, float] = {}
        self.states: Counter[JobState] = Counter()
        self.served: Counter[str] = Counter()
        self.last = dict.fromkeys(self.tenants, 0.0)
        self.longest = dict.fromkeys(self.tenants, 0.0)

    async def live(self, *, people_only: bool) -> None:
        flow = Flow(weights=dict.fromkeys(self.gold, 2.0))
        model = "claude-haiku-5-5"
        async with Scheduler(model=model, max_tokens=1024, transport=self.api, flow=flow) as scheduler:
            self.scheduler = scheduler
            async with anyio.create_task_group() as group:
                group.start_soon(self.api.live)
                group.start_soon(self.regular, "person", Priority.INTERACTIVE, PERSON_EVERY)
                if not people_only:
                    group.start_soon(self.regular, "normal", Priority.NORMAL, NORMAL_EVERY)
                    for tenant in self.tenants:
                        for place in range(3):
                            group.start_soon(self.backlog, tenant, place)
            status = scheduler.status()
            assert (status.queued, status.in_flight) == (0, 0)
            assert sum(budget.in_flight for budget in status.budgets.values()) == 0, (
                "every reservation came back"
            )

    async def ask(self, name: str, priority: Priority, tenant: str) -> None:
        """One job from submit to outcome."""
        self.asked[name] = anyio.current_time()
        text = f"150 40 {name} ".ljust(500, "x")
        outcome = await self.scheduler.submit(text, priority=priority, tenant=tenant).outcome()
        self.states[outcome.state] += 1
        assert outcome.state is JobState.SUCCEEDED, "no fault here is one that a job does not survive"

    async def backlog(self, tenant: str, place: int) -> None:
        """A tenant with always something to do."""
        number = 0
        while anyio.current_time() < self.seconds:
            number += 1
            await self.ask(f"{tenant}-{place}-{number}", Priority.BULK, tenant)
            now = anyio.current_time()
            self.longest[tenant] = max(self.longest[tenant], now - self.last[tenant])
            self.last[tenant] = now
            self.served[tenant] += 1

    async def regular(self, kind: str, priority: Priority, every: float) -> None:
        """Somebody asks every few seconds, without waiting for answers."""
        async with anyio.create_task_group() as group:
            for number in range(int(self.seconds / every)):
                name = f"{kind}-{number}"
                tenant = self.tenants[crc32(name.encode()) % len(self.tenants)]
                group.start_soon(self.ask, name, priority, tenant)
                await anyio.sleep(every)

    def waits(self) -> dict[str, float]:
        """Seconds from each person's question to its first sending."""
        return {
            name: self.api.first[name] - at for name, at in self.asked.items() if name.startswith("person")
        }


def lived(seconds: float, tenants: int, *, people_only: bool = False) -> Town:
    random.seed(1)  # the dispatcher's jitter
    town = Town(seconds, tenants)
    anyio.run(partial(town.live, people_only=people_only), backend_options={"loop_factory": virtual_loop})
    return town


@pytest.mark.parametrize(
    ("seconds", "tenants"), [(400.0, 20), pytest.param(3600.0, 100, marks=pytest.mark.heavy)]
)
def test_a_town(seconds: float, tenants: int) -> None:
    town = lived(seconds, tenants)
    ended = sum(town.states.values())
    assert ended == len(town.asked), "every job ended exactly once"
    rate = LIMITS[0] / 60
    possible = rate * (seconds - seconds / 24 - 30)  # half the limit for a twelfth, nothing in the storm
    assert ended >= 0.95 * possible
    assert town.api.refusals(429) <= 5

    # No starvation, fair shares.
    shares = [town.served[tenant] / (2.0 if tenant in town.gold else 1.0) for tenant in town.tenants]
    mean = statistics.mean(shares)
    assert min(shares) >= 0.9 * mean
    assert max(shares) <= 1.1 * mean
    assert max(town.longest.values()) <= 5 * tenants / rate + 60, "five rounds, and the storm"

    # A person starts when a person alone would have started.
    alone, crowded = lived(seconds, tenants, people_only=True).waits(), town.waits()
    begin, end = town.api.storm
    # In the storm it is luck whose probe is drawn first, and a short run has few people.
    lucky = {name for name, at in town.asked.items() if begin - 1 <= at <= end + 5}
    names = [name for name in alone if seconds == 3600.0 or name not in lucky]
    later = sorted(crowded[name] - alone[name] for name in names)
    assert statistics.median(later) <= 0.1
    assert later[math.ceil(0.99 * len(later)) - 1] <= 1.0
