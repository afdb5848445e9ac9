"""``max_tokens`` within what the model can give."""

from __future__ import annotations

from collections.abc import Iterator

from headway.core.change import Change
from headway.core.error_kind import ErrorKind
from headway.preflight.facts import Body, Facts
from headway.preflight.finding import Finding
from headway.preflight.rule import Mended, Rule

NAME = "max_tokens"


def _cap(body: Body, facts: Facts) -> tuple[int, int] | None:
    """What was asked for and the model's real maximum, when the first is larger."""
    asked = body.get("max_tokens")
    if facts.model is None or not isinstance(asked, int) or asked <= facts.model.max_output:
        return None
    return asked, facts.model.max_output


def _check(body: Body, facts: Facts) -> Iterator[Finding]:
    if found := _cap(body, facts):
        asked, most = found
        yield Finding(
            NAME, "max_tokens", f"{asked} is above the model's maximum of {most}", f"Use {most} or less."
        )


def _repair(body: Body, facts: Facts) -> Mended:
    found = _cap(body, facts)
    if found is None:
        return Mended(body, ())
    asked, most = found
    change = Change(NAME, "max_tokens", "above the model's maximum", asked, most)
    return Mended({**body, "max_tokens": most}, (change,))


RULES = (
    Rule(
        NAME,
        "max_tokens must not exceed the model's largest output.",
        "Lowers it to that maximum.",
        _check,
        _repair,
        frozenset({ErrorKind.INVALID_REQUEST}),
        order=20,
    ),
)
