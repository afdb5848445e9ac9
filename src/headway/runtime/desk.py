"""Whom a worker reports to, and who amends requests for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from headway.core.amendment import Held
from headway.core.failure import Failure
from headway.core.outcome import Ending
from headway.core.usage import Usage
from headway.runtime.handle import Job

if TYPE_CHECKING:
    from anthropic.types import Message


class Desk(Protocol):
    """Whom a worker reports to."""

    cost_of: Callable[[str, Usage], float | None]
    """USD of an answer, by the catalogue in use; ``None``: unknown."""

    paces: Callable[[Job[Message], Failure], bool]
    """Whether this failure is one of an outage, in which only single attempts are made."""

    def requeue(self, job: Job[Message]) -> None:
        """The job waits for its next attempt."""
        ...

    def close(self, job: Job[Message], ending: Ending, message: Message | None) -> None:
        """The job has ended."""
        ...

    def halt(self, failure: Failure) -> None:
        """Nothing more may be sent on this account."""
        ...

    def stop_scope(self, job: Job[Message], failure: Failure) -> Failure | None:
        """The job's failure concerns more than the job; gives the failure that is to be told. ``None``: the
        desk ends the job itself."""
        ...

    def heard(self) -> None:
        """News of a budget came."""
        ...


class Amends(Protocol):
    """Who amends the requests of jobs. (It makes the job's next event and puts it back into the queue.)"""

    def may_repair(self, job: Job[Message], failure: Failure) -> bool:
        """A repair that was asked for may help against this failure."""
        ...

    async def repair(self, job: Job[Message], failure: Failure) -> None:
        """Mend the request and queue it again, or end the job with the failure."""
        ...

    async def follow(self, job: Job[Message], answer: Held, usage: Usage, cost: float | None) -> bool:
        """Send what follows a complete answer; false when nothing does."""
        ...

    def reroute(self, job: Job[Message], failure: Failure) -> bool:
        """Go on with another model; false when there is none, or no reason to."""
        ...
