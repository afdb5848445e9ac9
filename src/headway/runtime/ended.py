"""What an outcome tells of its job's ending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.core.job import JobState

if TYPE_CHECKING:
    from headway.core.change import Change
    from headway.core.failure import Failure
    from headway.core.outcome import Ending
    from headway.core.usage import Usage


class Ended:
    """The facts of an ending, under the names that callers know."""

    __slots__ = ()
    ending: Ending

    @property
    def key(self) -> str:
        """The job's identity: its ``custom_id`` where it has one."""
        return self.ending.key

    @property
    def state(self) -> JobState:
        """How it ended."""
        return self.ending.state

    @property
    def failure(self) -> Failure | None:
        """Why it did not succeed."""
        return self.ending.failure

    @property
    def stop_reason(self) -> str | None:
        """Why the answer ended: ``end_turn``, ``tool_use``, ``max_tokens``, ``refusal`` and so on."""
        return self.ending.stop_reason

    @property
    def changes(self) -> tuple[Change, ...]:
        """What was changed in the request: repairs and follow-ups, in order."""
        return self.ending.changes

    @property
    def usage(self) -> Usage:
        """Tokens used, by answers that a follow-up took the place of as well."""
        return self.ending.usage

    @property
    def cost(self) -> float | None:
        """USD at list price; ``None`` when the model's price is unknown."""
        return self.ending.cost

    @property
    def sends(self) -> int:
        """Requests sent for it, over all processes that shared its journal."""
        return self.ending.sends

    @property
    def maybe_billed(self) -> int:
        """Sends that may have been billed although no answer reached us."""
        return self.ending.maybe_billed

    @property
    def queued_seconds(self) -> float:
        """Time spent waiting."""
        return self.ending.queued_seconds

    @property
    def running_seconds(self) -> float:
        """Time spent in attempts."""
        return self.ending.running_seconds

    @property
    def resumable(self) -> bool:
        """It did not finish because something stopped first; it may be sent again."""
        return self.ending.resumable
