"""``metadata``, ``service_tier`` and ``speed``: small parameters with few values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, cast

from headway.core.change import Change, brief
from headway.preflight.facts import Body, Facts
from headway.preflight.finding import Finding, Severity
from headway.preflight.rule import Mended, Rule, UnrepairableError

TIERS: Final = ("auto", "standard_only")
MEANT: Final = {"priority": "auto", "default": "auto", "standard": "standard_only"}
"""Tiers as answers or other APIs name them."""
SPEEDS: Final = ("standard", "fast")


def _metadata(body: Body) -> Mapping[str, object] | None:
    value = body.get("metadata")
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else None


def _check_metadata(body: Body, facts: Facts) -> Iterator[Finding]:
    del facts
    metadata = _metadata(body)
    if metadata is None:
        if body.get("metadata") is not None:
            yield Finding("metadata", "metadata", "is no object", 'Use {"user_id": …}.')
        return
    for name in metadata.keys() - {"user_id"}:
        remedy = "Only user_id may be there; keep your own notes in custom_id or beside the job."
        yield Finding("metadata", f"metadata.{brief(name)}", "is not permitted", remedy)
    user = metadata.get("user_id")
    if user is not None and not isinstance(user, str):
        yield Finding(
            "metadata", "metadata.user_id", f"is {type(user).__name__}, not a text", "Use an opaque text."
        )


def _repair_metadata(body: Body, facts: Facts) -> Mended:
    found = list(_check_metadata(body, facts))
    metadata = _metadata(body)
    if not found:
        return Mended(body, ())
    if metadata is None:
        raise UnrepairableError(str(found[0]))
    new = {name: str(value) for name, value in metadata.items() if name == "user_id" and value is not None}
    change = Change("metadata", "metadata", "only user_id, a text, is permitted", brief(dict(metadata)), new)
    return Mended({**body, "metadata": new}, (change,))


def _check_tier(body: Body, facts: Facts) -> Iterator[Finding]:
    del facts
    tier = body.get("service_tier")
    if tier is not None and tier not in TIERS:
        remedy = (
            "Use auto (Priority Tier where you have it) or standard_only; batches are a lane of their own."
        )
        yield Finding("service_tier", "service_tier", f"{brief(tier)!r} does not exist", remedy)


def _repair_tier(body: Body, facts: Facts) -> Mended:
    found = next(_check_tier(body, facts), None)
    if found is None:
        return Mended(body, ())
    tier = body["service_tier"]
    if not isinstance(tier, str) or tier not in MEANT:
        raise UnrepairableError(str(found))
    change = Change("service_tier", "service_tier", found.problem, tier, MEANT[tier])
    return Mended({**body, "service_tier": MEANT[tier]}, (change,))


def _check_speed(body: Body, facts: Facts) -> Iterator[Finding]:
    speed, model = body.get("speed"), facts.model
    if speed is None:
        return
    if speed not in SPEEDS:
        yield Finding("speed", "speed", f"{brief(speed)!r} does not exist", f"Use {' or '.join(SPEEDS)}.")
    elif speed == "fast" and model is not None and not model.fast:
        yield Finding(
            "speed", "speed", f"{model.prefix} has no fast mode", "Leave it out, or take another model."
        )
    elif speed == "fast" and model is not None and model.fast_ends is not None:
        over = model.fast_ends <= facts.today
        problem = f"fast mode of {model.prefix} {'ended' if over else 'ends'} on {model.fast_ends}"
        severity = Severity.ERROR if over else Severity.WARNING
        yield Finding("speed", "speed", problem, "Leave it out, or take a newer model.", severity)


def _repair_speed(body: Body, facts: Facts) -> Mended:
    found = next((f for f in _check_speed(body, facts) if f.severity is Severity.ERROR), None)
    if found is None:
        return Mended(body, ())
    change = Change("speed", "speed", found.problem, brief(body["speed"]), None)
    return Mended({name: value for name, value in body.items() if name != "speed"}, (change,))


RULES = (
    Rule(
        "metadata",
        "metadata may hold a user_id and nothing else.",
        "Removes the rest.",
        _check_metadata,
        _repair_metadata,
        order=30,
        about=frozenset({"metadata"}),
    ),
    Rule(
        "service_tier",
        "service_tier is auto or standard_only.",
        "Takes the one that was meant by priority, default or standard.",
        _check_tier,
        _repair_tier,
        order=30,
        about=frozenset({"service_tier"}),
    ),
    Rule(
        "speed",
        "speed is standard or, on the models that have it, fast.",
        "Removes it: standard speed costs less.",
        _check_speed,
        _repair_speed,
        order=17,
        about=frozenset({"speed"}),
    ),
)
