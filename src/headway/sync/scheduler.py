"""The front door for code without a loop."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

from headway.core.job import Priority
from headway.scheduler import WINDOW_MARGIN
from headway.scheduler import Scheduler as AsyncScheduler
from headway.sync.job import Job
from headway.sync.lifecycle import Lifecycle
from headway.sync.outcomes import Outcomes, input_of
from headway.sync.stream import StreamManager

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic.types import Message
    from anthropic.types.parsed_message import ParsedMessage

    from headway.adapters.ceiling import Ceiling
    from headway.core.limits import Limits
    from headway.core.retry import RetryPolicy
    from headway.parameters import MessageParams
    from headway.ports import BudgetStore, EventSink, Journal, Transport
    from headway.runtime.flow import Flow
    from headway.runtime.outcomes import Outcomes as AsyncOutcomes

T = TypeVar("T")


class Scheduler(Lifecycle):
    """`headway.Scheduler` for scripts and threads: the same options, the same jobs, and calls that block.

    Use it inside ``with``: leaving normally finishes what was submitted; leaving with an exception (Ctrl-C is
    one) cuts it off. Every method is safe from several threads at once. ``client`` is an *async* client.
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
        super().__init__(
            AsyncScheduler(
                client,
                model=model,
                max_tokens=max_tokens,
                limits=limits,
                retry=retry,
                flow=flow,
                budgets=budgets,
                ceiling=ceiling,
                journal=journal,
                sinks=sinks,
                transport=transport,
            )
        )

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

    def submit(self, prompt: object, **options: Any) -> Job[Any]:
        """Queue a request and return its `Job` at once; ``job.result(timeout)`` gives the ``Message``.

        Options, and what it raises, as `headway.Scheduler.submit`.
        """
        bridge = self._open_bridge
        return bridge.call(lambda: Job(self._scheduler.submit(prompt, **options), bridge))

    @overload
    def run(
        self,
        prompt: object,
        *,
        output_format: type[T],
        priority: Priority = ...,
        tenant: str = ...,
        deadline: float | None = ...,
        key: str | None = ...,
        **params: Unpack[MessageParams],
    ) -> ParsedMessage[T]: ...

    @overload
    def run(
        self,
        prompt: object,
        *,
        priority: Priority = ...,
        tenant: str = ...,
        deadline: float | None = ...,
        key: str | None = ...,
        **params: Unpack[MessageParams],
    ) -> Message: ...

    def run(self, prompt: object, **options: Any) -> Any:
        """Submit, and wait for the message; interrupted (Ctrl-C), the job is cancelled."""

        async def awaited() -> Message:
            return await self._scheduler.submit(prompt, **options)

        return self._open_bridge.wait(awaited)

    def map(
        self,
        requests: Iterable[object],
        *,
        ordered: bool = False,
        priority: Priority = Priority.BULK,
        tenant: str = "",
        deadline: float | None = None,
        retry_failed: bool = False,
        **params: Unpack[MessageParams],
    ) -> Outcomes:
        """Run many requests; iterate for their outcomes as they end (``ordered=True``: in input order).

        The input is read in the thread that iterates, and only as needed. See `headway.Scheduler.map`.
        """
        scheduler, bridge = self._scheduler, self._open_bridge

        def begin(feed: AsyncIterable[object]) -> AsyncOutcomes:
            return scheduler.map(
                feed,
                ordered=ordered,
                priority=priority,
                tenant=tenant,
                deadline=deadline,
                retry_failed=retry_failed,
                **params,
            )

        window = bridge.call(scheduler.status).max_in_flight + WINDOW_MARGIN
        return Outcomes(bridge, input_of(requests), begin, window=window)

    @overload
    def stream(
        self,
        prompt: object,
        *,
        output_format: type[T],
        priority: Priority = ...,
        tenant: str = ...,
        deadline: float | None = ...,
        resume: bool = ...,
        **params: Unpack[MessageParams],
    ) -> StreamManager[T]: ...

    @overload
    def stream(
        self,
        prompt: object,
        *,
        priority: Priority = ...,
        tenant: str = ...,
        deadline: float | None = ...,
        resume: bool = ...,
        **params: Unpack[MessageParams],
    ) -> StreamManager[None]: ...

    def stream(self, prompt: object, **options: Any) -> StreamManager[Any]:
        """Stream an answer: ``with scheduler.stream("Hi") as stream: for text in stream.text_stream``.

        Options, and what it raises, as `headway.Scheduler.stream`.
        """
        bridge = self._open_bridge
        return StreamManager(bridge.call(self._scheduler.stream, prompt, **options), bridge)

    def recover(self) -> list[Job[Message]]:
        """Queue the jobs an earlier process left unfinished in the journal; see `headway.Scheduler.recover`."""
        bridge = self._open_bridge

        async def recovered() -> list[Job[Message]]:
            return [Job(job, bridge) for job in await self._scheduler.recover()]

        return bridge.wait(recovered)
