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
from headway.core.request import Request

PREFIX: Final = "anthropic-ratelimit-"
PRIORITY_PREFIX: Final = "anthropic-priority-"
FAST_PREFIX: Final = "anthropic-fast-"
"""Fast mode has a pool of its own, and headers of its own for tokens."""
UNIFIED_PREFIX: Final = "anthropic-ratelimit-unified-"
"""Subscriptions: windows of hours, not rates."""


def limit_report(
    headers: Mapping[str, str], *, fast: bool = False, standard_only: bool = False
) -> LimitReport:
    """What the ``anthropic-ratelimit-*`` headers say; what is missing or garbled is left out.

    ``fast``: the request is in fast mode, whose tokens have a pool and headers of their own. With Priority
    Tier (its headers are there only when a request is eligible) a request draws on the committed tokens
    first and on the standard ones after them, so both together are what is left, unless the request asked
    for ``standard_only``. ``anthropic-ratelimit-unified-*`` (subscriptions) tells no rate and is not read.
    """
    date = http_date(headers.get("date"))
    buckets: list[tuple[Dimension, Bucket]] = []
    for row in TABLE:
        bucket = _bucket(headers, f"{FAST_PREFIX if fast else PREFIX}{row.header}", date)
        if bucket and not fast and not standard_only:
            bucket = _joined(bucket, _bucket(headers, f"{PRIORITY_PREFIX}{row.header}", date))
        if bucket:
            buckets.append((row.dimension, bucket))
    return LimitReport(tuple(buckets))


def report_of(request: Request | None, headers: Mapping[str, str]) -> LimitReport:
    """What the headers say of the limits that this request counts against."""
    if request is None:
        return limit_report(headers)
    standard_only = request.params.get("service_tier") == "standard_only"
    return limit_report(headers, fast=request.params.get("speed") == "fast", standard_only=standard_only)


def _bucket(headers: Mapping[str, str], stem: str, date: datetime | None) -> Bucket | None:
    limit = _number(headers.get(f"{stem}-limit"))
    if limit is None or limit <= 0:
        return None
    reset = _rfc3339(headers.get(f"{stem}-reset"))
    # Both stamps are the server's: our own clock may be wrong.
    reset_after = (reset - date).total_seconds() if reset and date else None
    return Bucket(limit, _number(headers.get(f"{stem}-remaining")), reset_after)


def _joined(standard: Bucket, priority: Bucket | None) -> Bucket:
    """Two buckets that a request may draw on, as one; when they are full again cannot be said of both."""
    if priority is None:
        return standard
    known = standard.remaining is not None and priority.remaining is not None
    remaining = (standard.remaining or 0.0) + (priority.remaining or 0.0) if known else None
    return Bucket(standard.limit + priority.limit, remaining)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds asked for by ``retry-after-ms`` or ``retry-after`` (seconds, float or HTTP date), or, where a
    subscription's window is used up (``anthropic-ratelimit-unified-status: rejected``), until its reset.

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
    until = http_date(text) or _window_end(headers)
    return None if until is None else (until - (http_date(headers.get("date")) or now)).total_seconds()


def _window_end(headers: Mapping[str, str]) -> datetime | None:
    """When a used-up subscription window is reset: epoch seconds. The other ``unified`` headers tell no rate."""
    seconds = _number(headers.get(f"{UNIFIED_PREFIX}reset"))
    if headers.get(f"{UNIFIED_PREFIX}status") != "rejected" or seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):  # no date of this calendar
        return None


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
