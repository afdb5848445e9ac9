"""Alerts to where somebody looks: a callback, a webhook. Neither delays a job, whatever becomes of it."""

from __future__ import annotations

import inspect
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import anyio
from aiolimiter import AsyncLimiter

from headway.core.alert import Alert

log: Final = logging.getLogger("headway")
HELD: Final = 32
"""Alerts that wait to be delivered; what comes beyond that is in the log only."""
PER_MINUTE: Final = 20
"""Alerts delivered a minute at most."""
TIMEOUT: Final = 10.0
"""Seconds for one delivery."""
PAUSES: Final = (1.0, 4.0)
"""Seconds before the second and the third try of a webhook."""
FAREWELL: Final = 5.0
"""Seconds that a closing scheduler waits for what is still to be delivered."""


@dataclass(frozen=True, slots=True)
class Alerts:
    """Where alerts go, beside the log (at ERROR).

    An alert is raised once for each scope that dies (billing, authentication, a model that does not exist, …),
    until ``scheduler.resume()``.
    """

    callback: Callable[[Alert], object] | None = None
    """Called in the event loop with the `Alert`: it must not block. A coroutine function is awaited."""
    webhook: str | None = field(default=None, repr=False)
    """An http(s) URL that gets a POST with the alert as JSON: ``text`` for people (the field that Slack and
    Mattermost show), ``kind``, ``scope``, ``name``, ``message``, ``remedy``, ``resumes_at`` … for programs.
    Such URLs are secrets: it is in no log."""

    def __post_init__(self) -> None:
        if self.callback is not None and not callable(self.callback):
            raise TypeError(f"Alerts.callback must be callable, not {type(self.callback).__name__}")
        if self.webhook is not None:
            parts = urlsplit(self.webhook)
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                raise ValueError("Alerts.webhook must be a URL that begins with https:// or http://")


class AlertCourier:
    """An `AlertSink` that hands alerts over one after the other, in a task of its own."""

    def __init__(self, alerts: Alerts) -> None:
        self._alerts = alerts
        self._queue: deque[tuple[Alert, str]] = deque()
        self._busy = False
        self._changed = anyio.Event()

    def alert(self, alert: Alert) -> None:
        """Take an alert; it is delivered by `run`."""
        if len(self._queue) >= HELD:
            log.warning("alert not delivered, %d others wait: %s", HELD, alert.dead)
            return
        self._queue.append((alert, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")))
        self._notify()

    async def run(self) -> None:
        """Deliver until cancelled."""
        limiter = AsyncLimiter(
            PER_MINUTE, 60.0
        )  # here, because it keeps its loop; one waiter, so it may wait
        while True:
            while not self._queue:
                await self._changed.wait()
            self._busy = True
            async with limiter:
                alert, at = self._queue.popleft()
                await self._deliver(alert, at)
            self._busy = False
            self._notify()

    async def flush(self) -> None:
        """Wait until everything is delivered, `FAREWELL` seconds at most, cancelled or not."""
        with anyio.move_on_after(FAREWELL, shield=True) as patience:
            while self._queue or self._busy:
                await self._changed.wait()
        if patience.cancelled_caught:
            log.warning("closing with %d alerts undelivered", len(self._queue) + self._busy)

    async def _deliver(self, alert: Alert, at: str) -> None:
        if self._alerts.callback is not None:
            try:
                with anyio.move_on_after(TIMEOUT) as patience:
                    result = self._alerts.callback(alert)
                    if inspect.isawaitable(result):
                        await result
                if patience.cancelled_caught:
                    log.warning("the alert callback took longer than %g s and was cut off", TIMEOUT)
            except Exception:
                log.exception("the alert callback failed")
        if self._alerts.webhook is not None:
            await self._post(self._alerts.webhook, alert.as_json() | {"at": at})

    async def _post(self, url: str, body: dict[str, object]) -> None:
        problem = ""
        for pause in (0.0, *PAUSES):
            await anyio.sleep(pause)
            problem = await _posted(url, body)
            if not problem:
                return
        log.warning("the alert could not be delivered to %s: %s", urlsplit(url).hostname, problem)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


async def _posted(url: str, body: dict[str, object]) -> str:
    """Why a POST failed; empty if it did not."""
    timeout = aiohttp.ClientTimeout(TIMEOUT)
    try:
        # Not with httpx2, which logs the whole URL of every request at INFO.
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
            session.post(url, json=body, allow_redirects=False) as response,
        ):
            return "" if 200 <= response.status < 300 else f"status {response.status}"
    except Exception as error:  # noqa: BLE001 - whatever breaks here must not reach the jobs
        return type(error).__name__  # its text may quote the URL
