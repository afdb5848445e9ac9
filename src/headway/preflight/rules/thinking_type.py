"""A ``thinking.type`` that the model accepts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, cast

from headway.core.change import Change, brief
from headway.preflight.facts import Body, Facts
from headway.preflight.finding import Finding
from headway.preflight.rule import Mended, Rule, UnrepairableError
from headway.preflight.rules.output_cap import LEAST_BUDGET

NAME: Final = "thinking"
TYPES: Final = ("adaptive", "between_tools", "disabled", "enabled")
INSTEAD: Final[Mapping[str, tuple[str, ...]]] = {
    "enabled": ("adaptive",),
    "adaptive": ("enabled",),
    "disabled": ("between_tools",),
    "between_tools": ("disabled",),
}
"""What comes nearest; where that is refused too the parameter is left out, and the model does what it does."""
_ALWAYS_ON: Final = "claude-opus-5"
"""Takes ``disabled`` only up to effort ``high``."""


def _thinking(body: Body) -> Mapping[str, object] | None:
    thinking = body.get("thinking")
    return cast("Mapping[str, object]", thinking) if isinstance(thinking, Mapping) else None


def _effort(body: Body) -> object:
    config = body.get("output_config")
    return cast("Mapping[str, object]", config).get("effort") if isinstance(config, Mapping) else None


def _too_eager(body: Body, facts: Facts) -> bool:
    """Thinking off and an effort that needs it."""
    return facts.model is not None and facts.model.prefix == _ALWAYS_ON and _effort(body) in ("xhigh", "max")


def _check(body: Body, facts: Facts) -> Iterator[Finding]:
    thinking = _thinking(body)
    if thinking is None:
        if body.get("thinking") is not None:
            yield Finding(NAME, "thinking", "is no object", 'Use {"type": "adaptive"}, or leave it out.')
        return
    kind = thinking.get("type")
    if kind not in TYPES:
        yield Finding(
            NAME, "thinking.type", f"{brief(kind)!r} does not exist", f"There are {', '.join(TYPES)}."
        )
    elif facts.model is not None and kind not in facts.model.thinking:
        taken = " or ".join(sorted(facts.model.thinking)) or "none"
        yield Finding(
            NAME, "thinking.type", f"{kind!r} is refused by {facts.model.prefix}", f"It takes {taken}."
        )
    elif kind == "disabled" and _too_eager(body, facts):
        problem = f"'disabled' is refused with effort {_effort(body)!r}"
        yield Finding(
            NAME, "thinking.type", problem, "Lower output_config.effort to 'high', or let it think."
        )


def _repair(body: Body, facts: Facts) -> Mended:
    found = next(_check(body, facts), None)
    if found is None:
        return Mended(body, ())
    thinking = _thinking(body) or {}
    kind, accepted = thinking.get("type"), facts.model.thinking if facts.model else frozenset[str]()
    if kind not in TYPES:
        raise UnrepairableError(str(found))
    if kind in accepted:
        config = cast("Mapping[str, object]", body["output_config"])
        change = Change(NAME, "output_config.effort", found.problem, config["effort"], "high")
        return Mended({**body, "output_config": {**config, "effort": "high"}}, (change,))
    nearest = next((other for other in INSTEAD[str(kind)] if other in accepted), None)
    new = None if nearest is None else _as(nearest, thinking, body)
    change = Change(NAME, "thinking", found.problem, brief(dict(thinking)), new)
    rest = {name: value for name, value in body.items() if name != "thinking"}
    return Mended(rest if new is None else {**rest, "thinking": new}, (change,))


def _as(kind: str, thinking: Mapping[str, object], body: Body) -> dict[str, object] | None:
    display = (
        {"display": thinking["display"]} if "display" in thinking and kind in {"adaptive", "enabled"} else {}
    )
    if kind != "enabled":
        return {"type": kind, **display}
    most = body.get("max_tokens")
    if not isinstance(most, int) or most <= LEAST_BUDGET:
        return None  # no room to think in
    return {"type": kind, "budget_tokens": max(LEAST_BUDGET, most // 2), **display}


RULES = (
    Rule(
        NAME,
        "Each model accepts some of the thinking types: adaptive, between_tools, disabled, enabled.",
        "Takes the nearest type that the model accepts, or leaves the parameter out.",
        _check,
        _repair,
        order=15,
        about=frozenset({"thinking"}),
    ),
)
