"""What every budget store must do, as tests to inherit from.

::

    @pytest.mark.anyio
    class TestMyBudgets(BudgetStoreContract):
        @pytest.fixture
        def new_store(self):
            return lambda limits: MyBudgets(limits)

``now`` is given, so a store that keeps its own clock must be told to follow it. pytest itself is not
imported here.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeAlias

from headway.core.account_limits import AccountLimits, GroupLimits
from headway.core.backlog import Backlog
from headway.core.budget import Cost, Refusal, RefusalKind, Wait
from headway.core.dimension import Dimension
from headway.core.limits import Bucket, LimitReport, Limits
from headway.core.usage import Usage
from headway.ports import BudgetKey, BudgetStore, Grant

NewStore: TypeAlias = Callable[[Limits], BudgetStore]
KEY = BudgetKey("account", "group")
OTHER = BudgetKey("account", "other group")
COST = Cost(100.0, 50.0)


async def take(
    store: BudgetStore, now: float, *, key: BudgetKey = KEY, cost: Cost = COST, interactive: bool = False
) -> Grant | Wait:
    """Ask once."""
    return await store.reserve(
        key, cost, now, interactive=interactive, backlog=Backlog(100, 100_000.0), jitter=0.5
    )


async def take_all(
    store: BudgetStore, now: float, most: int = 10_000, *, interactive: bool = False
) -> list[Grant]:
    """Ask until the store says wait."""
    taken: list[Grant] = []
    while len(taken) < most and not isinstance(
        grant := await take(store, now, interactive=interactive), Wait
    ):
        taken.append(grant)
    return taken


class BudgetStoreContract:
    """Inherit, and give a fixture ``new_store``."""

    async def test_told_limits_bound_what_is_granted_at_once(self, new_store: NewStore) -> None:
        """The burst is granted, and no more; then the refill."""
        store = new_store(Limits(requests=60, burst=10))
        taken = await take_all(store, 0.0, interactive=True)
        assert 8 <= len(taken) <= 10
        wait = await take(store, 0.0, interactive=True)
        assert isinstance(wait, Wait)
        assert 0 < wait.seconds <= 60
        assert 1 <= len(await take_all(store, 3.0, interactive=True)) <= 4

    async def test_a_wait_is_a_promise_that_is_nearly_kept(self, new_store: NewStore) -> None:
        """Asking again after the seconds it said leads to a grant in a few steps."""
        store = new_store(Limits(requests=60, input=60_000, burst=10))
        await take_all(store, 0.0)
        now = 0.0
        for _ in range(20):
            granted = await take(store, now)
            if not isinstance(granted, Wait):
                return
            now += granted.seconds
        raise AssertionError(f"still waiting after 20 promises, at {now} s")

    async def test_every_ending_returns_the_place_once(self, new_store: NewStore) -> None:
        """Settle, release, forfeit and refuse: the first one counts, the others do nothing."""
        store = new_store(Limits(requests=6000, input=6_000_000))
        refusal = Refusal(RefusalKind.RATE, 1.0)
        for end in range(4):
            grant = await take(store, 0.0)
            assert not isinstance(grant, Wait)
            assert store.status(0.0)[KEY].in_flight == 1
            for turn in range(4):
                match (end + turn) % 4:
                    case 0:
                        grant.settle(Usage(100, 10), 0.0)
                    case 1:
                        grant.release(0.0)
                    case 2:
                        grant.forfeit(0.0)
                    case _:
                        grant.refuse(refusal, 0.0, 0.5)
                assert store.status(0.0)[KEY].in_flight == 0
            store = new_store(Limits(requests=6000, input=6_000_000))

    async def test_what_is_released_can_be_taken_again(self, new_store: NewStore) -> None:
        """A refusal before any work costs nothing."""
        store = new_store(Limits(requests=60, burst=10))
        taken = await take_all(store, 0.0, interactive=True)
        for grant in taken:
            grant.release(0.0)
        assert len(await take_all(store, 0.0, interactive=True)) == len(taken)

    async def test_what_is_settled_or_forfeited_cannot(self, new_store: NewStore) -> None:
        """Work was done, or may have been."""
        store = new_store(Limits(requests=60, burst=10))
        for number, grant in enumerate(await take_all(store, 0.0, interactive=True)):
            if number % 2:
                grant.settle(Usage(100, 10), 0.0)
            else:
                grant.forfeit(0.0)
        assert len(await take_all(store, 0.0, interactive=True)) <= 1

    async def test_keys_do_not_share(self, new_store: NewStore) -> None:
        """Each model group has limits of its own."""
        store = new_store(Limits(requests=60, burst=10))
        await take_all(store, 0.0, interactive=True)
        assert not isinstance(await take(store, 0.0, key=OTHER, interactive=True), Wait)
        assert set(store.status(0.0)) == {KEY, OTHER}

    async def test_headers_win_over_what_was_told(self, new_store: NewStore) -> None:
        """A limit of one per minute, told as a million."""
        store = new_store(Limits(requests=1_000_000))
        grant = await take(store, 0.0)
        assert not isinstance(grant, Wait)
        grant.observe(LimitReport(((Dimension.REQUESTS, Bucket(60.0, 0.0, 60.0)),)), 0.5)
        grant.settle(Usage(100, 10), 0.5)
        assert len(await take_all(store, 0.5, most=100)) <= 2
        (row,) = (r for r in store.status(0.5)[KEY].dimensions if r.dimension is Dimension.REQUESTS)
        assert row.limit == 60.0

    async def test_retry_after_is_a_minimum(self, new_store: NewStore) -> None:
        """For the job that was refused."""
        store = new_store(Limits(requests=6000))
        for kind in RefusalKind:
            grant = await take(store, 0.0, interactive=True)
            if isinstance(grant, Wait):
                store = new_store(Limits(requests=6000))
                grant = await take(store, 0.0, interactive=True)
            assert not isinstance(grant, Wait)
            assert grant.refuse(Refusal(kind, 7.0), 0.1, 0.0) >= 7.0

    async def test_new_limits_reach_every_budget(self, new_store: NewStore) -> None:
        """Present and future ones."""
        store = new_store(Limits(requests=60, burst=1))
        await take_all(store, 0.0, interactive=True)
        store.set_limits(Limits(requests=60_000, burst=10), 0.0)
        assert len(await take_all(store, 5.0, most=200, interactive=True)) >= 100
        assert not isinstance(await take(store, 5.0, key=OTHER), Wait)

    async def test_priority_tier_is_charged_by_its_weights(self, new_store: NewStore) -> None:
        """A tenth of what came from the cache counts there, and nothing of it elsewhere."""
        levels: list[float] = []
        for tier in ("standard", "priority"):
            store = new_store(Limits(input=600_000, burst=10))
            grant = await take(store, 0.0)
            assert not isinstance(grant, Wait)
            grant.settle(Usage(100, 10, cache_read=50_000, service_tier=tier), 0.0)
            (row,) = (r for r in store.status(0.0)[KEY].dimensions if r.limit is not None)
            assert row.level is not None
            levels.append(row.level)
        assert abs(levels[0] - levels[1] - 5_000) < 1

    async def test_limits_of_an_account_go_to_their_groups(self, new_store: NewStore) -> None:
        """Each budget, present or future, hears those of its own group; fast mode has its own."""
        store = new_store(Limits())
        grant = await take(store, 0.0)
        assert not isinstance(grant, Wait)
        grant.release(0.0)
        mine = GroupLimits(
            KEY.group, KEY.group, (KEY.group,), Limits(requests=60, burst=1), Limits(output=70)
        )
        store.set_limits(AccountLimits((mine,), other=Limits(requests=90)), 0.0)
        fast = BudgetKey(KEY.account, KEY.group, speed="fast")
        for key in (fast, OTHER):
            granted = await take(store, 0.0, key=key, interactive=True)
            if not isinstance(granted, Wait):
                granted.release(0.0)
        told = {
            key: {row.dimension: row.limit for row in budget.dimensions if row.limit is not None}
            for key, budget in store.status(0.0).items()
        }
        assert told == {KEY: {"requests": 60.0}, fast: {"output": 70.0}, OTHER: {"requests": 90.0}}

    async def test_a_random_history_leaks_nothing(self, new_store: NewStore) -> None:
        """In flight is what was granted and not ended; an idle store is never stuck shut."""
        dice = random.Random(7)  # noqa: S311 - a repeatable history
        store = new_store(Limits(requests=600, input=60_000, output=6_000, burst=10))
        held: list[Grant] = []
        now = 0.0
        for _ in range(2000):
            now += dice.expovariate(20)
            if dice.random() < 0.6:
                granted = await take(store, now, interactive=dice.random() < 0.1)
                held += [] if isinstance(granted, Wait) else [granted]
            elif held:
                self._end(held.pop(dice.randrange(len(held))), now, dice)
            if KEY in store.status(now):
                assert store.status(now)[KEY].in_flight == len(held)
        for grant in held:
            grant.forfeit(now)
        assert not isinstance(await take(store, now + 600.0), Wait), "after ten idle minutes there is room"

    @staticmethod
    def _end(grant: Grant, now: float, dice: random.Random) -> None:
        match dice.randrange(5):
            case 0:
                grant.release(now)
            case 1:
                grant.forfeit(now)
            case 2:
                kind = dice.choice(list(RefusalKind))
                grant.refuse(Refusal(kind, dice.choice([None, 0.2, 2.0])), now, dice.random())
            case _:
                grant.settle(Usage(dice.randrange(300), dice.randrange(100)), now)
