"""Limits read from the account, and jobs under them, over real HTTP."""

from __future__ import annotations

import pickle

import pytest
from http_house import Open
from test_secrets_http import shown

from headway import AccountLimitsError, JobState, Limits, Scheduler, account_limits
from headway.core.account_limits import told_group
from headway.testing.fake_api import FakeAPI, FakeConfig, FakeLimits, HeaderPolicy

pytestmark = pytest.mark.anyio
MODELS = ("claude-opus-5-5", "claude-haiku-5-5")
TOGETHER = {"both": MODELS}
"""The built-in table knows them apart."""
SMALL = {"both": FakeLimits(requests=6000, burst=1)}
CANARY = "sk-ant-admin-canary"


async def test_models_that_share_a_limit_share_a_budget(house: Open) -> None:
    """Told apart, each of the two models would take the whole of their common bucket."""
    h = await house(groups=TOGETHER, group_limits=SMALL, headers=HeaderPolicy(omit="always"))
    limits = await account_limits("admin", base_url=h.api.base_url)
    async with h.scheduler(limits=limits) as scheduler:
        jobs = [scheduler.submit("hello", model=MODELS[number % 2]) for number in range(40)]
        outcomes = [await job.outcome() for job in jobs]
        (budget,) = scheduler.status().budgets.items()
    assert {outcome.state for outcome in outcomes} == {JobState.SUCCEEDED}
    assert budget[0] == "Claude both"
    told = {row.dimension: (row.limit, row.origin) for row in budget[1].dimensions}
    assert told["requests"] == (pytest.approx(6000), "told")  # type: ignore[index]
    assert h.api.stats.refused == {}


async def test_headers_win_over_the_listing(house: Open) -> None:
    h = await house(group_limits={"claude-opus-5-5": FakeLimits(requests=6000)})
    limits = await account_limits("admin", base_url=h.api.base_url)
    assert limits.of("opus-5-5").requests == 6000
    h.api.set_limits(FakeLimits(requests=1200), "claude-opus-5-5")
    async with h.scheduler(limits=limits.share(0.5)) as scheduler:
        await scheduler.submit("hello", model="claude-opus-5-5")
        budget = scheduler.status().budgets["opus-5-5"]
    assert (budget.dimensions[0].limit, budget.dimensions[0].origin) == (pytest.approx(1200), "header")
    assert budget.share == 0.5


async def test_groups_may_be_told_while_running(house: Open) -> None:
    h = await house(groups=TOGETHER, group_limits=SMALL)
    async with h.scheduler() as scheduler:
        await scheduler.submit("hello", model=MODELS[0])
        scheduler.set_limits(await account_limits("admin", base_url=h.api.base_url))
        for model in MODELS:
            await scheduler.submit("hello", model=model)
        assert set(scheduler.status().budgets) == {"opus-5-5", "Claude both"}


async def test_a_workspace_is_told_the_smaller_limit(house: Open) -> None:
    own = {"wrkspc_1": {"claude-opus-5-5": FakeLimits(requests=20)}}
    h = await house(
        workspace_limits=own, group_limits={"claude-opus-5-5": FakeLimits(requests=50, output=9000)}
    )
    limits = await account_limits("admin", workspace="wrkspc_1", base_url=h.api.base_url)
    assert limits.of(limits.group_of("claude-opus-5-5")) == Limits(requests=20, output=9000)


async def test_key_and_address_come_from_the_environment(
    house: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    h = await house()
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", ' "admin"\n')
    monkeypatch.setenv("ANTHROPIC_BASE_URL", h.api.base_url)
    limits = await account_limits()
    assert {told_group(limits, f"claude-opus-4-{minor}") for minor in (5, 6, 7, 8)} == {"opus-4"}
    assert all(group.models and group.limits.requests for group in limits.groups), "no batch, no file limits"


@pytest.mark.parametrize(
    ("key", "workspace", "words"),
    [
        (CANARY, None, "must be an Admin key"),
        (f"{CANARY} {CANARY}", None, "white space"),
        (f"{CANARY}\N{EM DASH}", None, "non-ASCII"),
        (None, None, "set ANTHROPIC_ADMIN_KEY"),
        ("", None, "admin_key is empty"),
        ("admin", "wrkspc_none", "no workspace 'wrkspc_none'"),
        ("admin", " ", "workspace is empty"),
    ],
)
async def test_what_is_wrong_is_said_without_the_key(
    monkeypatch: pytest.MonkeyPatch, key: str | None, workspace: str | None, words: str
) -> None:
    monkeypatch.delenv("ANTHROPIC_ADMIN_KEY", raising=False)
    async with FakeAPI(FakeConfig()) as api:
        try:
            await account_limits(key, workspace=workspace, base_url=api.base_url)
        except AccountLimitsError as caught:
            error = caught
    assert words in str(error)
    assert CANARY not in shown(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


async def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headway.adapters.anthropic.listing.random.random", lambda: 0.0)  # no pauses
    async with FakeAPI(FakeConfig()) as api:
        gone = api.base_url
    with pytest.raises(AccountLimitsError, match="could not be read: connection"):
        await account_limits("admin", base_url=gone)


async def test_a_url_that_is_none() -> None:
    with pytest.raises(AccountLimitsError):
        await account_limits("admin", base_url="nonsense")


def test_a_forgotten_await_is_explained() -> None:
    with pytest.raises(TypeError, match="must be awaited"):
        Scheduler(limits=account_limits("admin"))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not int"):
        Scheduler(limits=5)  # type: ignore[arg-type]
