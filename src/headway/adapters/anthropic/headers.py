"""Response headers to numbers: limits, ``Retry-After``, dates. The core never sees a date.

Formats: https://platform.claude.com/docs/en/api/rate-limits#response-headers
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from headway.core.dimension import TABLE, Dimension
from headway.core.limits import Bucket, LimitReport

PREFIX: Final = "anthropic-ratelimit-"
FAST_PREFIX: Final = "anthropic-fast-"
"""Fast mode has a pool of its own, and headers of its own for tokens."""


def limit_report(headers: Mapping[str, str], *, fast: bool = False) -> LimitReport:
    """What the ``anthropic-ratelimit-*`` headers say (``anthropic-fast-*`` for a request in fast mode); what
    is missing or garbled is left out."""
    prefix = FAST_PREFIX if fast else PREFIX
    buckets: list[tuple[Dimension, Bucket]] = []
    date: datetime | None = None
    for row in TABLE:
        stem = prefix + row.header
        limit = _number(headers.get(f"{stem}-limit"))
        if limit is None or limit <= 0:
            continue
        reset_after = None
        if reset := _rfc3339(headers.get(f"{stem}-reset")):
            date = date or http_date(headers.get("date"))
            # Both stamps are the server's: our own clock may be wrong.
            reset_after = (reset - date).total_seconds() if date else None
        remaining = _number(headers.get(f"{stem}-remaining"))
        buckets.append((row.dimension, Bucket(limit, remaining, reset_after)))
    return LimitReport(tuple(buckets))


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds asked for by ``retry-after-ms`` or ``retry-after`` (seconds, float or HTTP date).

    ``now`` (aware) stands in when a date comes without the server's own ``Date``. Negative for a time that
    is past; ``None`` when absent or not a number nor a date.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000.0
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None:
        return seconds
    if (until := http_date(text)) is None:
        return None
    return (until - (http_date(headers.get("date")) or now)).total_seconds()


def http_date(text: str | None) -> datetime | None:
    """An aware datetime of an HTTP date, or ``None``."""
    if not text:
        return None
    try:
        value = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)  # HTTP dates are GMT, named or not


def _rfc3339(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        value = datetime.fromisoformat(text)
        return value if value.tzinfo else None
    except ValueError:
        return None


def _number(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
