"""Looking for a batch whose creation brought no answer: the process died, or the connection broke.

The API has no idempotency key, and of a batch that is not done it tells only when it was created and how many
requests it has. So: what is newer than the newest batch before, has as many requests, and is not known to be another
one, may be ours. Its results tell, whose ids have our token. Until then nothing is sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import anyio

from headway.core.batch_ids import place_of
from headway.core.batch_info import BatchInfo
from headway.core.batch_polling import SEARCHES, next_look
from headway.errors import BatchCallError
from headway.ports import BatchEntry
from headway.runtime.batches.calls import BatchCalls, jitter
from headway.runtime.clock import loop_time


class BatchSearch:
    """Finds a batch again by its token. Raises `BatchCallError` when the API does not let itself be asked."""

    def __init__(self, calls: BatchCalls, known: Callable[[], Iterable[str]]) -> None:
        self._calls = calls
        self._known = known
        """The ids of batches that are not in doubt."""
        self._others: dict[str, str] = {}
        """The tokens of batches that were looked into, by their ids; empty: they are not ours."""

    async def find(self, entry: BatchEntry) -> BatchInfo | None:
        """The batch with this token. ``None``: it was not created, as far as anybody can tell."""
        for wait in SEARCHES:
            await anyio.sleep(wait)
            for info in await self._calls.newer_than(entry.newest):
                if info.total == entry.requests and info.id not in self._known():
                    found = await self._examined(info, entry.token)
                    if found is not None:
                        return found
        return None

    async def _examined(self, info: BatchInfo, token: str) -> BatchInfo | None:
        """The batch, if it has our token; it has to end first."""
        started = loop_time()
        while info.status != "ended":
            await anyio.sleep(next_look(loop_time() - started, jitter()))
            info = await self._calls.look(info.id)
            if info.id in self._known():
                return None
        if info.id not in self._others:
            self._others[info.id] = await self._token_of(info)
        return info if self._others[info.id] == token else None

    async def _token_of(self, info: BatchInfo) -> str:
        """The token in the first id that has one; one line is enough."""
        try:
            async for result in self._calls.results(info.id):
                place = place_of(result.custom_id)
                if place is not None or result.raw is None:
                    return place.token if place else ""
        except BatchCallError as error:
            if error.failure.status is None:  # not the API's word on this batch
                raise
        return ""
