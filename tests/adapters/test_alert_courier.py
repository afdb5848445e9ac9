"""Alerts on their way out: a callback, a webhook over real HTTP, and what happens when neither works."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import pytest
from aiohttp import web

from headway import Alert, Alerts, Scheduler
from headway.adapters import alerts as module
from headway.adapters.alerts import HELD, AlertCourier
from headway.core.error_kind import ErrorKind
from headway.core.failure import failure_of
from headway.core.scopes import ACCOUNT
from headway.testing.transport import ScriptedTransport, refusal

pytestmark = pytest.mark.anyio
SECRET = "T0K3N-in-the-path"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSES", (0.0, 0.0))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


class Hook:
    """A webhook on this machine; answers with the given statuses, then 200."""

    def __init__(self, *statuses: int) -> None:
        self.bodies: list[dict[str, object]] = []
        self.statuses = list(statuses)
        self.url = ""

    async def answer(self, request: web.BaseRequest) -> web.Response:
        self.bodies.append(json.loads(await request.text()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


@asynccontextmanager
async def listening(hook: Hook) -> AsyncIterator[Hook]:
    server = web.Server(hook.answer, access_log=None)  # type: ignore[arg-type]
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    hook.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/{SECRET}"
    try:
        yield hook
    finally:
        listener.close()
        await server.shutdown(0.01)
        await listener.wait_closed()


def scheduler(alerts: Alerts, status: int = 402) -> Scheduler:
    transport = ScriptedTransport(lambda _: refusal(status, message="no credit"), latency=0.0)
    return Scheduler(model="claude-sonnet-5-5", max_tokens=8, transport=transport, alerts=alerts)


async def dies(alerts: Alerts) -> None:
    async with scheduler(alerts) as s:
        jobs = [s.submit(f"the prompt {number}") for number in range(20)]
        assert all([(await job.outcome()).resumable for job in jobs])


async def test_a_webhook_gets_one_post_before_the_scheduler_is_closed() -> None:
    async with listening(Hook()) as hook:
        await dies(Alerts(webhook=hook.url))
        [body] = hook.bodies
    assert (body["source"], body["kind"], body["scope"]) == ("headway", "billing", "account")
    assert "no credit" in str(body["message"])
    assert "Add credit" in str(body["remedy"])
    assert str(body["at"]).endswith("Z")
    assert "prompt" not in json.dumps(body)


async def test_a_webhook_is_tried_three_times_and_its_url_stays_secret(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with listening(Hook(500, 503)) as hook:
            await dies(Alerts(webhook=hook.url))
            assert len(hook.bodies) == 3
            assert not [r for r in caplog.records if "could not be delivered" in r.getMessage()]
            hook.statuses = [500] * 9
            await dies(Alerts(webhook=hook.url))
            assert len(hook.bodies) == 6
        await dies(Alerts(webhook=hook.url))  # nobody listens any more
    failed = [r.getMessage() for r in caplog.records if "could not be delivered" in r.getMessage()]
    assert failed[0].endswith("127.0.0.1: status 500")
    assert "ClientConnectorError" in failed[1]
    assert SECRET not in caplog.text
    assert SECRET not in repr(Alerts(webhook=hook.url))


def collected(into: list[Alert]) -> Callable[[Alert], None]:
    return into.append


async def test_a_callback_plain_and_awaited() -> None:
    heard: list[Alert] = []

    async def slowly(alert: Alert) -> None:
        await anyio.sleep(0.01)
        heard.append(alert)

    await dies(Alerts(callback=collected(heard)))
    await dies(Alerts(callback=slowly))
    assert [(a.dead, a.failure.kind) for a in heard] == [(ACCOUNT, ErrorKind.BILLING)] * 2


async def test_a_callback_that_fails_or_hangs_harms_nobody(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.02)

    async def hang(alert: Alert) -> None:
        await anyio.sleep_forever()

    def fail(alert: Alert) -> None:
        raise RuntimeError("broken")

    with caplog.at_level(logging.WARNING, logger="headway"), anyio.fail_after(20):
        await dies(Alerts(callback=hang))
        await dies(Alerts(callback=fail))
    assert "cut off" in caplog.text
    assert "the alert callback failed" in caplog.text


async def test_closing_does_not_wait_for_ever(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FAREWELL", 0.02)

    async def hang(alert: Alert) -> None:
        await anyio.sleep_forever()

    with caplog.at_level(logging.WARNING, logger="headway"), anyio.fail_after(20):
        await dies(Alerts(callback=hang))
    assert "1 alerts undelivered" in caplog.text


async def test_a_flood_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Alert] = []
    courier = AlertCourier(Alerts(callback=heard.append))
    alert = Alert(ACCOUNT, failure_of(ErrorKind.BILLING, "x"), 0)
    with caplog.at_level(logging.WARNING, logger="headway"):
        for _ in range(HELD + 5):
            courier.alert(alert)
    assert sum("not delivered" in r.getMessage() for r in caplog.records) == 5
    async with anyio.create_task_group() as group:
        group.start_soon(courier.run)
        await anyio.sleep(0.05)
        assert len(heard) == module.PER_MINUTE, "paced: the rest comes within the minute"
        group.cancel_scope.cancel()


@pytest.mark.parametrize("url", ["hooks.slack.com/x", "ftp://x/y", "https://", ""])
def test_a_url_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match=r"Alerts\.webhook"):
        Alerts(webhook=url)


def test_a_callback_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match=r"Alerts\.callback"):
        Alerts(callback="https://x")  # type: ignore[arg-type]
