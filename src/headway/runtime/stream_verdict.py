"""Whether a whole streamed answer is what was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from headway.core.error_kind import ErrorKind
from headway.core.failure import failure_of
from headway.core.limits import NO_REPORT
from headway.core.partial import Partial
from headway.ports import Rejection, Reply

if TYPE_CHECKING:
    from anthropic.types import Message


def judged(
    message: Message, partial: Partial, misfit: str | None, request_id: str | None
) -> Reply | Rejection:
    """The end of a whole answer; ``misfit``: why it is not of the type that was asked for. It was shown, so it is not
    asked for again: that would show another one."""
    usage = partial.settle()
    if misfit is None:
        return Reply(message, "", usage, NO_REPORT, partial.stop_reason, request_id)
    return Rejection(
        replace(failure_of(ErrorKind.MISFIT, misfit), status=200, request_id=request_id), usage=usage
    )
