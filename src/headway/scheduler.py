"""The front door: `Scheduler` wires ports, adapters and runtime."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Unpack, cast, overload

from headway.adapters.ceiling import Ceiling
from headway.adapters.log import LogSink
from headway.collecting import Collecting
from headway.core.account_limits import AccountLimits
from headway.core.batching import AS_USUAL, Batching
from headway.core.catalog import Catalog
from headway.core.file_policy import FilePolicy
from headway.core.follow_up import FollowUp
from headway.core.job import Priority
from headway.core.lane import lane_of
from headway.core.limits import Limits
from headway.core.price import Price
from headway.core.retry import RetryPolicy
from headway.core.spend import SpendCap
from headway.ports import AlertSink, BudgetStore, EventSink, Journal, StreamingTransport, Transport
from headway.preflight.cache_auto import CachePlacer
from headway.preflight.policy import RepairPolicy
from headway.preflight.tool import Tool
from headway.runtime.flow import Flow
from headway.runtime.handle import Job
from headway.runtime.outcomes import Outcomes
from headway.runtime.recovery import resubmitted
from headway.runtime.stream import AnswerStream
from headway.runtime.stream_manager import StreamManager
from headway.runtime.terms import Terms, placer_for
from headway.wiring import (
    Parts,
    budgets_for,
    cap_for,
    catalog_given,
    courier_for,
    journal_for,
    limits_for,
    prices_for,
    transport_for,
)

if TYPE_CHECKING:
    from anthropic.types import Message
    from anthropic.types.parsed_message import ParsedMessage

    from headway.adapters.alerts import Alerts
    from headway.adapters.anthropic.connect import AnyClient
    from headway.parameters import LaneName, MessageParams, StreamOptions, SubmitOptions

T = TypeVar("T")
ClientT = TypeVar("ClientT", bound="AnyClient")


class Scheduler(Collecting):
    """Runs any number of Claude calls at the speed of your rate limits and loses none.

    Use it inside ``async with``: leaving normally drains, leaving with an exception cancels.

    ``client`` is any ``AsyncAnthropic`` (Bedrock, Vertex, Foundry, custom base URL); without one it is made
    from the environment as the SDK does. ``model`` and ``max_tokens`` are defaults for every job; ``newest:sonnet``
    as a model is the newest active one of that line. ``catalog`` holds what is known of the models: by default the
    table that comes with headway, corrected by the Models API (asked after a 404, and kept for a day). ``"builtin"``
    is that table only, and nobody is asked. ``prices`` corrects what they cost, and ``spend_cap``
    is never exceeded.
    """

    def __init__(  # noqa: PLR0913 - the front door: options are keyword-only and grouped
        self,
        client: AnyClient | None = None,
        *,
        model: str | None = None,
        max_tokens: int | None = None,
        limits: Limits | AccountLimits | None = None,
        retry: RetryPolicy | None = None,
        repair: RepairPolicy | None = None,
        follow_up: FollowUp | None = None,
        tools: Sequence[Tool] = (),
        files: FilePolicy | None = None,
        flow: Flow | None = None,
        budgets: BudgetStore | None = None,
        ceiling: Ceiling | None = None,
        journal: str | os.PathLike[str] | Journal | None = None,
        sinks: Sequence[EventSink | AlertSink] = (),
        alerts: Alerts | None = None,
        transport: Transport | None = None,
        catalog: Catalog | Literal["builtin"] | None = None,
        prices: Mapping[str, Price] | None = None,
        spend_cap: SpendCap | None = None,
        batching: Batching | None = None,
    ) -> None:
        if client is not None and transport is not None:
            raise ValueError("client and transport exclude each other: pass one of them")
        store = journal_for(journal)
        parts = Parts(
            transport=(lambda: transport_for(client, catalog)) if transport is None else (lambda: transport),
            budgets=budgets_for(budgets, ceiling),
            limits=limits_for(limits),
            retry=retry or RetryPolicy(),
            repair=repair or RepairPolicy(),
            follow_up=follow_up,
            tools=tuple(tools),
            files=files or FilePolicy(),
            flow=flow or Flow(),
            journal=store,
            sinks=(LogSink(), *sinks),
            courier=courier_for(alerts),
            defaults={k: v for k, v in (("model", model), ("max_tokens", max_tokens)) if v is not None},
            catalog=catalog_given(catalog),
            prices=prices_for(prices),
            spend_cap=cap_for(spend_cap, store),
            batching=batching or AS_USUAL,
        )
        super().__init__(parts)
        self._placer = CachePlacer()

    @overload
    def submit(
        self,
        prompt: object,
        *,
        output_format: type[T],
        **options: Unpack[SubmitOptions],
    ) -> Job[ParsedMessage[T]]: ...

    @overload
    def submit(
        self,
        prompt: object,
        **options: Unpack[SubmitOptions],
    ) -> Job[Message]: ...

    def submit(
        self,
        prompt: object,
        *,
        priority: Priority = Priority.NORMAL,
        tenant: str = "",
        tag: str = "",
        deadline: float | None = None,
        repair: RepairPolicy | None = None,
        follow_up: FollowUp | None = None,
        lane: LaneName = "live",
        key: str | None = None,
        cache: Literal["auto"] | None = None,
        dedupe: bool = False,
        **params: Any,
    ) -> Job[Any]:
        """Queue a request and return its `Job` at once; ``await job`` gives the ``Message``.

        ``prompt`` is a string, a list of message dicts, a request body, a Message Batches request
        (``{"custom_id", "params"}``) or a `Request`; ``params`` are those of ``messages.create``, with
        ``output_format`` as in ``messages.parse``. ``deadline`` is in seconds from now. ``key`` names the job
        in journal and output (default: ``custom_id``; with a journal, a hash of the content). ``tag`` names what
        its cost is counted under (``status().costs``). ``repair`` and ``follow_up`` replace the scheduler's own.
        ``lane="batch"``: in a message batch, for half the price and within a day; ``"auto"``: so if it is in time
        and worth it (`Batching`).
        ``cache="auto"`` has the API cache what this prompt shares with others that were submitted so, where it is
        long enough. ``dedupe=True`` sends nothing if an identical request was answered or is under way: the job
        gets the same answer.

        Raises `RequestError` for a request that cannot be sent, `QueueFullError` when ``Flow.max_queued``
        jobs wait, `SchedulerClosedError` outside ``async with``, another loop or a forked process.
        """
        engine = self._here().engine
        self._require_room(engine)
        placer = placer_for(cache, self._placer)
        terms = Terms(
            priority, tenant, deadline, repair, follow_up, tag, lane_of(lane), placer=placer, dedupe=dedupe
        )
        job = self._make(prompt, params, terms, key)
        engine.lanes.require(job.lane, job)
        engine.submit(job)
        return job

    @overload
    def stream(
        self,
        prompt: object,
        *,
        output_format: type[T],
        **options: Unpack[StreamOptions],
    ) -> StreamManager[T]: ...

    @overload
    def stream(
        self,
        prompt: object,
        **options: Unpack[StreamOptions],
    ) -> StreamManager[None]: ...

    def stream(
        self,
        prompt: object,
        *,
        priority: Priority = Priority.NORMAL,
        tenant: str = "",
        tag: str = "",
        deadline: float | None = None,
        resume: bool = True,
        **params: Any,
    ) -> StreamManager[Any]:
        """Stream an answer: ``async with scheduler.stream("Hi") as stream: async for text in stream.text_stream``.

        What you get is the SDK's ``AsyncMessageStream`` (``text_stream``, iteration over its events,
        ``get_final_message()``, ``current_message_snapshot``) with ``stream.job``. A stream that breaks is
        retried unseen before its first content, and resumed after it (``resume=False``: it raises
        `StreamInterruptedError` with the ``partial`` message). No text comes twice. Streams are not journalled.

        Raises like `submit` at the call; entering and reading raise what ``await job`` would.
        """
        transport = self._here().transport
        if not hasattr(transport, "open_stream"):
            raise TypeError(f"{type(transport).__name__} cannot stream: it has no open_stream()")
        guest = self._guest(prompt, params, Terms(priority, tenant, deadline, tag=tag))
        streaming = cast("StreamingTransport", transport)
        source = AnswerStream(guest, streaming, self._parts.flow, self._here().catalog, resume=resume)
        return StreamManager(source, streaming)

    def map(  # noqa: PLR0913 - see above
        self,
        requests: Iterable[object] | AsyncIterable[object],
        *,
        ordered: bool = False,
        priority: Priority = Priority.BULK,
        tenant: str = "",
        tag: str = "",
        deadline: float | None = None,
        repair: RepairPolicy | None = None,
        follow_up: FollowUp | None = None,
        lane: LaneName = "live",
        retry_failed: bool = False,
        cache: Literal["auto"] | None = None,
        dedupe: bool = False,
        **params: Unpack[MessageParams],
    ) -> Outcomes:
        """Run many requests; iterate for their `Outcome`s as they end (``ordered=True``: in input order).

        The input is consumed only as needed, so it may be endless or larger than memory. No failure of a job
        is raised: look at ``outcome.state``. With a journal, finished jobs come back with ``restored=True``
        and are not sent; failed ones are tried again with ``retry_failed=True``. ``lane`` as in `submit`; more
        of the input is read ahead for batches (``Batching.max_queued``). ``cache="auto"`` has the API cache what
        these prompts share, where it is long enough. ``dedupe=True`` sends identical requests once.
        """
        placer = placer_for(cache, CachePlacer())
        terms = Terms(
            priority, tenant, deadline, repair, follow_up, tag, lane_of(lane), placer=placer, dedupe=dedupe
        )
        given = cast("Mapping[str, object]", params)
        return self._outcomes(requests, given, terms, ordered=ordered, reopen=retry_failed)

    async def recover(self) -> list[Job[Message]]:
        """Queue the jobs an earlier process left unfinished in the journal; for durable queues whose input
        is gone. Jobs submitted again under the same key are found by themselves. Priority and tenant stay.
        One that is refused now (`RequestError`) is logged and stays in the journal; a full queue is waited for."""
        if self._parts.journal is None:
            raise ValueError("recover() needs a journal: Scheduler(journal=…)")
        return await resubmitted(
            self._parts.journal,
            lambda job: self.submit(job.request, key=job.key, priority=job.priority, tenant=job.tenant),
        )
