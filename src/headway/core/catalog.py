"""Looking models up: which facts, which rate limit, which price.

A model that is not listed works all the same: it has a budget of its own and its cost is unknown.
"""

from __future__ import annotations

import re
from typing import Final

from headway.core.model_facts import MODELS, ModelFacts
from headway.core.usage import Usage

_LONGEST_FIRST: Final = sorted(MODELS, key=lambda facts: -len(facts.prefix))
_SUFFIX: Final = re.compile(r"$|[@:]|-(?!\d{1,2}(?!\d))")
"""What may follow: a date or a word, but not ``-6``: claude-opus-5-6 would be another model than claude-opus-5."""


def facts_of(model: str) -> ModelFacts | None:
    """What is known of a model id; platform prefixes (``anthropic.``, ``us.anthropic.``) do not matter."""
    start = model.find("claude-")
    if start < 0:
        return None
    name = model[start:]
    for facts in _LONGEST_FIRST:
        if name.startswith(facts.prefix) and _SUFFIX.match(name, len(facts.prefix)):
            return facts
    return None


def group_of(model: str) -> str:
    """The name of the rate limit a model counts against; an unknown model has its own."""
    facts = facts_of(model)
    return facts.group if facts else model


def cost_of(model: str, usage: Usage) -> float | None:
    """USD of one answer at list price; ``None`` when the model's price is unknown."""
    facts = facts_of(model)
    return facts.price.cost(usage) if facts else None
