"""From what a caller gave to a `Job`: defaults, identity, deadline, size."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from headway.core.cache_prefix import cache_prefixes
from headway.core.catalog import BUILT_IN, Catalog
from headway.core.error_kind import ErrorKind
from headway.core.failure import failure_of
from headway.core.id_set import IdSet
from headway.core.job import JobRecord, JobState, Priority
from headway.core.outcome import Ending
from headway.core.request import Request, RequestError, build_request, label_of
from headway.core.tokens import measure
from headway.ports import BudgetKey, Transport
from headway.runtime.budget_keys import BudgetKeys
from headway.runtime.clock import loop_time
from headway.runtime.handle import Job, Outcome
from headway.runtime.inspector import Inspected, Inspector
from headway.runtime.terms import Terms

if TYPE_CHECKING:
    from anthropic.types import Message


DIGITS: Final = 20
"""Hexadecimal digits of the content in the key of a job without a name."""


class JobFactory:
    """Makes the jobs of one scheduler."""

    def __init__(
        self,
        defaults: Mapping[str, object],
        transport: Transport,
        canceller: Callable[[Job[Message]], None],
        journalled: bool,
        inspector: Inspector,
        keys: BudgetKeys,
        catalog: Catalog = BUILT_IN,
    ) -> None:
        self._defaults = defaults
        self._transport = transport
        self._canceller = canceller
        self._journalled = journalled
        self._catalog = catalog
        self._inspector = inspector
        self._keys = keys
        self._ids = itertools.count(1)
        self._seen = IdSet()
        self._repeats: Counter[str] = Counter()
        """Of contents that came more than once: a million different ones fit in 16 to 32 bytes each."""
        self.require_price: Callable[[Request], None] | None = None
        """Under a spend cap: raises `RequestError` for a request whose price is unknown."""
        self._returned: dict[str, list[int]] = {}
        """Their numbers whose jobs ended resumably."""

    def make(
        self,
        prompt: object,
        params: Mapping[str, object],
        terms: Terms,
        key: str | None = None,
        *,
        guest: bool = False,
    ) -> Job[Message]:
        """A job for a prompt; raises `RequestError` for what cannot be sent. A guest's is not journalled."""
        built = build_request(prompt, self._defaults, params, custom_id=key, catalog=self._catalog)
        if terms.follow_up is not None:
            terms = replace(terms, follow_up=terms.follow_up.resolved(self._catalog.resolve))
        request = self._transport.prepare(built)
        if self._journalled and not guest:
            request.content_digest()  # what the journal cannot hold is refused here, not among others there
        number = next(self._ids)
        seen = self._inspector.look(request, terms.repair)
        return self._job(
            number, request.custom_id or self._default_key(request, number, guest=guest), request, terms, seen
        )

    def visit(self, request: Request, terms: Terms, account: str | None = None) -> Job[Message]:
        """A job for a call that a client of the user's makes itself: its body is taken as it is, and counts
        against the limits of that client's ``account``."""
        number = next(self._ids)
        seen = self._inspector.look(request, terms.repair, as_it_is=True)
        return self._job(number, f"job-{number}", request, terms, seen, account)

    def _job(
        self,
        number: int,
        key: str,
        request: Request,
        terms: Terms,
        seen: Inspected,
        account: str | None = None,
    ) -> Job[Message]:
        for name, text in (("key", key), ("tenant", terms.tenant)):
            if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise RequestError(name, f"must be a string, not {type(text).__name__}")
        deadline = terms.deadline
        if deadline is not None and not (isinstance(deadline, int | float) and deadline > 0):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise RequestError("deadline", f"must be above 0 seconds from now, not {deadline!r}")
        if terms.tag:
            request = replace(request, tag=label_of("tag", terms.tag))
        now = loop_time()
        record = JobRecord(
            id=number,
            key=key,
            request=request,
            priority=_priority(terms.priority),
            tenant=terms.tenant or request.tenant,
            submitted=now,
            deadline=None if deadline is None else now + deadline,
        )
        sent = request if seen.mended is None else replace(request, params=seen.mended.body)
        if self.require_price is not None:
            self.require_price(sent)
        if terms.placer is not None:
            self._inspector.learn_shared(sent.params, terms.placer)
        size = measure(sent.params)
        job: Job[Message] = Job(record, self._keys.of(sent, account), size, self._canceller, terms, seen)
        if terms.dedupe:
            job.digest = request.content_digest()
        job.prefixes = cache_prefixes(sent.params, self._catalog) if size.cached else ()
        return job

    def rejected(self, prompt: object, error: RequestError) -> Job[Message]:
        """A job that ended before it began: its input is not a request."""
        custom_id = (
            cast("Mapping[str, object]", prompt).get("custom_id") if isinstance(prompt, Mapping) else None
        )
        number = next(self._ids)
        request = prompt if isinstance(prompt, Request) else Request({"model": "", "max_tokens": 0})
        key = custom_id if isinstance(custom_id, str) else request.custom_id or f"job-{number}"
        failure = failure_of(ErrorKind.INVALID_REQUEST, str(error))
        record = JobRecord(number, key, request, state=JobState.FAILED)
        job: Job[Message] = Job(record, BudgetKey(self._transport.account, ""), measure({}), self._canceller)
        job.resolve(Outcome(Ending(key, JobState.FAILED, failure=failure), request))
        return job

    def _default_key(self, request: Request, number: int, *, guest: bool) -> str:
        """With a journal the same script run again must find its jobs: content and occurrence name them."""
        if guest or not self._journalled:
            return f"job-{number}"
        digest = request.content_hash()[:DIGITS]
        if returned := self._returned.get(digest):
            return f"{digest}-{heapq.heappop(returned)}"
        if not self._seen.add(digest):
            self._repeats[digest] += 1
        return f"{digest}-{self._repeats[digest] + 1 if digest in self._repeats else 1}"

    def take_back(self, key: str) -> None:
        """A job with this key ended resumably: when its content is submitted again, it is the same job. (Under
        another key the journal would keep both, and a later run would send it once more.)"""
        digest, _, number = key.partition("-")
        if len(digest) != DIGITS or not number.isdecimal():
            return  # a name of the caller's own
        if digest in self._repeats:
            heapq.heappush(self._returned.setdefault(digest, []), int(number))
        else:
            self._seen.discard(digest)


def _priority(given: Priority) -> Priority:
    try:
        return Priority(given)
    except ValueError:
        names = ", ".join(f"Priority.{each.name}" for each in Priority)
        raise RequestError("priority", f"must be one of {names}, not {given!r}") from None
