"""The way in when there is a journal: jobs are entered in groups before they are queued."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import anyio

from headway.core.error_kind import ErrorKind
from headway.core.events import Failed
from headway.core.failure import failure_of
from headway.errors import JournalError
from headway.ports import Journal, Stored
from headway.runtime.clock import loop_time
from headway.runtime.handle import Job

if TYPE_CHECKING:
    from anthropic.types import Message

    from headway.core.failure import Failure

GROUP: Final = 500
"""Jobs entered in one transaction at most."""
CROWD: Final = 2 * GROUP
"""Jobs that wait here before a long input is read on."""


class Intake:
    """Hands new jobs to the journal, and to ``accept`` with what it knew of them."""

    def __init__(
        self,
        journal: Journal,
        *,
        accept: Callable[[Job[Message], Stored | None], None],
        fail: Callable[[Failure], None],
        idle: Callable[[], None],
        after: Callable[[], Awaitable[None]],
    ) -> None:
        """``after``: waits while many jobs wait behind this."""
        self._journal = journal
        self._accept = accept
        self._fail = fail
        self._pending: OrderedDict[Job[Message], None] = OrderedDict()
        """In order, and any of them is found at once: who cancels a hundred thousand must not wait."""
        self._idle = idle
        self._after = after
        self._entering = False
        self._wake = anyio.Event()
        self._relief = anyio.Event()

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def busy(self) -> bool:
        """Jobs wait here, or are being entered."""
        return self._entering or bool(self._pending)

    async def room(self) -> None:
        """Wait while many jobs wait."""
        while len(self._pending) > CROWD:
            await self._relief.wait()
        await self._after()

    def _relieve(self) -> None:
        if len(self._pending) <= CROWD:
            self._relief.set()
            self._relief = anyio.Event()

    def put(self, job: Job[Message]) -> None:
        """A new job."""
        self._pending[job] = None
        self._wake.set()

    def clear(self) -> list[Job[Message]]:
        """Take out the jobs that were not entered yet."""
        taken = list(self._pending)
        self._pending.clear()
        self._relieve()
        return taken

    def discard(self, job: Job[Message]) -> bool:
        """Take one out; false if it is past the intake."""
        waits = job in self._pending
        self._pending.pop(job, None)
        return waits

    async def run(self) -> None:
        """Enter jobs until cancelled."""
        while True:
            self._wake = anyio.Event()
            while self._pending:
                self._entering = True
                try:
                    await self._enter()
                finally:
                    self._entering = False
                    self._relieve()
            self._idle()
            await self._wake.wait()

    async def _enter(self) -> None:
        wanted = _asked(next(iter(self._pending)))
        group: list[Job[Message]] = []
        while self._pending and len(group) < GROUP and _asked(next(iter(self._pending))) == wanted:
            group.append(self._pending.popitem(last=False)[0])
        known: Sequence[Stored | None] = ()
        try:
            with anyio.CancelScope(shield=True):
                known = await self._journal.admit([job.record for job in group], **wanted)
        except Exception as error:
            for job in reversed(group):  # halting ends them with a reason
                self._pending[job] = None
                self._pending.move_to_end(job, last=False)
            if not isinstance(error, JournalError):
                raise
            self._fail(failure_of(ErrorKind.JOURNAL, str(error)))
            return
        for job, stored in zip(group, known, strict=True):
            if stored is not None:
                job.record = replace(
                    job.record, prior_attempts=stored.sends, maybe_billed=stored.maybe_billed
                )
            self._accept(job, stored)


def _asked(job: Job[Message]) -> dict[str, bool]:
    """What the journal is asked beside entering it."""
    return {"reopen_failed": job.reopen} | ({"twins": True} if job.digest is not None else {})


def key_reused(job: Job[Message]) -> Failed:
    """How a job ends whose key the journal knows from another request."""
    return Failed(
        loop_time(),
        failure_of(
            ErrorKind.INVALID_REQUEST, f"the key {job.key!r} stands for another request in this journal"
        ),
    )
