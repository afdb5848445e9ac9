"""Batches as people and programs read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from headway.cli import figures
from headway.core.batch_info import RESULTS_KEPT, BatchInfo


def rows(infos: Iterable[BatchInfo], now: float) -> Iterator[str]:
    """A line for each: id, status, creation, and how it stands."""
    known = list(infos)
    widest = max((len(info.id) for info in known), default=0)
    for info in known:
        created = datetime.fromtimestamp(info.created_at, UTC).strftime("%Y-%m-%d %H:%M")
        yield f"{info.id:<{widest}}  {info.status:<11}  {created} UTC  {standing(info, now)}"


def standing(info: BatchInfo, now: float) -> str:
    """``512 requests: 497 succeeded, 15 errored; results for 28 days``."""
    total = figures.plural(info.total, "request")
    if info.status != "ended":
        left = info.expires_at - now
        return f"{total}; expires in {figures.span(left)}" if left > 0 else f"{total}; about to expire"
    named = (
        (info.succeeded, "succeeded"),
        (info.errored, "errored"),
        (info.canceled, "canceled"),
        (info.expired, "expired"),
    )
    counts = ", ".join(f"{figures.count(number)} {name}" for number, name in named if number)
    days = (info.created_at + RESULTS_KEPT - now) / 86_400
    kept = "archived" if info.archived_at is not None or days <= 0 else f"results for {_days(days)}"
    return f"{total}{f': {counts}' if counts else ''}; {kept}"


def _days(days: float) -> str:
    return figures.span(days * 86_400) if days < 2 else f"{days:.0f} days"


def as_json(info: BatchInfo) -> dict[str, object]:
    """The API's names and shapes."""
    return {
        "id": info.id,
        "processing_status": info.status,
        "created_at": _stamp(info.created_at),
        "expires_at": _stamp(info.expires_at),
        "ended_at": _stamp(info.ended_at),
        "archived_at": _stamp(info.archived_at),
        "cancel_initiated": info.cancel_initiated,
        "request_counts": {
            "processing": info.processing,
            "succeeded": info.succeeded,
            "errored": info.errored,
            "canceled": info.canceled,
            "expired": info.expired,
        },
    }


def _stamp(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
