"""``headway.middleware(…)``: the scheduler as a middleware of its own, for a client that is made elsewhere.

It starts on first use in the running event loop and rests when nothing is going on; a second ``asyncio.run`` gets
a new one, with budgets that start again.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from headway.core.account_limits import AccountLimits
from headway.core.error_kind import ErrorKind, Scope
from headway.core.failure import Failure, failure_of
from headway.core.job import Priority
from headway.core.limits import Limits, OnHeaders
from headway.core.model_suggestion import suggest
from headway.core.price import Price
from headway.core.request import Request
from headway.core.retry import RetryPolicy
from headway.core.spend import SpendCap
from headway.ports import Rejection
from headway.runtime.flow import Flow
from headway.runtime.terms import Terms
from headway.scheduler import Scheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from anthropic.types import Message

    from headway.adapters.alerts import Alerts
    from headway.adapters.anthropic import SchedulerMiddleware
    from headway.adapters.anthropic.endpoints import EndpointLimits, EndpointPace
    from headway.adapters.anthropic.standalone import HeadwayMiddleware
    from headway.ports import AlertSink, EventSink

USUAL_RETRY: Final = RetryPolicy()
LINGER: Final = 1.0
"""Seconds that the tasks of an idle middleware stay, so that calls one after the other find them there."""


def middleware(  # noqa: PLR0913 - as the scheduler it makes: options are keyword-only
    limits: Limits | AccountLimits | None = None,
    *,
    retry: RetryPolicy | None = USUAL_RETRY,
    flow: Flow | None = None,
    endpoints: EndpointLimits | None = None,
    sinks: Sequence[EventSink | AlertSink] = (),
    alerts: Alerts | None = None,
    priority: Priority = Priority.NORMAL,
    tenant: str = "",
    tag: str = "",
    deadline: float | None = None,
    prices: Mapping[str, Price] | None = None,
    spend_cap: SpendCap | None = None,
) -> HeadwayMiddleware:
    """A middleware for ``AsyncAnthropic(middleware=[…], max_retries=0)``: budgets, queue and retries of headway.

    Put it last in the list, after the SDK's refusal fallback. One middleware stands for one API key. With
    ``retry=None`` it only paces and learns, and leaves retrying to the SDK (leave its ``max_retries`` on); else
    set ``max_retries=0``, or the SDK retries on top. ``alerts`` tells somebody when a scope dies; it needs headway's
    own decisions (ValueError with ``retry=None``). ``priority``, ``tenant``, ``tag`` and ``deadline`` hold for all
    calls, ``spend_cap`` for those of an event loop. ``await middleware.scheduler()`` is the scheduler behind it,
    ``await middleware.aclose()`` ends it early.
    """
    from headway.adapters.anthropic.endpoints import EndpointPace
    from headway.adapters.anthropic.standalone import HeadwayMiddleware

    if retry is None and alerts is not None:
        raise ValueError("alerts need headway's own decisions: leave out retry=None, or the alerts")
    standalone = Standalone(
        lambda: Scheduler(
            transport=_Elsewhere(),
            limits=limits,
            retry=retry,
            flow=flow,
            sinks=sinks,
            alerts=alerts,
            prices=prices,
            spend_cap=spend_cap,
        ),
        EndpointPace(endpoints),
        Terms(priority, tenant, deadline, tag=tag),
        retries=retry is not None,
    )
    return HeadwayMiddleware(standalone)


class Standalone:
    """The schedulers behind one `middleware`: one for each event loop it is used in."""

    def __init__(
        self, make: Callable[[], Scheduler], pace: EndpointPace, terms: Terms, *, retries: bool
    ) -> None:
        self._make = make
        self._pace = pace
        self._terms = terms
        self._retries = retries
        self._houses: WeakKeyDictionary[asyncio.AbstractEventLoop, _House] = WeakKeyDictionary()

    async def gate(self) -> SchedulerMiddleware:
        """The middleware of the running event loop."""
        return (await self._here()).gate

    async def scheduler(self) -> Scheduler:
        """The scheduler of the running event loop: for ``status()`` and ``set_limits()``."""
        return (await self._here()).scheduler

    async def aclose(self) -> None:
        """End the scheduler of this event loop now; calls in flight are cut off."""
        house = self._houses.pop(asyncio.get_running_loop(), None)
        if house is not None:
            await house.close()

    async def _here(self) -> _House:
        loop = asyncio.get_running_loop()
        house = self._houses.get(loop)
        if house is None:
            self._forget_closed()
            house = self._houses[loop] = _House(self._make(), self._terms, self._pace, self._retries)
        await house.open()
        return house

    def _forget_closed(self) -> None:
        """A house holds its loop, so it would never go by itself."""
        for reference in self._houses.keyrefs():
            other = reference()
            if other is not None and other.is_closed():
                self._houses.pop(other, None)


class _House:
    """A scheduler with a task of its own, for as long as there are calls and a little longer.

    It keeps no task while nothing is going on: programs and test suites wait for every task of their loop to end
    (``asyncio.all_tasks()``), and would wait for ever. What was learned stays.
    """

    def __init__(self, scheduler: Scheduler, terms: Terms, pace: EndpointPace, retries: bool) -> None:
        self.scheduler = scheduler
        self.gate: SchedulerMiddleware = scheduler._middleware(None, terms, pace=pace, retries=retries)  # pyright: ignore[reportPrivateUsage]
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._wake = scheduler.__aenter__
        """How its next life begins."""

    async def open(self) -> None:
        while not self._ready.is_set():
            if self._task is not None and not self._task.done():
                ready = asyncio.ensure_future(self._ready.wait())
                await asyncio.wait([self._task, ready], return_when=asyncio.FIRST_COMPLETED)
                ready.cancel()
            else:
                self._task = asyncio.get_running_loop().create_task(self._live(), name="headway middleware")

    async def _live(self) -> None:
        scheduler = self.scheduler
        await self._wake()
        self._wake = scheduler._wake  # pyright: ignore[reportPrivateUsage]
        self._ready.set()
        try:
            await scheduler._idle(LINGER)  # pyright: ignore[reportPrivateUsage]
        except BaseException as error:  # cancelled: by `close`, or with the loop
            self._ready.clear()
            await scheduler.__aexit__(type(error), error, error.__traceback__)
            raise
        self._ready.clear()
        await scheduler._rest()  # pyright: ignore[reportPrivateUsage]

    async def close(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])


class _Elsewhere:
    """The transport of a scheduler whose every request is sent by a client of the user's."""

    account = "clients"
    connections = None

    def prepare(self, request: Request) -> Request:
        """As it is."""
        return request

    async def send(
        self, request: Request, *, streamed: bool = False, on_headers: OnHeaders | None = None
    ) -> Rejection:
        """Never asked: this scheduler has guests only."""
        how = "streamed" if streamed else "sent"
        return Rejection(failure_of(ErrorKind.INTERNAL, f"nothing can be {how} for {request!r} from here"))

    async def advise(self, failure: Failure, request: Request) -> Failure:
        """From the built-in table: there is no client to ask with."""
        if failure.scope is not Scope.MODEL:
            return failure
        said = failure.message.rstrip(". ")
        return replace(failure, message=f"{said}. {suggest(request.model)}")

    def revive(self, body: str, request: Request) -> Message:
        """Never asked: there is no journal."""
        raise NotImplementedError(f"no journal holds {len(body)} characters for {request!r}")

    async def aclose(self) -> None:
        """There is nothing to close."""
