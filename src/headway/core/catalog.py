"""Model facts: price, window, largest output, and which models share a rate limit.

Facts of 2026-11-22, from https://platform.claude.com/docs/en/about-claude/models and
https://platform.claude.com/docs/en/about-claude/pricing. A model that is not listed works all the same:
it has a budget of its own and its cost is unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from headway.core.usage import Usage


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens."""

    input: float
    output: float
    cache_read: float
    long_prompt: tuple[int, float, float] | None = None
    """(tokens, input, output): the price of prompts above so many tokens."""

    def cost(self, usage: Usage) -> float:
        """USD for one answer. Cache writes cost 1.25 times the input price, for one hour twice."""
        price_in, price_out = self.input, self.output
        if self.long_prompt and usage.true_input > self.long_prompt[0]:
            _, price_in, price_out = self.long_prompt
        cache_read = self.cache_read * price_in / self.input
        total = (
            usage.input * price_in
            + usage.cache_write * price_in * 1.25
            + usage.cache_write_1h * price_in * 2
            + usage.cache_read * cache_read
            + usage.output * price_out
        )
        return total / 1e6


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of one model."""

    prefix: str
    """The id; with a date or a platform's suffix it is still this model, with a further version it is not."""
    group: str
    """Models of one group share their rate limits."""
    price: Price
    window: int = 1_000_000
    max_output: int = 128_000
    image_edge: int = 2576
    """Pixels a side to which the API scales images down."""
    image_most: int = 4784
    """Tokens of an image at most."""


_FABLE = Price(10, 50, 1.0)
_OPUS_5_5 = Price(4, 20, 0.2)
_OPUS = Price(5, 25, 0.5)
_SONNET_5 = Price(2, 10, 0.2)
_SONNET_4 = Price(3, 15, 0.3)
_HAIKU_5_5 = Price(0.10, 0.50, 0.01, long_prompt=(100_000, 0.50, 2.50))
_HAIKU_4_5 = Price(1, 5, 0.1)

_STANDARD_IMAGES: Final = {"image_edge": 1568, "image_most": 1568}
"""The tier of models before 4.7."""

MODELS: Final[tuple[ModelFacts, ...]] = (
    ModelFacts("claude-fable-5", "fable-5", _FABLE),
    ModelFacts("claude-fable-5-1", "fable-5", _FABLE),
    ModelFacts("claude-fable-5-2", "fable-5", _FABLE),
    ModelFacts("claude-opus-5-5", "opus-5-5", _OPUS_5_5),
    ModelFacts("claude-opus-5", "opus-5", _OPUS),
    ModelFacts("claude-opus-4-8", "opus-4", _OPUS),
    ModelFacts("claude-opus-4-7", "opus-4", _OPUS),
    ModelFacts("claude-opus-4-6", "opus-4", _OPUS, **_STANDARD_IMAGES),
    ModelFacts("claude-opus-4-5", "opus-4", _OPUS, 200_000, 64_000, **_STANDARD_IMAGES),
    ModelFacts("claude-sonnet-5-5", "sonnet-5-5", _SONNET_5),
    ModelFacts("claude-sonnet-5", "sonnet-5", _SONNET_5),
    ModelFacts("claude-sonnet-4-6", "sonnet-4", _SONNET_4, **_STANDARD_IMAGES),
    ModelFacts("claude-sonnet-4-5", "sonnet-4", _SONNET_4, 200_000, 64_000, **_STANDARD_IMAGES),
    ModelFacts("claude-haiku-5-5", "haiku-5-5", _HAIKU_5_5),
    ModelFacts("claude-haiku-4-5", "haiku-4-5", _HAIKU_4_5, 200_000, 64_000, **_STANDARD_IMAGES),
)
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
