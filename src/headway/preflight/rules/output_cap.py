"""``max_tokens`` within what the model can give, and above the thinking budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, cast

from headway.core.change import Change
from headway.core.error_kind import ErrorKind
from headway.preflight.facts import Body, Facts
from headway.preflight.finding import Finding
from headway.preflight.rule import Mended, Rule, UnrepairableError

NAME: Final = "max_tokens"
LEAST_BUDGET: Final = 1024
"""Smallest ``thinking.budget_tokens`` (``ThinkingConfigEnabledParam`` of the SDK)."""
LONG_OUTPUT: Final = 300_000
"""With the beta ``output-300k-2026-03-24``, on the models and in the batches that have it."""
SAFE: Final = 64_000
"""Every model of today gives so much: a bound for those without facts."""


def _betas(body: Body) -> str:
    return str(body.get("betas") or "")


def _most(body: Body, facts: Facts) -> int | None:
    """The model's real maximum: the API's own word, or the catalogue's."""
    if facts.most_output is not None:
        return facts.most_output
    if facts.model is None:
        return None
    return max(facts.model.max_output, LONG_OUTPUT if "output-300k" in _betas(body) else 0)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _budget(body: Body, facts: Facts) -> int | None:
    """The budget of manual thinking, where the model takes it at all."""
    thinking = body.get("thinking")
    if not isinstance(thinking, Mapping):
        return None
    fields = cast("Mapping[str, object]", thinking)
    if fields.get("type") != "enabled" or (facts.model and "enabled" not in facts.model.thinking):
        return None
    return _whole(fields.get("budget_tokens"))


def _check(body: Body, facts: Facts) -> Iterator[Finding]:
    asked, most = _whole(body.get("max_tokens")), _most(body, facts)
    if asked is not None and most is not None and asked > most:
        yield Finding(
            NAME, "max_tokens", f"{asked} is above the model's maximum of {most}", f"Use {most} or less."
        )
    budget = _budget(body, facts)
    if budget is None or asked is None:
        return
    if budget < LEAST_BUDGET:
        yield Finding(
            NAME, "thinking.budget_tokens", f"{budget} is below {LEAST_BUDGET}", "Use at least that."
        )
    # Between tool calls the budget is that of all of them together, and may be larger.
    if budget >= asked and "interleaved-thinking" not in _betas(body):
        remedy = "Thinking counts as output: raise max_tokens above the budget."
        problem = f"{budget} is not below max_tokens {asked}"
        yield Finding(NAME, "thinking.budget_tokens", problem, remedy)


def _repair(body: Body, facts: Facts) -> Mended:
    asked, most, budget = _whole(body.get("max_tokens")), _most(body, facts), _budget(body, facts)
    if asked is None or next(_check(body, facts), None) is None:
        return Mended(body, ())
    cap = asked if most is None else min(asked, most)
    reason = "above the model's maximum"
    if budget is not None and (budget < LEAST_BUDGET or budget >= cap):
        if asked == 0:  # only warms the cache: raising it would buy an answer
            raise UnrepairableError("max_tokens 0 leaves no room for a thinking budget; remove thinking")
        wanted = max(budget, LEAST_BUDGET)
        if wanted >= cap and "interleaved-thinking" not in _betas(body):
            reason = "no room for an answer beside the thinking budget"
            cap = min(wanted + cap, most or max(SAFE, cap))
            wanted = wanted if wanted < cap else cap // 2
        return _mended(body, asked, cap, reason, wanted)
    return _mended(body, asked, cap, reason, None)


def _mended(body: Body, asked: int, cap: int, reason: str, budget: int | None) -> Mended:
    changes: list[Change] = []
    new = dict(body)
    if cap != asked:
        new["max_tokens"] = cap
        changes.append(Change(NAME, "max_tokens", reason, asked, cap))
    thinking = cast("Mapping[str, object]", body.get("thinking") or {})
    if budget is not None and budget != (old := thinking.get("budget_tokens")):
        new["thinking"] = {**thinking, "budget_tokens": budget}
        bounds = f"must be at least {LEAST_BUDGET} and below max_tokens"
        changes.append(Change(NAME, "thinking.budget_tokens", bounds, old, budget))
    return Mended(new, tuple(changes))


RULES = (
    Rule(
        NAME,
        "max_tokens must not exceed the model's largest output, and must exceed the thinking budget.",
        "Lowers it to that maximum (after a refusal, to the one that the API named); raises it above the thinking "
        "budget, or lowers the budget.",
        _check,
        _repair,
        frozenset({ErrorKind.INVALID_REQUEST}),
        order=20,
    ),
)
