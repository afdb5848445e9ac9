"""The front door: `Scheduler` wires ports, adapters and runtime."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, Unpack, cast, overload

import anyio

from headway.adapters.ceiling import Ceiling, CeilingBudgets
from headway.adapters.log import LogSink
from headway.adapters.memory import MemoryBudgets
from headway.core.error_kind import ErrorKind
from headway.core.failure import failure_of
from headway.core.job import Priority
from headway.core.limits import Limits
from headway.core.request import RequestError
from headway.core.retry import RetryPolicy
from headway.errors import QueueFullError, SchedulerClosedError
from headway.ports import BudgetStore, EventSink, Journal, Transport
from headway.runtime.clock import loop_time
from headway.runtime.engine import Engine
from headway.runtime.flow import Flow
from headway.runtime.guest import Guest
from headway.runtime.handle import Job
from headway.runtime.job_factory import JobFactory, Terms
from headway.runtime.outcomes import Outcomes
from headway.runtime.status import Status
from headway.wiring import Running, journal_for, transport_for

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic.types import Message
    from anthropic.types.parsed_message import ParsedMessage

    from headway.parameters import MessageParams

T = TypeVar("T")
WINDOW_MARGIN: Final = 512
"""Jobs that ``map`` keeps ready beyond those in flight."""


class Scheduler:
    """Runs any number of Claude calls at the speed of your rate limits and loses none.

    Use it inside ``async with``: leaving normally drains, leaving with an exception cancels.

    ``client`` is any ``AsyncAnthropic`` (Bedrock, Vertex, Foundry, custom base URL); without one it is made
    from the environment as the SDK does. ``model`` and ``max_tokens`` are defaults for every job.
    """

    def __init__(
        self,
        client: AsyncAnthropic | None = None,
        *,
        model: str | None = None,
        max_tokens: int | None = None,
        limits: Limits | None = None,
        retry: RetryPolicy | None = None,
        flow: Flow | None = None,
        budgets: BudgetStore | None = None,
        ceiling: Ceiling | None = None,
        journal: str | os.PathLike[str] | Journal | None = None,
        sinks: Sequence[EventSink] = (),
        transport: Transport | None = None,
    ) -> None:
        if client is not None and transport is not None:
            raise ValueError("client and transport exclude each other: pass one of them")
        self._client = client
        self._transport = transport
        self._retry = retry or RetryPolicy()
        self._flow = flow or Flow()
        store: BudgetStore = budgets or MemoryBudgets(limits or Limits())
        self._budgets = store if ceiling is None else CeilingBudgets(ceiling, store)
        self._journal = journal_for(journal)
        self._sinks = (LogSink(), *sinks)
        self._defaults = {k: v for k, v in (("model", model), ("max_tokens", max_tokens)) if v is not None}
        self._running: Running | None = None
        self._closing = False

    async def __aenter__(self) -> Self:
        if self._running is not None:
            raise SchedulerClosedError("this scheduler is open or was used already; make a new one")
        transport = self._transport or transport_for(self._client)  # opens nothing before the first request
        if self._journal is not None:
            await self._journal.open()
        now = loop_time()
        engine = Engine(transport, self._budgets, self._retry, self._flow, self._journal, self._sinks, now)
        factory = JobFactory(self._defaults, transport, engine.cancel, self._journal is not None)
        group = anyio.create_task_group()
        await group.__aenter__()
        engine.start(group)
        self._running = Running(engine, factory, group, transport, self._budgets)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        running = self._here()
        try:
            if error is None:
                await self.drain()
        finally:
            self._closing = True
            running.group.cancel_scope.cancel()
            try:
                # The body's own exception is not the group's: it passes as it is, not inside an ExceptionGroup.
                await running.group.__aexit__(None, None, None)
            finally:
                running.engine.sweep()
                with anyio.CancelScope(shield=True):
                    if self._journal is not None:
                        await self._journal.aclose()
                    await running.transport.aclose()

    @overload
    def submit(
        self,
        prompt: object,
        *,
        output_format: type[T],
        priority: Priority = ...,
        tenant: str = ...,
        deadline: float | None = ...,
        key: str | None = ...,
        **params: Unpack[MessageParams],
    ) -> Job[ParsedMessage[T]]: ...

    @overload
    def submit(
        self,
        prompt: object,
        *,
        priority: Priority = ...,
        tenant: str = ...,
        deadline: float | None = ...,
        key: str | None = ...,
        **params: Unpack[MessageParams],
    ) -> Job[Message]: ...

    def submit(
        self,
        prompt: object,
        *,
        priority: Priority = Priority.NORMAL,
        tenant: str = "",
        deadline: float | None = None,
        key: str | None = None,
        **params: Any,
    ) -> Job[Any]:
        """Queue a request and return its `Job` at once; ``await job`` gives the ``Message``.

        ``prompt`` is a string, a list of message dicts, a request body, a Message Batches request
        (``{"custom_id", "params"}``) or a `Request`; ``params`` are those of ``messages.create``, with
        ``output_format`` as in ``messages.parse``. ``deadline`` is in seconds from now. ``key`` names the job
        in journal and output (default: ``custom_id``; with a journal, a hash of the content).

        Raises `RequestError` for a request that cannot be sent, `QueueFullError` when ``Flow.max_queued``
        jobs wait, `SchedulerClosedError` outside ``async with``, another loop or a forked process.
        """
        engine = self._here().engine
        self._require_room(engine)
        job = self._make(prompt, params, Terms(priority, tenant, deadline), key)
        engine.submit(job)
        return job

    def map(
        self,
        requests: Iterable[object] | AsyncIterable[object],
        *,
        ordered: bool = False,
        priority: Priority = Priority.BULK,
        tenant: str = "",
        deadline: float | None = None,
        retry_failed: bool = False,
        **params: Unpack[MessageParams],
    ) -> Outcomes:
        """Run many requests; iterate for their `Outcome`s as they end (``ordered=True``: in input order).

        The input is consumed only as needed, so it may be endless or larger than memory. No failure of a job
        is raised: look at ``outcome.state``. With a journal, finished jobs come back with ``restored=True``
        and are not sent; failed ones are tried again with ``retry_failed=True``.
        """
        running = self._here()
        terms = Terms(priority, tenant, deadline)

        def submit(prompt: object) -> Job[Message]:
            try:
                job = self._make(prompt, cast("Mapping[str, object]", params), terms)
            except RequestError as error:
                return running.factory.rejected(prompt, error)
            job.reopen = retry_failed
            running.engine.submit(job)
            return job

        window = running.engine.dispatcher.max_in_flight + WINDOW_MARGIN
        return Outcomes(requests, submit, running.group, window=window, ordered=ordered)

    def status(self) -> Status:
        """Queue, in flight, rates, spend and budgets, now."""
        running = self._here()
        return running.engine.status(running.budgets.status(loop_time()))

    def set_limits(self, limits: Limits) -> None:
        """Tell other limits while running; what the API's headers say still wins."""
        self._here().budgets.set_limits(limits, loop_time())
        self._here().engine.dispatcher.wake()

    async def recover(self) -> list[Job[Message]]:
        """Queue the jobs an earlier process left unfinished in the journal; for durable queues whose input
        is gone. Jobs submitted again under the same key are found by themselves."""
        if self._journal is None:
            raise ValueError("recover() needs a journal: Scheduler(journal=…)")
        return [self.submit(request, key=key) async for key, request in self._journal.unfinished()]

    async def drain(self, timeout: float | None = None) -> bool:
        """Accept no new jobs and wait until the others have ended; after ``timeout`` seconds the rest ends
        resumably. True if everything was finished in time."""
        engine = self._here().engine
        self._closing = True
        with anyio.move_on_after(timeout):
            await engine.roster.settled()
            return True
        engine.abort()
        await engine.roster.settled()
        return False

    async def stop(self, grace: float | None = None) -> None:
        """Send nothing new; what is in flight may finish within ``grace`` seconds (``None``: however long).
        Queued jobs end resumably, and a journal keeps them queued."""
        engine = self._here().engine
        engine.halt(failure_of(ErrorKind.STOPPED, "the scheduler was stopped"))
        with anyio.move_on_after(grace):
            await engine.roster.settled(running_only=True)
            return
        engine.abort()
        await engine.roster.settled(running_only=True)

    def abort(self) -> None:
        """Cut off everything at once; unfinished jobs end resumably."""
        self._here().engine.abort()

    def resume(self) -> None:
        """Send again after the cause of ``status().halted`` is mended."""
        self._here().engine.resume()

    def _guest(self, prompt: object, params: Mapping[str, object], terms: Terms) -> Guest:
        """A place in the queue for a caller that makes the attempts itself."""
        running = self._here()
        self._require_room(running.engine)
        if self._closing:
            raise SchedulerClosedError("the scheduler is draining and takes no new jobs")
        return running.engine.guest(running.factory.make(prompt, params, terms, guest=True))

    def _require_room(self, engine: Engine) -> None:
        limit = self._flow.max_queued
        if limit is not None and engine.queued >= limit:
            raise QueueFullError(engine.queued, engine.tally.room_in(loop_time()))

    def _make(
        self, prompt: object, params: Mapping[str, object], terms: Terms, key: str | None = None
    ) -> Job[Message]:
        if not self._closing:
            return self._here().factory.make(prompt, params, terms, key)
        raise SchedulerClosedError("the scheduler is draining and takes no new jobs")

    def _here(self) -> Running:
        if self._running is None:
            raise SchedulerClosedError("the scheduler is not open: use it inside 'async with Scheduler(...)'")
        self._running.require_here()
        return self._running
