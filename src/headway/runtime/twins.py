"""Identical requests: one of them is sent, and the others get its answer.

What is identical is told by the hash of the content, without ids, priorities and tenants. The first one is a job like
any other; the others wait on a shelf of the queue, where deadlines, cancelling and stopping reach them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio

from headway.core.events import Copied, Failed, JobEvent
from headway.core.job import JobState
from headway.core.outcome import Ending
from headway.ports import Journal, Stored
from headway.runtime.clock import loop_time
from headway.runtime.handle import Job, Outcome
from headway.runtime.shelf import Shelf

if TYPE_CHECKING:
    from anthropic.types import Message

KEPT: Final = 16_000_000
"""Bytes of answers that are kept for twins that come later, when a journal keeps them all."""
KEPT_ALONE: Final = 64_000_000
"""… and when there is none."""
BESIDE: Final = 1_000
"""Bytes of what is kept beside the text of an answer: a million short ones weigh more than their texts."""
TOGETHER: Final = 500
"""Twins that end at a time: as many as a journal commits together."""


class Twins:
    """The jobs of one scheduler that asked to be sent once."""

    def __init__(
        self,
        shelf: Shelf,
        journal: Journal | None,
        enter: Callable[[Job[Message], Stored | None], None],
        *,
        finish: Callable[[Job[Message], JobEvent], Coroutine[Any, Any, None]],
        start: Callable[[Callable[[], Coroutine[Any, Any, None]]], None],
    ) -> None:
        self._shelf = shelf
        self._enter = enter
        self._finish = finish
        self._start = start
        self._answers = Answers(KEPT_ALONE if journal is None else KEPT)
        self._first: dict[bytes, Job[Message]] = {}
        self._stored: dict[Job[Message], Stored] = {}
        """What the journal knew of jobs that wait for their twin."""

    def takes(self, job: Job[Message], stored: Stored | None) -> bool:
        """Whether this job need not be sent: its answer is known, or on its way. It is taken care of then."""
        digest = job.digest
        if digest is None:
            return False
        if stored is not None and stored.place is not None:  # it is in a batch already
            self._lead(digest, job)
            return False
        known = self._answers.get(digest) or (stored and stored.twin)
        if known is not None:
            self._share([job], _copy_of(known))
            return True
        if self._lead(digest, job):
            return False
        if stored is not None:
            self._stored[job] = stored
            job.add_done_callback(lambda _: self._forget(job), observe=False)
        self._shelf.put(job, (Twins, digest))
        return True

    def _lead(self, digest: bytes, job: Job[Message]) -> bool:
        """Whether this job is the first one from now on."""
        if self._first.setdefault(digest, job) is not job:
            return False
        job.add_done_callback(partial(self._ended, digest), observe=False)
        return True

    def _forget(self, job: Job[Message]) -> None:
        self._stored.pop(job, None)

    def _ended(self, digest: bytes, outcome: Outcome[Message]) -> None:
        """The first one has its outcome: the others share an answer or a failure. What else may have ended it
        (its own deadline, its caller, a stop) concerns nobody else: the next one goes."""
        del self._first[digest]
        others = self._shelf.empty((Twins, digest))
        ending = outcome.ending
        if ending.body is not None:
            self._answers.put(digest, ending)
            self._share(others, _copy_of(ending))
        elif ending.state is JobState.FAILED and not ending.resumable and ending.failure is not None:
            self._share(others, Failed(loop_time(), ending.failure))
        else:
            for job in others:
                stored = self._stored.pop(job, None)
                if not self.takes(job, stored):
                    self._enter(job, stored)

    def _share(self, jobs: Sequence[Job[Message]], event: Copied | Failed) -> None:
        if jobs:
            self._start(partial(self._end, jobs, event))

    async def _end(self, jobs: Sequence[Job[Message]], event: Copied | Failed) -> None:
        for begin in range(0, len(jobs), TOGETHER):
            async with anyio.create_task_group() as group:
                for job in jobs[begin : begin + TOGETHER]:
                    group.start_soon(self._finish, job, replace(event, at=loop_time()))


class Answers:
    """The latest answers by the content that they answer, within a bound."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._kept: dict[bytes, Ending] = {}

    def get(self, digest: bytes) -> Ending | None:
        """The answer, if it is still there."""
        return self._kept.get(digest)

    def put(self, digest: bytes, ending: Ending) -> None:
        """Keep one more; the oldest give way."""
        if (old := self._kept.pop(digest, None)) is not None:
            self._size -= _weight(old)
        self._kept[digest] = ending
        self._size += _weight(ending)
        while self._size > self._most:
            oldest = next(iter(self._kept))
            self._size -= _weight(self._kept.pop(oldest))


def _weight(ending: Ending) -> int:
    """Bytes in memory, about."""
    return BESIDE + sys.getsizeof(ending.body)


def _copy_of(ending: Ending) -> Copied:
    return Copied(
        loop_time(), ending.body or "", ending.copy_of or ending.key, ending.stop_reason, ending.request_id
    )
