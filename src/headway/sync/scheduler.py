"""The front door for code without a loop."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, Unpack, cast, overload

from headway.collecting import map_window
from headway.scheduler import Scheduler as AsyncScheduler
from headway.sync.job import Job
from headway.sync.lifecycle import Lifecycle
from headway.sync.outcomes import Outcomes, input_of
from headway.sync.stream import StreamManager

if TYPE_CHECKING:
    from anthropic.types import Message
    from anthropic.types.parsed_message import ParsedMessage

    from headway.parameters import MapOptions, StreamOptions, SubmitOptions
    from headway.runtime.outcomes import Outcomes as AsyncOutcomes

P = ParamSpec("P")
T = TypeVar("T")


def _options_of(
    other: Callable[P, object],
) -> Callable[[Callable[..., None]], Callable[Concatenate[Scheduler, P], None]]:
    """A constructor with another one's options, for type checkers and completion as well."""

    def decorate(constructor: Callable[..., None]) -> Callable[Concatenate[Scheduler, P], None]:
        mine = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        signature = inspect.signature(other)
        signature = signature.replace(parameters=[mine, *signature.parameters.values()])
        constructor.__signature__ = signature  # type: ignore[attr-defined]
        return cast("Callable[Concatenate[Scheduler, P], None]", constructor)

    return decorate


class Scheduler(Lifecycle):
    """`headway.Scheduler` for scripts and threads: the same options, the same jobs, and calls that block.

    Use it inside ``with``: leaving normally finishes what was submitted; leaving with an exception (Ctrl-C is
    one) cuts it off. Every method is safe from several threads at once. ``client`` is an *async* client.
    """

    @_options_of(AsyncScheduler)
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(AsyncScheduler(*args, **options))

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
        **options: Unpack[SubmitOptions],
    ) -> ParsedMessage[T]: ...

    @overload
    def run(
        self,
        prompt: object,
        **options: Unpack[SubmitOptions],
    ) -> Message: ...

    def run(self, prompt: object, **options: Any) -> Any:
        """Submit, and wait for the message; interrupted (Ctrl-C), the job is cancelled."""

        async def awaited() -> Message:
            return await self._scheduler.submit(prompt, **options)

        return self._open_bridge.wait(awaited)

    def map(self, requests: Iterable[object], **options: Unpack[MapOptions]) -> Outcomes:
        """Run many requests; iterate for their outcomes as they end (``ordered=True``: in input order).

        The input is read in the thread that iterates, and only as needed. Options as `headway.Scheduler.map`.
        """
        scheduler, bridge = self._scheduler, self._open_bridge

        def begin(feed: AsyncIterable[object]) -> AsyncOutcomes:
            return scheduler.map(feed, **options)

        window = bridge.call(map_window, scheduler, options.get("lane", "live"))
        return Outcomes(bridge, input_of(requests), begin, window=window)

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

    def stream(self, prompt: object, **options: Any) -> StreamManager[Any]:
        """Stream an answer: ``with scheduler.stream("Hi") as stream: for text in stream.text_stream``.

        Options, and what it raises, as `headway.Scheduler.stream`.
        """
        bridge = self._open_bridge
        return StreamManager(bridge.call(self._scheduler.stream, prompt, **options), bridge)

    def collect(self, *, live: bool = True) -> Outcomes:
        """The outcomes of what an earlier process has left in message batches; see `headway.Scheduler.collect`."""
        scheduler, bridge = self._scheduler, self._open_bridge
        return Outcomes(bridge, (), lambda _: scheduler.collect(live=live), window=1)

    def recover(self) -> list[Job[Message]]:
        """Queue the jobs an earlier process left unfinished in the journal; see `headway.Scheduler.recover`."""
        bridge = self._open_bridge

        async def recovered() -> list[Job[Message]]:
            return [Job(job, bridge) for job in await self._scheduler.recover()]

        return bridge.wait(recovered)
