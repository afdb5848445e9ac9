"""Submitting again what an earlier process has left unfinished in the journal."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import anyio

from headway.core.faults import RequestError
from headway.errors import QueueFullError
from headway.ports import Journal, Unfinished
from headway.runtime.handle import Job

if TYPE_CHECKING:
    from anthropic.types import Message

log: Final = logging.getLogger("headway")


async def resubmitted(journal: Journal, submit: Callable[[Unfinished], Job[Message]]) -> list[Job[Message]]:
    """The jobs, oldest first. One that is refused now stays in the journal and is logged; for room in the queue is
    waited. Raises `JournalError`."""
    jobs: list[Job[Message]] = []
    async for left in journal.unfinished():
        try:
            jobs.append(await _submitted(left, submit))
        except RequestError as error:
            log.warning("job %s is left in the journal, it cannot be sent now: %s", left.key, error)
    return jobs


async def _submitted(left: Unfinished, submit: Callable[[Unfinished], Job[Message]]) -> Job[Message]:
    while True:
        try:
            return submit(left)
        except QueueFullError as full:
            await anyio.sleep(full.retry_after)
