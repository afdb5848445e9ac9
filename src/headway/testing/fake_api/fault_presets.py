"""Fault schedules by name, the ones that recur in tests and demonstrations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from headway.testing.fake_api.fault import FaultKind, FaultRule

Rules = tuple[FaultRule, ...]


def storm(start: float = 20.0) -> Rules:
    """60 seconds in which every request gets 529 ``overloaded_error``, from ``start`` on."""
    return (FaultRule(FaultKind.STATUS, status=529, start=start, end=start + 60),)


def mixed(percent: float = 5.0) -> Rules:
    """A bit of everything that heals by itself, for ``percent`` of the requests."""
    kind = FaultKind
    # (weight, kind, what else)
    rows = (
        (3, FaultRule(kind.STATUS, status=529)),
        (2, FaultRule(kind.STATUS, status=500)),
        (1, FaultRule(kind.STATUS, status=502)),
        (1, FaultRule(kind.STATUS, status=503)),
        (1, FaultRule(kind.STATUS, status=504)),
        (1, FaultRule(kind.STATUS, status=429, retry_after="1")),
        (2, FaultRule(kind.RESET, how="rst")),
        (1, FaultRule(kind.RESET, after_work=True)),
        (1, FaultRule(kind.BODY_CUT)),
        (1, FaultRule(kind.BODY_TRUNCATED)),
        (1, FaultRule(kind.STREAM_CUT)),
        (1, FaultRule(kind.STREAM_EOF)),
        (1, FaultRule(kind.STREAM_ERROR)),
    )
    # Body rules concern unstreamed requests only and stream rules streamed ones: 14 or 15 in all.
    total = sum(weight for weight, rule in rows if not rule.kind.startswith("stream_"))
    left = 1.0
    rules: list[FaultRule] = []
    for weight, rule in rows:
        share = percent / 100 * weight / total
        rules.append(replace(rule, probability=min(1.0, share / left)))
        left = max(left - share, 1e-9)
    return tuple(rules)


def tenant(share_percent: float = 60.0) -> Rules:
    """From second 20 to 80 an unseen user takes ``share_percent`` of every refill."""
    return (FaultRule(FaultKind.TENANT, share=share_percent / 100, start=20, end=80),)


def cut(percent: float = 25.0) -> Rules:
    """From second 20 on the limits are ``percent`` of what they were."""
    return (FaultRule(FaultKind.LIMITS, scale=percent / 100, start=20),)


def broken_streams(percent: float = 10.0) -> Rules:
    """``percent`` of the streams break: cut, ended early or with an error event, a third each."""
    kinds = (FaultKind.STREAM_CUT, FaultKind.STREAM_EOF, FaultKind.STREAM_ERROR)
    share = percent / 100 / 3
    return tuple(
        FaultRule(kind, probability=min(1.0, share / (1 - share * index)), stream=True)
        for index, kind in enumerate(kinds)
    )


def resets(percent: float = 5.0) -> Rules:
    """``percent`` of the connections are reset before an answer."""
    return (FaultRule(FaultKind.RESET, probability=percent / 100, how="rst"),)


def no_headers(percent: float = 100.0) -> Rules:
    """``percent`` of the answers carry no rate-limit headers."""
    return (FaultRule(FaultKind.HEADERS_MISSING, probability=percent / 100),)


def out_of_credit(start: float = 0.0) -> Rules:
    """From ``start`` on the account has no credit left: a 400 without a machine code."""
    text = (
        "Your credit balance is too low to access the Anthropic API. "
        "Please go to Plans & Billing to upgrade or purchase credits."
    )
    return (FaultRule(FaultKind.STATUS, status=400, message=text, start=start),)


def spend_limit(start: float = 0.0) -> Rules:
    """From ``start`` on the monthly spend limit is reached: 429 without ``retry-after``."""
    code = "enforced_spend_limit_reached"
    return (FaultRule(FaultKind.STATUS, status=429, error_code=code, start=start),)


def ramp(percent: float = 100.0) -> Rules:
    """For 10 seconds ``percent`` of the requests get 429 ``ramp_limit_exceeded``."""
    return (
        FaultRule(
            FaultKind.STATUS,
            status=429,
            error_code="ramp_limit_exceeded",
            retry_after="2",
            probability=percent / 100,
            end=10,
        ),
    )


PRESETS: Final[dict[str, Callable[..., Rules]]] = {
    "storm": storm,
    "mixed": mixed,
    "tenant": tenant,
    "cut": cut,
    "broken_streams": broken_streams,
    "resets": resets,
    "no_headers": no_headers,
    "out_of_credit": out_of_credit,
    "spend_limit": spend_limit,
    "ramp": ramp,
}


def preset(text: str) -> Rules:
    """The rules of ``name`` or ``name:number`` (``mixed:5`` is 5 %)."""
    name, colon, number = text.partition(":")
    if name not in PRESETS:
        raise ValueError(f"there is no fault preset {name!r}; known: {', '.join(PRESETS)}")
    try:
        return PRESETS[name](float(number)) if colon else PRESETS[name]()
    except ValueError as error:
        raise ValueError(f"preset {text!r}: {error}") from None
