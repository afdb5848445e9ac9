"""A scheduler's life: opened, watched, steered, drained, stopped; and who is let in meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import anyio
from anyio.abc import TaskGroup

from headway.core.account_limits import AccountLimits
from headway.core.catalog import Catalog
from headway.core.error_kind import ErrorKind
from headway.core.failure import failure_of
from headway.core.limits import Limits
from headway.core.scopes import ACCOUNT, DeadScope
from headway.core.spend import SpendCap
from headway.errors import QueueFullError, SchedulerClosedError
from headway.runtime.clock import loop_time
from headway.runtime.engine import Engine
from headway.runtime.guest import Guest
from headway.runtime.handle import Job
from headway.runtime.job_factory import JobFactory
from headway.runtime.policies import Policies
from headway.runtime.purse import Purse
from headway.runtime.resident import Resident
from headway.runtime.snapshot import status_of
from headway.runtime.status import Status
from headway.runtime.terms import Terms
from headway.wiring import Parts, Running, Toolbox, catalog_for, limits_for, purse_for

if TYPE_CHECKING:
    from anthropic.types import Message


UNWINDING: Final = 5.0
"""Seconds in which what was cut off must end. A stream that nobody reads cannot, and is not waited for."""


class Lifecycle:
    """Everything about a scheduler but the asking: `Scheduler` adds that."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._running: Running | None = None
        self._closing = False
        self._cut_off = False
        self._resident: Resident | None = None

    async def __aenter__(self) -> Self:
        if self._running is not None:
            raise SchedulerClosedError("this scheduler is open or was used already; make a new one")
        async with AsyncExitStack() as opened:
            self._running = await self._open(opened)
            opened.pop_all()
        return self

    async def _open(self, opened: AsyncExitStack) -> Running:
        """Open and start everything. What was ``opened`` is closed again if something later fails: a journal that
        stayed locked would keep the next attempt out."""
        parts = self._parts
        transport = parts.transport()  # opens nothing before the first request
        opened.push_async_callback(transport.aclose)
        catalog = (await catalog_for(parts.catalog, transport)).with_prices(parts.prices)
        follow_up = parts.follow_up and parts.follow_up.resolved(catalog.resolve)
        if self._parts.journal is not None:
            await self._parts.journal.open()
            opened.push_async_callback(self._parts.journal.aclose)
        now = loop_time()
        tools = Toolbox(parts.tools, transport, parts.files)
        purse = await self._open_purse(catalog)
        count = getattr(transport, "count_tokens", None)
        policies = Policies(
            parts.retry, parts.repair, follow_up, tools.get, catalog, purse, count, parts.batching
        )
        sinks = parts.sinks if parts.courier is None else (*parts.sinks, parts.courier)
        engine = Engine(transport, parts.budgets, policies, parts.flow, parts.journal, sinks, now)
        journalled = parts.journal is not None
        inspector, keys = engine.inspector, engine.budget_keys
        factory = JobFactory(parts.defaults, transport, engine.cancel, journalled, inspector, keys, catalog)
        factory.require_price = None if purse is None else purse.require_price
        if journalled:
            engine.roster.parked = factory.take_back
        if parts.limits is not None:
            keys.limits = parts.limits
            parts.budgets.set_limits(parts.limits, now)
        group = await self._start(engine)
        return Running(engine, factory, group, transport, parts.budgets, catalog, purse)

    async def _open_purse(self, catalog: Catalog) -> Purse | None:
        """The money, and what the journal knows of it; a journal that cannot say is closed again."""
        purse, journal = purse_for(self._parts, catalog), self._parts.journal
        try:
            if purse is not None:
                await purse.open()
        except BaseException:
            if journal is not None:
                with anyio.CancelScope(shield=True):
                    await journal.aclose()
            raise
        return purse

    async def _start(self, engine: Engine) -> TaskGroup:
        """Start all tasks, on behalf of the calling one."""
        group = anyio.create_task_group()
        await group.__aenter__()
        engine.start(group)
        if self._parts.courier is not None:
            group.start_soon(self._parts.courier.run, name="headway alerts")
        return group

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        running = self._here()
        try:
            if error is None:
                await (self._unwind() if self._cut_off else self.drain())
        finally:
            self._closing = True
            if self._parts.courier is not None:
                await self._parts.courier.flush()
            running.group.cancel_scope.cancel()
            try:
                # The body's own exception is not the group's: it passes as it is, not inside an ExceptionGroup.
                await running.group.__aexit__(None, None, None)
            finally:
                running.engine.sweep()
                with anyio.CancelScope(shield=True):
                    if running.purse is not None:
                        await running.purse.note()
                    if self._parts.journal is not None:
                        await self._parts.journal.aclose()
                    await running.transport.aclose()

    async def open(self) -> Self:
        """Open without ``async with``, where that cannot be kept: over the cells of a notebook, or from start to
        shutdown of an application. It lives in a task of its own until `aclose` or the end of the loop."""
        if self._resident is not None:
            raise SchedulerClosedError("this scheduler is open or was used already; make a new one")
        self._resident = Resident(self, "headway scheduler")
        try:
            await self._resident.open()
        except BaseException:
            self._resident = None
            raise
        return self

    async def aclose(self, grace: float | None = None) -> None:
        """End what `open` began: drain; what is not finished after ``grace`` seconds (``None``: however long)
        ends resumably. If this wait is cancelled, everything is cut off. Does nothing when it is closed."""
        resident = self._resident
        if resident is None or not resident.alive:
            return
        self._here()
        try:
            await self.drain(grace)
        except BaseException:
            self.abort()
            raise
        finally:
            with anyio.CancelScope(shield=True):
                await resident.close()

    async def _idle(self, seconds: float) -> None:
        """Wait until no job has been alive for so long."""
        roster = self._here().engine.roster
        while True:
            await roster.settled()
            with anyio.move_on_after(seconds):
                await roster.change()
                continue
            if not roster.alive:
                return

    async def _rest(self) -> None:
        """End the tasks of an idle scheduler; all it knows is kept. Where `_wake` or ``async with`` was called."""
        if self._parts.courier is not None:
            await self._parts.courier.flush()
        group = self._here().group
        group.cancel_scope.cancel()
        await group.__aexit__(None, None, None)

    async def _wake(self) -> None:
        """Start the tasks of a resting scheduler again, on behalf of the calling task."""
        running = self._here()
        self._running = replace(running, group=await self._start(running.engine))

    def status(self) -> Status:
        """Queue, in flight, rates, spend and budgets, now."""
        running = self._here()
        return status_of(running.engine, running.budgets.status(loop_time()))

    def set_limits(self, limits: Limits | AccountLimits) -> None:
        """Tell other limits while running; what the API's headers say still wins. The groups of an account
        count for jobs submitted from now on."""
        running = self._here()
        running.engine.budget_keys.limits = told = limits_for(limits) or Limits()
        running.budgets.set_limits(told, loop_time())
        running.engine.dispatcher.wake()

    def set_spend_cap(self, cap: SpendCap) -> None:
        """Another cap while running; what was spent stays counted. After a stop by the old one call `resume`.

        Raises `ValueError` for a scheduler without a cap: what it spent was not counted.
        """
        running = self._here()
        if running.purse is None:
            raise ValueError("this scheduler has no spend cap to change; open it with Scheduler(spend_cap=…)")
        running.purse.change(cap)
        running.engine.dispatcher.wake()

    async def drain(self, timeout: float | None = None) -> bool:
        """Accept no new jobs and wait until the others have ended; after ``timeout`` seconds the rest ends
        resumably. True if everything was finished in time."""
        engine = self._here().engine
        self._closing = True
        engine.lanes.wake(ended=True)
        with anyio.move_on_after(timeout):
            await engine.roster.settled()
            await engine.lanes.settled()
            return True
        self.abort()
        await self._unwind()
        return False

    async def _unwind(self) -> None:
        with anyio.move_on_after(UNWINDING):
            await self._here().engine.roster.settled()

    async def stop(self, grace: float | None = None) -> None:
        """Send nothing new; what is in flight may finish within ``grace`` seconds (``None``: however long).
        Queued jobs end resumably, and a journal keeps them queued."""
        engine = self._here().engine
        engine.halt(failure_of(ErrorKind.STOPPED, "the scheduler was stopped"))
        with anyio.move_on_after(grace):
            await engine.roster.settled(running_only=True)
            await engine.lanes.settled()
            return
        self.abort()
        await self._unwind()

    def abort(self) -> None:
        """Cut off everything at once; unfinished jobs end resumably."""
        self._here().engine.abort()
        self._cut_off = True

    def resume(self, dead: DeadScope | None = None) -> None:
        """Send again after the cause of ``status().halted`` or ``status().dead`` is mended: to one of
        ``status().dead``, or to all. Jobs that ended resumably are to be submitted again."""
        self._here().engine.resume(dead)
        self._cut_off = False

    def _here(self) -> Running:
        if self._running is None:
            raise SchedulerClosedError("the scheduler is not open: use it inside 'async with Scheduler(...)'")
        self._running.require_here()
        return self._running

    def _guest(self, prompt: object, params: Mapping[str, object], terms: Terms) -> Guest:
        """A place in the queue for a caller that makes the attempts itself."""
        running = self._here()
        self._require_room(running.engine)
        return running.engine.guest(running.factory.make(prompt, params, terms, guest=True))

    def _require_room(self, engine: Engine) -> None:
        if self._closing:
            raise SchedulerClosedError("the scheduler is draining and takes no new jobs")
        self._begin_day(engine)
        limit = self._parts.flow.max_queued
        if limit is not None and engine.queued >= limit:
            raise QueueFullError(engine.queued, engine.tally.room_in(loop_time()))

    @staticmethod
    def _begin_day(engine: Engine) -> None:
        """What a day's spend cap had stopped goes on with the next day's first job."""
        if (till := engine.dispatcher.till) is not None and till.renewed():
            engine.resume(ACCOUNT)

    def _make(
        self, prompt: object, params: Mapping[str, object], terms: Terms, key: str | None = None
    ) -> Job[Message]:
        if not self._closing:
            running = self._here()
            self._begin_day(running.engine)
            return running.factory.make(prompt, params, terms, key)
        raise SchedulerClosedError("the scheduler is draining and takes no new jobs")
