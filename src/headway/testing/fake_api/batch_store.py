"""The batches of the Message Batches API: what is in them and how far they are by the server's clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

from headway.testing.fake_api.fault import FaultRule
from headway.testing.fake_api.stats import BatchStats
from headway.testing.fake_api.wire_error import WireError, invalid

LIFETIME: Final = 86_400.0
"""Seconds after which what is not done expires."""
KEPT: Final = 29 * 86_400.0
"""Seconds after creation for which results can be read."""
_LAST_REQUESTS: Final = 0.05
"""Share of a batch's whole time that it goes on after a cancellation."""
Kind = Literal["succeeded", "errored", "canceled", "expired"]


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """One request of a batch."""

    custom_id: str
    params: dict[str, object]
    job: str
    digest: bytes
    done_after: float
    """Seconds after the batch's creation at which it is done, if nothing comes between."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one request."""

    kind: Kind
    error: WireError | None = None
    fault: FaultRule | None = None
    input_tokens: int = 0
    attempt: int = 1


@dataclass(slots=True)
class Batch:
    """One batch. Times are epoch seconds of the server's clock."""

    id: str
    requests: tuple[BatchRequest, ...]
    created_at: float
    seconds: float
    """How long it takes."""
    version: str
    """The ``anthropic-version`` it was created with."""
    betas: str = ""
    """The ``anthropic-beta`` header it was created with."""
    cancel_at: float | None = None
    done: list[Done] = field(default_factory=list[Done])
    """In the order of the requests, as far as they were looked at after the end."""
    reads: int = 0
    """How often its results were asked for."""

    @property
    def expires_at(self) -> float:
        """24 hours after creation."""
        return self.created_at + LIFETIME

    @property
    def ends_at(self) -> float:
        """When processing ends, as things are."""
        end = min(self.created_at + self.seconds, self.expires_at)
        if self.cancel_at is None:
            return end
        return min(end, self.cancel_at + self.seconds * _LAST_REQUESTS)

    @property
    def ended(self) -> bool:
        """Whether all requests have been settled."""
        return len(self.done) == len(self.requests)

    def undone(self, request: BatchRequest) -> Kind | None:
        """What a request is that was not done when processing ended."""
        if self.created_at + request.done_after <= self.ends_at:
            return None
        return "expired" if self.ends_at == self.expires_at else "canceled"

    def counts(self) -> dict[str, int]:
        """``request_counts``: all processing until the whole batch has ended."""
        names: tuple[Kind, ...] = ("succeeded", "errored", "canceled", "expired")
        if not self.ended:
            return {"processing": len(self.requests), **dict.fromkeys(names, 0)}
        return {
            "processing": 0,
            **{name: sum(1 for item in self.done if item.kind == name) for name in names},
        }

    def status(self) -> str:
        """``processing_status``."""
        if self.ended:
            return "ended"
        return "in_progress" if self.cancel_at is None else "canceling"

    def wire(self, now: float, base_url: str) -> dict[str, object]:
        """As the API shows it."""
        archived_at = self.created_at + KEPT
        archived = self.ended and now >= archived_at
        url = f"{base_url}/v1/messages/batches/{self.id}/results"
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": self.status(),
            "request_counts": self.counts(),
            "created_at": _stamp(self.created_at),
            "expires_at": _stamp(self.expires_at),
            "ended_at": _stamp(self.ends_at) if self.ended else None,
            "cancel_initiated_at": None if self.cancel_at is None else _stamp(self.cancel_at),
            "archived_at": _stamp(archived_at) if archived else None,
            "results_url": url if self.ended and not archived else None,
        }

    def stats(self) -> BatchStats:
        """For whoever wants to know what happened."""
        return BatchStats(
            status=self.status(),
            created_at=self.created_at,
            custom_ids=tuple(request.custom_id for request in self.requests),
            counts=self.counts(),
            reads=self.reads,
        )


class BatchStore:
    """Batches by id. ``now`` is their clock, epoch seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._batches: dict[str, Batch] = {}
        self._made = 0
        self.deleted: dict[str, BatchStats] = {}

    def next_id(self) -> str:
        """``msgbatch_…``, unique on this server."""
        self._made += 1
        return f"msgbatch_011C{self._made:020d}"

    def add(self, batch: Batch) -> None:
        """Keep a new batch."""
        self._batches[batch.id] = batch

    def get(self, batch_id: str) -> Batch:
        """One batch. Raises 404."""
        batch = self._batches.get(batch_id)
        if batch is None:
            raise WireError(404, "not_found_error", f"Message batch not found: {batch_id}")
        return batch

    def cancel(self, batch: Batch) -> None:
        """Begin to cancel; a second time changes nothing. Raises 400 for one that has ended."""
        if batch.ended:
            raise invalid(f"Batch {batch.id} cannot be canceled because it has already ended.")
        if batch.cancel_at is None:
            batch.cancel_at = self.now()

    def delete(self, batch: Batch) -> None:
        """Forget a batch. Raises 400 for one that has not ended."""
        if not batch.ended:
            raise invalid(f"Batch {batch.id} cannot be deleted while it is being processed. Cancel it first.")
        self.deleted[batch.id] = batch.stats()
        del self._batches[batch.id]

    def newest(self) -> list[Batch]:
        """All batches, the newest first."""
        return list(reversed(self._batches.values()))

    def waiting(self) -> int:
        """Requests in batches that have not ended."""
        now = self.now()
        return sum(len(batch.requests) for batch in self._batches.values() if now < batch.ends_at)

    def stats(self) -> dict[str, BatchStats]:
        """Every batch ever created, the oldest first."""
        found = self.deleted | {batch.id: batch.stats() for batch in self._batches.values()}
        return dict(sorted(found.items()))


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
