"""A caller who sends by himself, but in the queue."""

from __future__ import annotations

from typing import Protocol

from headway.core.usage import Usage
from headway.ports.answer import Rejection, Reply
from headway.ports.budget import Grant


class Visit(Protocol):
    """A call of the user's own, standing in the queue like a job; see `runtime/guest.py`."""

    def now(self) -> float:
        """Loop time, seconds."""
        ...

    async def turn(self) -> Grant:
        """Wait for the next attempt's grant. Raises `HeadwayError` when there will be none."""
        ...

    async def finish(self, result: Reply | Rejection, *, last: bool = False) -> bool:
        """End the attempt; true if there will be another turn. ``last``: there will not be, whatever failed."""
        ...

    async def leave(self, used: Usage | None = None, *, sent: bool = False) -> None:
        """Go away and give everything back."""
        ...
