"""How one attempt ended: with a message, or without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headway.core.failure import Failure
from headway.core.limits import NO_REPORT, LimitReport
from headway.core.usage import Usage

if TYPE_CHECKING:
    from anthropic.types import Message


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete message."""

    message: Message
    body: str
    """The message as JSON text."""
    usage: Usage
    report: LimitReport = NO_REPORT
    stop_reason: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """An attempt that brought no message."""

    failure: Failure
    report: LimitReport = NO_REPORT
    usage: Usage | None = None
    """What it is known to have used all the same: a stream that broke after its first events."""
