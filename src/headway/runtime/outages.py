"""What is not sent to any more: marks a scope dead, takes its jobs out of the queue, and says so once."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from headway.core.alert import Alert
from headway.core.error_kind import ErrorKind, Scope
from headway.core.failure import Failure
from headway.core.request import Request
from headway.core.scopes import DeadScope, DeadScopes, scope_for
from headway.runtime.fault import is_fault
from headway.runtime.handle import Job

if TYPE_CHECKING:
    from anthropic.types import Message

log: Final = logging.getLogger("headway")


class Outages:
    """The dead scopes of a scheduler."""

    def __init__(
        self,
        *,
        withdraw: Callable[[DeadScope], list[Job[Message]]],
        park: Callable[[Job[Message], Failure], None],
        tell: Callable[[Alert], None],
        advise: Callable[[Failure, Request], Awaitable[Failure]],
    ) -> None:
        self._withdraw = withdraw
        self._park = park
        self._tell = tell
        self._advise = advise
        self._held: dict[DeadScope, list[Job[Message]]] = {}
        """Taken out of the queue, until it is known what to say."""
        self.scopes = DeadScopes()

    @property
    def halted(self) -> Failure | None:
        """Why nothing at all is sent."""
        return self.scopes.account

    def failure_for(self, job: Job[Message]) -> Failure | None:
        """Why a job is not sent; ``None``: it may be."""
        return self.scopes.failure_for(job.record.sending)

    def stop(self, dead: DeadScope, failure: Failure) -> None:
        """Send nothing more to a scope. Its queued jobs end resumably, with the failure that came first."""
        known = self.scopes.failures.get(dead)
        if known is None:
            self.scopes = self.scopes.add(dead, failure)
        self._end(dead, known or failure, self._withdraw(dead), tell=known is None)

    def stop_for(self, failure: Failure, request: Request) -> Failure | None:
        """A job has failed for good with this: stop what it concerns.

        Gives the failure that is to be told; ``None``: ask `advised` for it, which may take a round trip.
        """
        dead = scope_for(failure, request)
        if dead is None:  # a profile that the request does not name
            return replace(failure, scope=Scope.JOB)
        if dead.scope is not Scope.MODEL:
            self.stop(dead, failure)
            return failure
        if dead not in self.scopes.failures:
            self.scopes = self.scopes.add(dead, failure)
            self._held.setdefault(dead, []).extend(self._withdraw(dead))
        return None

    def lose(self, failure: Failure, request: Request) -> bool:
        """Stop a model that is gone although its job goes on with another one; true if that is news, of which
        `advised` is to tell."""
        return self.scopes.failure_for(request) is None and self.stop_for(failure, request) is None

    async def advised(self, failure: Failure, request: Request) -> Failure:
        """The failure of a model with what is known about its id; the jobs held back meanwhile end with it."""
        dead = DeadScope(Scope.MODEL, request.model)
        try:
            failure = await self._advise(failure, request)
        except BaseException as error:  # the jobs in hand must end all the same
            if not is_fault(error):
                raise
            log.exception("no advice on %s", dead)
        held = self._held.pop(dead, None)
        if held is not None:
            if dead in self.scopes.failures:
                self.scopes = self.scopes.add(dead, failure)
            self._end(dead, failure, held, tell=True)
        return failure

    def resume(self, dead: DeadScope | None) -> None:
        """Send again to one scope, or to all."""
        self.scopes = DeadScopes() if dead is None else self.scopes.remove(dead)

    def _end(self, dead: DeadScope, failure: Failure, jobs: list[Job[Message]], *, tell: bool) -> None:
        if tell and failure.kind is not ErrorKind.STOPPED:
            self._tell(Alert(dead, failure, len(jobs)))
        for job in jobs:
            self._park(job, failure)
