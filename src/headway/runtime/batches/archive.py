"""The requests of jobs that wait in the batch lane: put away into the journal, which has them anyhow.

A job waits there for hours and its prompt may be megabytes; what waits is therefore a name. The request is read again
when it is written into a batch, when its result has come, and when it goes back to the live lane.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from headway.core.amendment import Amendment, Params
from headway.core.cache_prefix import cache_prefixes
from headway.core.catalog import Catalog
from headway.core.job import JobRecord
from headway.core.request import Request
from headway.core.stored_params import Outline, StoredParams, outline
from headway.core.tokens import measure
from headway.ports import RequestStore
from headway.runtime.handle import Job
from headway.runtime.recorder import Recorder

if TYPE_CHECKING:
    from anthropic.types import Message

AT_ONCE: Final = 100
"""Requests read together."""
OUTLINES: Final = 1000
"""Kinds of requests that are told apart; most runs have one."""
_NOTHING: Final = measure({})
_NO_OPTIONS: Final[dict[str, object]] = {}


class Archive:
    """Without a store (no journal, or one that cannot) every request stays where it is."""

    def __init__(self, store: RequestStore | None, recorder: Recorder, catalog: Catalog) -> None:
        self._store = store
        self._given = None if store is None else partial(_given, store)
        self._amended = None if store is None else partial(_amended, store)
        self._recorder = recorder
        self._catalog = catalog
        self._outlines: dict[tuple[object, ...], Outline] = {}

    def put_away(self, job: Job[Message], *, known: bool = False) -> None:
        """Keep only the job's name; the journal has entered it. ``known``: and all that was made of it. A journal
        that fails says so at the next commit."""
        given, amended, record = self._given, self._amended, job.record
        if given is None or amended is None or job.guest is not None or is_away(record):
            return
        amendment, request = record.amendment, record.request
        if amendment.params is not None:
            if not known:
                self._recorder.keep_amendment(job)
            body = StoredParams(self._outline(amendment.params), job.key, amended)
            amendment = replace(amendment, params=body)
        params = StoredParams(self._outline(request.params), job.key, given)
        options = request.options or _NO_OPTIONS
        job.record = replace(
            record, request=replace(request, params=params, options=options), amendment=amendment
        )
        job.prefixes = ()
        if record.deadline is None:  # else when it has to go live depends on it
            job.size = _NOTHING
        job.rest()

    async def fetch(self, jobs: Sequence[Job[Message]]) -> None:
        """Make jobs whole again. Raises `JournalError`."""
        away = [job for job in jobs if is_away(job.record)]
        for start in range(0, len(away), AT_ONCE):
            group = away[start : start + AT_ONCE]
            for job, (request, amendment) in zip(group, await self._read(group), strict=True):
                if is_away(job.record) and not job.done():
                    self._restore(job, request, amendment)

    async def requests(self, jobs: Sequence[Job[Message]]) -> list[Request]:
        """What is sent for these jobs, which stay as they are. Raises `JournalError`."""
        away = [job for job in jobs if is_away(job.record)]
        found = dict(zip(away, await self._read(away), strict=True)) if away else {}
        return [
            _whole(job.record, *found[job]).sending if job in found else job.record.sending for job in jobs
        ]

    async def _read(self, jobs: Sequence[Job[Message]]) -> Sequence[tuple[Request, Amendment | None]]:
        assert self._store is not None
        return await self._store.requests([job.key for job in jobs])

    def _restore(self, job: Job[Message], request: Request, amendment: Amendment | None) -> None:
        job.record = _whole(job.record, request, amendment)
        params = job.record.sending.params
        job.size = measure(params)
        job.prefixes = cache_prefixes(params, self._catalog) if job.size.cached else ()
        job.move(job.budget_key)

    def _outline(self, params: Params) -> Outline:
        kept = outline(params)
        if len(self._outlines) >= OUTLINES:
            self._outlines.clear()
        kind = tuple((name, type(value), value) for name, value in kept.items())
        return self._outlines.setdefault(kind, kept)


def is_away(record: JobRecord) -> bool:
    """Whether a job's request was put away."""
    return isinstance(record.request.params, StoredParams)


def _whole(record: JobRecord, request: Request, stored: Amendment | None) -> JobRecord:
    """What is not journalled of a request (its ``output_format``, secrets in its headers) was kept."""
    amendment = record.amendment
    if isinstance(amendment.params, StoredParams):
        amendment = replace(amendment, params=None if stored is None else stored.params)
    return replace(record, request=replace(record.request, params=request.params), amendment=amendment)


def _given(store: RequestStore, key: str) -> Params:
    return store.read(key)[0].params


def _amended(store: RequestStore, key: str) -> Params:
    request, amendment = store.read(key)
    return request.params if amendment is None or amendment.params is None else amendment.params
