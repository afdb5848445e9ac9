"""The whole scheduler against a virtual API for minutes of its time: full speed, next to nothing refused."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import anyio
import pytest
from virtual_api import VirtualAPI

from headway import JobState, Limits, Priority, Scheduler

pytestmark = [pytest.mark.anyio, pytest.mark.heavy]
TIER = (600.0, 120_000.0, 40_000.0)


def prompt(text: str, name: object) -> str:
    """As long as its tokens: the estimate of a prompt follows its characters."""
    return f"{text} {name} ".ljust(int(3.5 * int(text.split(maxsplit=1)[0])), "x")


def prompts(text: str = "150 40") -> Iterator[str]:
    return (prompt(text, number) for number in itertools.count())


def scheduler(api: VirtualAPI, **options: object) -> Scheduler:
    return Scheduler(model="claude-haiku-5-5", max_tokens=1024, transport=api, **options)  # type: ignore[arg-type]


async def run_for(api: VirtualAPI, until: float, text: str = "150 40", **options: object) -> None:
    async with scheduler(api, **options) as s, s.map(prompts(text)) as outcomes:  # type: ignore[arg-type]
        with anyio.CancelScope(deadline=until):
            async for outcome in outcomes:
                assert outcome.state is JobState.SUCCEEDED


@pytest.mark.parametrize(
    ("text", "burst", "least"),
    [
        pytest.param("150 40", 1.0, 0.95, id="requests, ten of them deep"),
        pytest.param("900 40", 10.0, 0.95, id="input"),
        pytest.param("100 250", 60.0, 0.95, id="output"),
    ],
)
async def test_the_limit_is_used_and_respected(text: str, burst: float, least: float) -> None:
    """Told nothing, bound by each dimension in turn, with shallow and deep buckets."""
    api = VirtualAPI(TIER, burst=burst)
    await run_for(api, 180.0, text)
    assert api.used() >= least
    assert api.refusals(429) <= 2


async def test_told_limits_use_the_burst_at_once() -> None:
    api = VirtualAPI(TIER, burst=30.0)
    await run_for(api, 20.0, limits=Limits(*TIER, burst=30.0))
    assert api.rate(0.0, 10.0) > 2 * TIER[0] / 60, "a rested bucket is emptied faster than it refills"
    assert api.refusals(429) == 0


async def test_told_too_much_is_corrected_by_headers() -> None:
    api = VirtualAPI(TIER, burst=10.0)
    await run_for(api, 120.0, limits=Limits(TIER[0] * 5, TIER[1] * 5, TIER[2] * 5))
    assert api.used() >= 0.95
    assert api.refusals(429) <= 20, "one surprise at the start"
    assert api.refusals(429, since=15.0) == 0


async def test_without_headers_the_limit_is_found_from_refusals() -> None:
    api = VirtualAPI(TIER, burst=10.0, headers=False)
    await run_for(api, 300.0)
    assert api.rate(120.0, 300.0) >= 0.85 * TIER[0] / 60
    assert api.refusals(429) <= 0.04 * len(api.served)


async def test_limits_cut_and_raised_in_mid_run() -> None:
    api = VirtualAPI(TIER, burst=10.0)
    async with scheduler(api) as s, s.map(prompts()) as outcomes:

        async def change() -> None:
            await anyio.sleep_until(60)
            api.cut(0.25)
            await anyio.sleep_until(120)
            api.cut(4.0)

        async with anyio.create_task_group() as group:
            group.start_soon(change)
            with anyio.CancelScope(deadline=170):
                async for _ in outcomes:
                    pass
    full = TIER[0] / 60
    assert api.rate(80, 120) == pytest.approx(full / 4, rel=0.1)
    assert api.rate(135, 170) == pytest.approx(full, rel=0.1)
    assert api.refusals(429) <= 5


async def test_a_storm_collapses_to_probes_and_is_over_when_it_is_over() -> None:
    api = VirtualAPI(TIER, burst=10.0, storm=(30.0, 90.0))
    await run_for(api, 125.0)
    assert api.refusals(529, since=34.0) <= 2 * 56, "at most two probes a second"
    assert api.rate(93.0, 120.0) >= 0.95 * TIER[0] / 60
    assert api.refusals(429) <= 2


async def test_an_unseen_tenant_gets_its_room_and_gives_it_back() -> None:
    api = VirtualAPI(TIER, burst=10.0)
    async with scheduler(api) as s, s.map(prompts("900 40")) as outcomes:  # type: ignore[arg-type]

        async def tenant() -> None:
            await anyio.sleep_until(60)
            api._touch()
            api.others = 0.6 * TIER[1] / 60
            await anyio.sleep_until(120)
            api._touch()
            api.others = 0.0

        async with anyio.create_task_group() as group:
            group.start_soon(tenant)
            with anyio.CancelScope(deadline=180):
                async for _ in outcomes:
                    pass
    alone = TIER[1] / 60 / 900
    assert api.rate(75, 120) == pytest.approx(0.4 * alone, rel=0.15)
    assert api.rate(130, 180) >= 0.93 * alone
    assert api.refusals(429) <= 2


async def test_interactive_starts_at_once_while_bulk_saturates() -> None:
    api = VirtualAPI(TIER, burst=10.0)
    delays: list[float] = []
    async with scheduler(api) as s, s.map(prompts()) as outcomes:

        async def people() -> None:
            await anyio.sleep_until(15)
            for number in range(30):
                at = anyio.current_time()
                await s.submit(prompt("150 40", f"person {number}"), priority=Priority.INTERACTIVE)
                started = next(
                    when for when, text in api.starts if text == prompt("150 40", f"person {number}")
                )
                delays.append(started - at)
                await anyio.sleep(1)
            scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(people)
            with anyio.CancelScope() as scope:
                async for _ in outcomes:
                    pass
    assert sorted(delays)[len(delays) // 2] <= 0.02
    assert sorted(delays)[-2] <= 0.2


async def test_a_giant_neither_starves_nor_blocks() -> None:
    """Twice as large as the bucket: it runs alone when the bucket is full, and the small ones go on."""
    api = VirtualAPI(TIER, burst=10.0)
    async with scheduler(api) as s, s.map(prompts("600 40")) as outcomes:  # type: ignore[arg-type]
        with anyio.CancelScope(deadline=300) as scope:

            async def giant() -> None:
                await anyio.sleep_until(60)
                tokens = int(2 * TIER[1] / 60 * 10)
                await s.submit(prompt(f"{tokens} 40", "giant"))
                scope.cancel()

            async with anyio.create_task_group() as group:
                group.start_soon(giant)
                async for _ in outcomes:
                    pass
        assert anyio.current_time() < 120, "it had its turn"
    assert api.rate(10, 60) > 0.9 * TIER[1] / 60 / 600


async def test_a_thousand_in_flight_when_limits_are_cut_do_not_become_a_thousand_refusals() -> None:
    api = VirtualAPI((6000.0, 2_000_000.0, 4_000_000.0), burst=60.0)
    async with scheduler(api) as s, s.map(prompts("150 600")) as outcomes:  # type: ignore[arg-type]
        with anyio.CancelScope(deadline=30):
            async for _ in outcomes:
                if anyio.current_time() > 12 and api.buckets[0].limit == 6000.0:
                    assert s.status().in_flight > 500
                    api.cut(0.05)
    assert api.refusals(429) <= 40
