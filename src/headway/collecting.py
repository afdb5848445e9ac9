"""Outcomes of many jobs: of an input, or of what an earlier process has left in message batches."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from headway.core.job import Priority
from headway.core.lane import Lane, lane_of
from headway.core.request import Request, RequestError
from headway.lending import Lending
from headway.ports import RequestStore
from headway.runtime.handle import Job
from headway.runtime.outcomes import Outcomes
from headway.runtime.terms import Terms

if TYPE_CHECKING:
    from anthropic.types import Message

WINDOW_MARGIN: Final = 512
"""Jobs that ``map`` keeps ready beyond those in flight."""


class Collecting(Lending):
    """What a scheduler does with many jobs at a time."""

    def collect(self, *, live: bool = True) -> Outcomes:
        """The outcomes of the jobs that the journal knows to be in message batches, where the input is not at hand:
        ``async for outcome in scheduler.collect()``. What a batch brought no answer for (it expired, or was never
        created) is sent live; with ``live=False`` it ends resumably, and stays in the journal for another run.

        Raises ValueError without a journal that keeps batches.
        """
        store = getattr(self._parts.journal, "batches", None)
        if not isinstance(store, RequestStore):
            raise ValueError("collect() needs a journal that keeps batches: Scheduler(journal=…)")  # noqa: TRY004
        # As many at a time as when they were put there: the results of a batch are read for all its jobs together.
        return self._outcomes(_named(store), {}, Terms(Priority.BULK, stays=not live), as_for=Lane.BATCH)

    def _outcomes(
        self,
        requests: Iterable[object] | AsyncIterable[object],
        params: Mapping[str, object],
        terms: Terms,
        *,
        ordered: bool = False,
        reopen: bool = False,
        as_for: Lane | None = None,
    ) -> Outcomes:
        """Run requests as they are wanted, on these terms. ``as_for``: as many at a time as in this lane."""
        running = self._here()
        engine = running.engine

        def submit(prompt: object) -> Job[Message]:
            try:
                job = self._make(prompt, params, terms)
            except RequestError as error:
                return running.factory.rejected(prompt, error)
            job.reopen = reopen
            engine.submit(job)
            return job

        engine.lanes.require(terms.lane)
        window = engine.lanes.window(as_for or terms.lane) + WINDOW_MARGIN
        ended = partial(engine.lanes.wake, ended=True)
        return Outcomes(
            requests, submit, running.group, window=window, ordered=ordered, ended=ended, room=engine.room
        )


async def _named(store: RequestStore) -> AsyncIterator[Request]:
    async for key, request in store.in_batches():
        yield replace(request, custom_id=key)


def map_window(scheduler: Collecting, lane: str) -> int:
    """Jobs that ``scheduler.map(…, lane=lane)`` has in hand at a time."""
    running = scheduler._here()  # pyright: ignore[reportPrivateUsage] - part of it
    return running.engine.lanes.window(lane_of(lane)) + WINDOW_MARGIN
