"""The status page in a real browser, where there is one (Debian: ``apt-get install chromium``).

``HEADWAY_SCREENSHOT=docs/status-page.png pytest tests/web/test_page_in_browser.py -n 0`` makes the picture of
docs/web.md.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
from typing import Any, Final

import aiohttp
import anyio
import pytest
from starlette.applications import Starlette

import headway.web
from headway import Priority, Scheduler
from headway.testing.fake_api import FakeAPI, FakeConfig, FakeLimits, FaultKind, FaultRule, Latency
from served import served

pytestmark = pytest.mark.anyio
NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER: Final = next(filter(None, map(shutil.which, NAMES)), None)
PATIENCE = 60.0
"""Seconds that a browser may take to start on a busy machine."""
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


async def browse(client: aiohttp.ClientSession, path: str, *options: str) -> str:
    """What the page is after three seconds of its own time."""
    assert BROWSER is not None
    with tempfile.TemporaryDirectory() as profile:
        process = await asyncio.create_subprocess_exec(
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-proxy-server",
            "--disable-dev-shm-usage", f"--user-data-dir={profile}", "--virtual-time-budget=3000",
            *options, f"{client._base_url.origin()}{path}",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
        except BaseException:
            process.kill()
            await process.wait()
            raise
    assert process.returncode == 0, err.decode()
    return out.decode()


@pytest.mark.skipif(BROWSER is None, reason="no chromium here")
async def test_the_page_shows_what_happens_and_runs_nothing_of_what_it_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = FakeLimits(requests=1200, input=60_000, output=60_000, burst=10)
    faults = (
        FaultRule(FaultKind.STATUS, status=529, probability=0.08),
        FaultRule(FaultKind.STATUS, status=400, error_type=HOSTILE, message="you said: a secret", count=2),
    )
    async with FakeAPI(FakeConfig(limits=limits, faults=faults, latency=Latency(ttft=0.2, speed=80))) as api:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", api.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
        app = Starlette(
            lifespan=headway.web.lifespan(
                lambda: Scheduler(model="claude-sonnet-5-5", max_tokens=64), grace=0
            ),
            routes=headway.web.status_routes(),
        )
        async with served(app) as client, anyio.create_task_group() as group:
            scheduler: Scheduler = app.state.headway
            group.start_soon(work, scheduler)
            await anyio.sleep(float(os.environ.get("HEADWAY_SETTLE", "1")))
            page = await browse(client, "/headway", "--dump-dom")
            if picture := os.environ.get("HEADWAY_SCREENSHOT"):
                await browse(client, "/headway", f"--screenshot={picture}", "--window-size=1060,700")
            group.cancel_scope.cancel()
    assert "running for" in page
    assert "owned" not in page.split("</title>")[0]
    assert "&lt;img src=x onerror" in page
    assert "<img" not in page
    assert "secret" not in page
    rows = dict(re.findall(r"<dt>([^<]+)</dt><dd[^>]*>([^<]*)", page))
    assert int(rows["succeeded"]) > 0
    assert int(rows["failed"]) == 2
    assert float(rows["cost"].strip("$")) > 0
    assert re.search(r'class="ours" style="width: [\d.]*[1-9]', page), (
        "bars have a width under the page's own policy"
    )
    assert "sonnet-5-5" in page
    assert "overloaded" in page


async def work(scheduler: Scheduler) -> None:
    """Somebody chats while a batch runs."""
    async with anyio.create_task_group() as group:

        async def batch() -> None:
            async with scheduler.map(f"a secret number {n}" for n in range(10_000)) as outcomes:
                async for _ in outcomes:
                    pass

        async def chat(kind: Any) -> None:
            while True:
                await scheduler.submit("a secret", priority=kind).outcome()
                await anyio.sleep(0.3)

        group.start_soon(batch)
        group.start_soon(chat, Priority.INTERACTIVE)


@pytest.mark.skipif(BROWSER is None, reason="no chromium here")
async def test_the_page_says_when_there_is_no_answer() -> None:
    app = Starlette(
        routes=headway.web.status_routes("/ops", allow=lambda request: request.url.path == "/ops")
    )
    async with served_without_life(app) as client:
        page = await browse(client, "/ops", "--dump-dom")
    assert "no answer (status 403)" in page


def served_without_life(app: Any) -> Any:
    return served(app, lifespan="off")
