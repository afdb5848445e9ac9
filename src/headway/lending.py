"""A scheduler's queue lent to clients: calls that others make, under the same budgets and retries."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from headway.core.job import Priority
from headway.core.request import Request
from headway.lifecycle import Lifecycle
from headway.runtime.guest import Guest
from headway.runtime.terms import USUAL, Terms, current_terms

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

    from headway.adapters.anthropic import AnthropicTransport, SchedulerMiddleware
    from headway.adapters.anthropic.connect import AnyClient
    from headway.adapters.anthropic.endpoints import EndpointPace

ClientT = TypeVar("ClientT", bound="AnyClient")


class Lending(Lifecycle):
    """What a scheduler gives to frameworks and to clients of the user's own."""

    @property
    def client(self) -> AsyncAnthropic:
        """An ``AsyncAnthropic`` for any framework: every Messages call through it, streams included, stands in
        this scheduler's queue, under its budgets and retries. Other endpoints pass (`EndpointLimits`)."""
        transport = self._here().transport
        if not hasattr(transport, "equipped"):
            raise TypeError(f"{type(transport).__name__} has no client; use wrap(client)")
        return cast("AnthropicTransport", transport).equipped(self._middleware(None))

    def wrap(
        self,
        client: ClientT,
        *,
        priority: Priority = Priority.NORMAL,
        tenant: str = "",
        tag: str = "",
        deadline: float | None = None,
    ) -> ClientT:
        """A copy of your own client that goes through this scheduler, with the SDK's retries off.

        It shares the connections of the given one. ``priority``, ``tenant``, ``tag`` and ``deadline`` (seconds
        for each call) hold for its calls; `job_terms` sets others for a block of code. Raises ValueError for a client
        that is wrapped already. Calls that are not sent raise `NotSentError`, an ``anthropic.APIError``.
        """
        from headway.adapters.anthropic.connect import fingerprint, with_scheduler

        terms = Terms(priority, tenant, deadline, tag=tag)
        return with_scheduler(client, self._middleware(fingerprint(client), terms))

    def _middleware(
        self,
        account: str | None,
        terms: Terms = USUAL,
        *,
        pace: EndpointPace | None = None,
        retries: bool = True,
    ) -> SchedulerMiddleware:
        from headway.adapters.anthropic import SchedulerMiddleware

        def admit(request: Request) -> Guest:
            running = self._here()
            self._require_room(running.engine)
            return running.engine.guest(running.factory.visit(request, current_terms(terms), account))

        return SchedulerMiddleware(admit, pace=pace, retries=retries)
