"""The catalogue of a scheduler: ``newest:sonnet`` is an id before anything else sees the request, and prices."""

from __future__ import annotations

import pytest

from headway import Catalog, Price, RequestError, Scheduler
from headway.core.listed_model import ListedModel
from headway.testing.transport import ScriptedTransport

pytestmark = pytest.mark.anyio


async def test_wherever_the_model_is_named() -> None:
    transport = ScriptedTransport()
    async with Scheduler(model="newest:sonnet", max_tokens=8, transport=transport) as scheduler:
        await scheduler.submit("by default")
        await scheduler.submit("by the call", model="newest:haiku")
        await scheduler.submit(
            {"model": "newest:opus", "messages": [{"role": "user", "content": "by the body"}]}
        )
        async for outcome in scheduler.map([{"params": {"model": "newest:fable", "messages": [USER]}}]):
            assert outcome.request.model == "claude-fable-5-2"
        with pytest.raises(RequestError, match=r"newest:sonet.*lines: fable, haiku"):
            scheduler.submit("mistyped", model="newest:sonet")
    assert [sent.request.model for sent in transport.sent] == [
        "claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5-5", "claude-fable-5-2",
    ]  # fmt: skip


async def test_by_a_catalogue_of_the_users_own() -> None:
    transport = ScriptedTransport()
    newer = Catalog().with_models(
        [ListedModel("claude-sonnet-6", "sonnet", created="2027-01-01")], "2027-01-02"
    )
    async with Scheduler(
        model="newest:sonnet", max_tokens=8, transport=transport, catalog=newer
    ) as scheduler:
        await scheduler.submit("Hello")
    assert transport.sent[0].request.model == "claude-sonnet-6"


async def test_a_word_that_is_no_catalogue_is_refused() -> None:
    with pytest.raises(ValueError, match="catalog must be a Catalog or 'builtin', not 'built-in'"):
        Scheduler(catalog="built-in")  # type: ignore[arg-type]
    async with Scheduler(transport=ScriptedTransport(), catalog="builtin", max_tokens=8) as scheduler:
        job = scheduler.submit("Hello", model="newest:sonnet")
        assert (await job.outcome()).request.model == "claude-sonnet-5-5"


async def test_prices_of_the_users_own() -> None:
    transport = ScriptedTransport()
    mine = Catalog().with_prices({"my-model": Price(input=1e6, output=2e6, cache_read=1)})
    async with Scheduler(model="my-model", max_tokens=8, transport=transport, catalog=mine) as scheduler:
        outcome = await scheduler.submit("Hello").outcome()
        assert outcome.usage is not None
        assert outcome.cost == outcome.usage.input + 2 * outcome.usage.output > 0
        assert scheduler.status().cost == outcome.cost
        assert (await scheduler.submit("Hello", model="another").outcome()).cost is None
    assert scheduler.status().cost_unknown == 1


USER = {"role": "user", "content": "by the batch request"}
