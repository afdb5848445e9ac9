"""The FastAPI example, as it stands, in a real server over a fake API."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import pytest

from headway.testing.fake_api import FakeAPI, FakeConfig, FakeLimits, FaultKind, FaultRule, Latency
from served import events, served, until

pytestmark = pytest.mark.anyio
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "web.py"


@pytest.fixture
async def api(anyio_backend: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeAPI]:
    limits = FakeLimits(requests=6000, input=2_000_000, output=400_000, burst=10)
    faults = (FaultRule(FaultKind.STATUS, status=529, probability=0.03),)
    latency = Latency(ttft=0.02, speed=20_000)
    async with FakeAPI(FakeConfig(limits=limits, faults=faults, latency=latency)) as api:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", api.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "any")
        yield api


@pytest.fixture
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("web_example", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_people_chat_while_classifications_run(
    api: FakeAPI, example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATUS_TOKEN", "open")
    async with served(example.app) as client:

        async def classified(number: int) -> bool:
            tenant = {"X-Tenant": "gold" if number % 2 else "iron"}
            async with client.post("/classify", json={"text": f"fine {number}"}, headers=tenant) as answer:
                assert answer.status == 200, await answer.text()
                return (await answer.json())["mood"] in ("good", "bad")

        async def chatted(number: int) -> str:
            async with client.get("/chat", params={"prompt": f"number {number}"}) as answer:
                return events(await answer.text())[-1][0]

        async with asyncio.TaskGroup() as group:
            reviews = [group.create_task(classified(number)) for number in range(40)]
            chats = [group.create_task(chatted(number)) for number in range(10)]
        assert all(task.result() for task in reviews)
        assert {task.result() for task in chats} == {"done"}
        async with client.get("/headway") as answer:
            assert answer.status == 403
        async with client.get("/headway?token=open") as answer:
            assert (answer.status, answer.content_type) == (200, "text/html")
        async with client.get("/headway/status?token=open") as answer:
            seen = await answer.json()
            assert (seen["succeeded"], seen["failed"], seen["in_flight"]) == (50, 0, 0)


async def test_who_leaves_is_not_paid_for(api: FakeAPI, example: ModuleType) -> None:
    api.set_faults((FaultRule(FaultKind.HANG, seconds=1000.0),))
    async with served(example.app) as client:
        asking = asyncio.create_task(client.post("/classify", json={"text": "x"}))
        await until(lambda: example.app.state.headway.status().in_flight == 1)
        asking.cancel()
        await until(lambda: example.app.state.headway.status().cancelled == 1)
