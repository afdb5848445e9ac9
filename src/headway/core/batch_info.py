"""Message batches as values: what goes in, how one is getting on, and what came of each request.

https://platform.claude.com/docs/en/build-with-claude/batch-processing
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

BatchStatus = Literal["in_progress", "canceling", "ended"]
ResultType = Literal["succeeded", "errored", "canceled", "expired"]
LIFETIME: Final = 86_400.0
"""Seconds from a batch's creation until what is not done by then expires (same page)."""
RESULTS_KEPT: Final = 29 * 86_400.0
"""Seconds from a batch's creation for which its results can be read (same page)."""


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One request of a batch."""

    custom_id: str
    """``[a-zA-Z0-9_-]{1,64}``, unique within the batch."""
    params: Mapping[str, object]
    """The body of the Messages request."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Headers it wants its batch to be created with (``anthropic-beta``); those of one batch must agree."""

    def __repr__(self) -> str:  # prompts stay private
        return f"BatchItem(custom_id={self.custom_id!r}, model={self.params.get('model')!r})"


@dataclass(frozen=True, slots=True)
class BatchInfo:
    """How a batch is getting on. Times are Unix seconds of the server's clock."""

    id: str
    status: BatchStatus
    created_at: float
    expires_at: float
    ended_at: float | None = None
    processing: int = 0
    """Requests that are not done. The API keeps the other counts at 0 until the whole batch has ended."""
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0
    cancel_initiated: bool = False
    archived_at: float | None = None
    """Since when its results can no longer be read."""

    @property
    def total(self) -> int:
        """Requests in the batch."""
        return self.processing + self.succeeded + self.errored + self.canceled + self.expired


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What came of one request. Only ``succeeded`` ones are billed."""

    custom_id: str
    """Empty where the line has none."""
    type: ResultType
    message: object | None = None
    """Of ``succeeded``: the SDK's ``Message``."""
    error: object | None = None
    """Of ``errored``: the `Failure`, classified as that of a request sent by itself."""
    raw: str | None = None
    """The whole line, where it could not be understood: then ``type`` is ``errored`` and ``error`` says why. It may
    have been a result that was billed."""

    def __repr__(self) -> str:  # answers stay private
        return f"BatchResult(custom_id={self.custom_id!r}, type={self.type!r})"
