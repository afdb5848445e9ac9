"""Response headers to numbers: limits, Retry-After in every form, and nothing that is not a number."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.adapters.anthropic.headers import http_date, limit_report, retry_after
from headway.core.dimension import Dimension
from headway.core.limits import Bucket

NOW = datetime(2026, 11, 22, 13, 0, 0, tzinfo=UTC)
DATE = "Sun, 22 Nov 2026 13:00:00 GMT"


def headers_of(**values: str) -> httpx2.Headers:
    """``requests_limit="50"`` is ``anthropic-ratelimit-requests-limit: 50``."""
    return httpx2.Headers({f"anthropic-ratelimit-{name.replace('_', '-')}": v for name, v in values.items()})


# Retry-After


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0),
        ("0", 0.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("1e2", 100.0),
        ("-5", -5.0),
        ("999999999999", 999_999_999_999.0),
        ("1" * 400, None),  # infinite as a float
        ("inf", None),
        ("-inf", None),
        ("nan", None),
        ("NaN", None),
        ("", None),
        ("soon", None),
        ("30 seconds", None),
        ("30, 60", None),
        ("Sun, 32 Nov 2026 13:00:00 GMT", None),
        ("Sun, 22 Nov 99999999999 13:00:00 GMT", None),
        ("2026-11-22T13:00:05Z", None),
    ],
)
def test_retry_after_as_a_number_or_garbage(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text}, NOW) == seconds


def test_milliseconds_are_more_exact_and_win() -> None:
    assert retry_after({"retry-after-ms": "1500", "retry-after": "2"}, NOW) == 1.5
    assert retry_after({"retry-after-ms": "250.5"}, NOW) == 0.2505
    for garbage in ("", "soon", "nan", "inf"):
        assert retry_after({"retry-after-ms": garbage, "retry-after": "2"}, NOW) == 2.0


def test_absent() -> None:
    assert retry_after({}, NOW) is None
    assert retry_after(httpx2.Headers({"date": DATE}), NOW) is None


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 22 Nov 2026 13:00:20 GMT",
        "Sunday, 22-Nov-26 13:00:20 GMT",  # RFC 850
        "Sun Nov 22 13:00:20 2026",  # asctime: GMT without saying so
        "Sun, 22 Nov 2026 13:00:20 -0000",
        "Sun, 22 Nov 2026 14:00:20 +0100",
    ],
)
def test_a_date_is_measured_by_the_servers_own_clock(text: str) -> None:
    """Our clock, an hour off here, does not matter when the response is dated."""
    assert retry_after({"retry-after": text, "date": DATE}, NOW + timedelta(hours=1)) == 20.0
    assert retry_after({"retry-after": text}, NOW) == 20.0
    assert retry_after({"retry-after": text, "date": "yesterday"}, NOW) == 20.0


def test_a_naive_date_does_not_depend_on_the_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert http_date("Sun Nov 22 13:00:20 2026") == NOW + timedelta(seconds=20)
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_a_past_date_is_negative() -> None:
    assert retry_after({"retry-after": "Sun, 22 Nov 2026 12:59:00 GMT", "date": DATE}, NOW) == -60.0


def test_header_names_are_not_case_sensitive() -> None:
    assert retry_after(httpx2.Headers({"Retry-After": "3"}), NOW) == 3.0


TEXTS = st.one_of(
    st.text(max_size=40),
    st.floats().map(repr),
    st.integers().map(str),
    st.datetimes().map(lambda value: format_datetime(value.replace(tzinfo=UTC), usegmt=True)),
    st.datetimes().map(format_datetime),
    st.datetimes().map(lambda value: value.isoformat() + "Z"),
    st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,6} \d\d:\d\d:\d\d [+-]\d{1,9}", fullmatch=True),
)


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "date"]), TEXTS))
def test_retry_after_never_raises_and_is_never_nan(headers: dict[str, str]) -> None:
    seconds = retry_after(headers, NOW)
    assert seconds is None or math.isfinite(seconds)


# Limits


def test_every_dimension_is_read() -> None:
    headers = headers_of(
        requests_limit="50", requests_remaining="49", requests_reset="2026-11-22T13:00:02Z",
        input_tokens_limit="30000", input_tokens_remaining="29000", input_tokens_reset="2026-11-22T13:00:00Z",
        output_tokens_limit="8000", output_tokens_remaining="0", output_tokens_reset="2026-11-22T13:01:00Z",
        tokens_limit="38000", tokens_remaining="29000", tokens_reset="2026-11-22T13:01:00Z",
    )  # fmt: skip
    headers["date"] = DATE
    assert limit_report(headers).buckets == (
        (Dimension.REQUESTS, Bucket(50.0, 49.0, 2.0)),
        (Dimension.INPUT, Bucket(30_000.0, 29_000.0, 0.0)),
        (Dimension.OUTPUT, Bucket(8_000.0, 0.0, 60.0)),
    )


def test_no_headers_no_report() -> None:
    assert not limit_report({})
    assert not limit_report(httpx2.Headers({"content-type": "application/json", "date": DATE}))


@pytest.mark.parametrize("limit", ["0", "-1", "nan", "inf", "unlimited", ""])
def test_a_limit_that_is_none_is_left_out(limit: str) -> None:
    assert not limit_report(headers_of(requests_limit=limit, requests_remaining="5"))


def test_missing_and_garbled_parts_are_left_out_alone() -> None:
    headers = headers_of(
        requests_limit="50",
        input_tokens_limit="30000", input_tokens_remaining="many", input_tokens_reset="2026-11-22T13:00:30Z",
        output_tokens_remaining="10",
    )  # fmt: skip
    headers["date"] = DATE
    assert limit_report(headers).buckets == (
        (Dimension.REQUESTS, Bucket(50.0, None, None)),
        (Dimension.INPUT, Bucket(30_000.0, None, 30.0)),
    )


@pytest.mark.parametrize(
    ("reset", "date", "seconds"),
    [
        ("2026-11-22T13:00:30Z", DATE, 30.0),
        ("2026-11-22T14:00:30+01:00", DATE, 30.0),
        ("2026-11-22T13:00:30.250Z", DATE, 30.25),
        ("2026-11-22T12:59:30Z", DATE, -30.0),
        ("2026-11-22T13:00:30", DATE, None),  # no zone: not RFC 3339
        ("1795352430", DATE, None),
        ("soon", DATE, None),
        ("2026-11-22T13:00:30Z", "soon", None),
        ("2026-11-22T13:00:30Z", None, None),  # our own clock may be wrong
    ],
)
def test_reset_stamps(reset: str, date: str | None, seconds: float | None) -> None:
    headers = headers_of(requests_limit="50", requests_reset=reset)
    if date is not None:
        headers["date"] = date
    ((_, bucket),) = limit_report(headers).buckets
    assert bucket.reset_after == seconds


def test_fast_mode_has_its_own_headers() -> None:
    headers = headers_of(requests_limit="50", input_tokens_limit="30000")
    headers["anthropic-fast-input-tokens-limit"] = "9000"
    headers["anthropic-fast-output-tokens-limit"] = "0"
    assert limit_report(headers, fast=True).buckets == ((Dimension.INPUT, Bucket(9_000.0)),)


NAMES = [
    f"anthropic-ratelimit-{stem}-{part}"
    for stem in ("requests", "input-tokens", "output-tokens", "tokens")
    for part in ("limit", "remaining", "reset")
]


@given(st.dictionaries(st.sampled_from([*NAMES, "date"]), TEXTS))
def test_limits_never_raise_and_are_never_nan(headers: dict[str, str]) -> None:
    for _, bucket in limit_report(headers).buckets:
        assert math.isfinite(bucket.limit) and bucket.limit > 0
        assert bucket.remaining is None or math.isfinite(bucket.remaining)
        assert bucket.reset_after is None or math.isfinite(bucket.reset_after)


def test_priority_tier_adds_to_the_standard_tokens() -> None:
    headers = headers_of(input_tokens_limit="1000000", input_tokens_remaining="200000", requests_limit="50")
    priority = {
        "anthropic-priority-input-tokens-limit": "500000",
        "anthropic-priority-input-tokens-remaining": "400000",
    }
    both = httpx2.Headers({**headers, **priority})
    assert limit_report(both).buckets == (
        (Dimension.REQUESTS, Bucket(50.0)),
        (Dimension.INPUT, Bucket(1_500_000.0, 600_000.0)),
    )
    assert dict(limit_report(both, standard_only=True).buckets)[Dimension.INPUT] == Bucket(
        1_000_000.0, 200_000.0
    )


def test_subscription_headers_tell_no_rate() -> None:
    assert not limit_report(
        {
            "anthropic-ratelimit-unified-status": "allowed",
            "anthropic-ratelimit-unified-5h-reset": "1795000000",
            "anthropic-ratelimit-unified-reset": "1795000000",
        }
    )


UNIFIED = "anthropic-ratelimit-unified-"
IN_AN_HOUR = str(int(NOW.timestamp()) + 3600)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"status": "rejected", "reset": IN_AN_HOUR}, 3600.0),
        (
            {"status": "rejected", "reset": IN_AN_HOUR, "5h-reset": "1", "representative-claim": "five_hour"},
            3600.0,
        ),
        ({"status": "allowed", "reset": IN_AN_HOUR}, None),
        ({"status": "allowed_warning", "reset": IN_AN_HOUR}, None),
        ({"reset": IN_AN_HOUR}, None),
        ({"status": "rejected"}, None),
        ({"status": "rejected", "reset": "soon"}, None),
        ({"status": "rejected", "reset": "1e300"}, None),
        ({"status": "rejected", "reset": "nan"}, None),
    ],
)
def test_a_used_up_subscription_says_when_it_is_reset(headers: dict[str, str], seconds: float | None) -> None:
    named = {f"{UNIFIED}{name}": value for name, value in headers.items()}
    assert retry_after(named, NOW) == seconds
    assert retry_after({**named, "date": DATE}, NOW + timedelta(hours=2)) == seconds, "by the server's clock"
    assert retry_after({**named, "retry-after": "7"}, NOW) == 7.0, "what is asked for explicitly wins"


POOLS = ("anthropic-ratelimit-", "anthropic-priority-", "anthropic-fast-")


def whole(prefix: str, limit: int) -> dict[str, str]:
    stems = ("requests", "input-tokens", "output-tokens")[prefix != POOLS[0] :]
    return {
        f"{prefix}{stem}-{part}": str(value)
        for stem in stems
        for part, value in (("limit", limit), ("remaining", limit // 2))
    }


@pytest.mark.parametrize(
    ("options", "tokens", "requests"),
    [
        ({}, Bucket(1500.0, 750.0), True),
        ({"standard_only": True}, Bucket(1000.0, 500.0), True),
        ({"fast": True}, Bucket(200.0, 100.0), False),
        ({"fast": True, "standard_only": True}, Bucket(200.0, 100.0), False),
    ],
)
def test_each_request_reads_the_pools_it_draws_on(
    options: dict[str, bool], tokens: Bucket, requests: bool
) -> None:
    headers = whole(POOLS[0], 1000) | whole(POOLS[1], 500) | whole(POOLS[2], 200)
    found = dict(limit_report(headers, **options).buckets)
    assert found[Dimension.INPUT] == found[Dimension.OUTPUT] == tokens
    assert (Dimension.REQUESTS in found) is requests


def test_priority_tier_without_standard_limits_or_without_its_level() -> None:
    """What is not said of one pool cannot be said of both together."""
    half = {"anthropic-priority-input-tokens-limit": "500"} | whole(POOLS[0], 1000)
    assert dict(limit_report(half).buckets)[Dimension.INPUT] == Bucket(1500.0, None)
    assert not limit_report(whole(POOLS[1], 500))


def test_fast_mode_that_is_not_provisioned_tells_nothing() -> None:
    headers = whole(POOLS[2], 0)
    assert not limit_report(headers, fast=True)


def test_unknown_headers_are_ignored() -> None:
    known = whole(POOLS[0], 1000)
    unknown = {
        "anthropic-ratelimit-tool-uses-limit": "5", "anthropic-ratelimit-tokens-limit": "7",
        "anthropic-ratelimit-of-tomorrow": "x", "anthropic-slow-input-tokens-limit": "9",
        "x-ratelimit-limit-requests": "3", f"{UNIFIED}5h-utilization": "0.4", f"{UNIFIED}status": "allowed",
    }  # fmt: skip
    assert limit_report(known | unknown) == limit_report(known)
