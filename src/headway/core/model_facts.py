"""What is known of each model: one row each, with the date of the facts.

Facts of 2026-11-22, from https://platform.claude.com/docs/en/about-claude/models,
https://platform.claude.com/docs/en/about-claude/model-deprecations and
https://platform.claude.com/docs/en/about-claude/pricing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypedDict

from headway.core.usage import Usage

AS_OF: Final = "2026-11-22"
"""The date of this table."""


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
    images: int = 600
    """Images in one request, those inside ``tool_result`` blocks included."""
    pdf_pages: int = 600
    """Pages of all PDFs in one request."""
    line: str | None = None
    """``haiku``, ``sonnet``, ``opus``, ``fable`` or ``mythos``."""
    lifecycle: str = "active"
    """``active``, ``deprecated`` or ``retired``."""
    retires: str | None = None
    """ISO date after which the model answers 404."""
    created: str = ""
    """ISO date of its release: the newest of a line has the latest."""
    prefill: bool = False
    """The list may end with an assistant turn (up to 4.5)."""
    sampling: bool = False
    """``temperature``, ``top_p`` and ``top_k`` are accepted (not from 4.7 on)."""
    thinking: frozenset[str] = frozenset({"adaptive", "disabled"})
    """The ``thinking.type`` values it accepts."""
    preserved_thinking: bool = False
    """It checks each returned thinking block against the exact conversation before it: once an earlier turn
    is dropped or edited, all thinking blocks must go."""
    forced_tool_choice: bool = True
    """``tool_choice`` may force a tool (``any``, ``tool``)."""
    cache_minimum: int = 1024
    """Tokens below which a prefix is silently not cached."""


class _ImageTier(TypedDict):
    image_edge: int
    image_most: int


_FABLE = Price(10, 50, 1.0)
_OPUS_5_5 = Price(4, 20, 0.2)
_OPUS = Price(5, 25, 0.5)
_SONNET_5 = Price(2, 10, 0.2)
_SONNET_4 = Price(3, 15, 0.3)
_HAIKU_5_5 = Price(0.10, 0.50, 0.01, long_prompt=(100_000, 0.50, 2.50))
_HAIKU_4_5 = Price(1, 5, 0.1)

_STANDARD_IMAGES: Final[_ImageTier] = {"image_edge": 1568, "image_most": 1568}
"""The tier of models before 4.7."""
_ADAPTIVE: Final = frozenset({"adaptive"})
_ALL: Final = frozenset({"adaptive", "enabled", "disabled"})
_BUDGETED: Final = frozenset({"enabled", "disabled"})
_BETWEEN: Final = frozenset({"adaptive", "between_tools"})


def _old(name: str, group: str, price: Price, *, dated: str, minimum: int, retires: str | None) -> ModelFacts:
    """A model of the 4.5 generation: the last with prefill, and with a window of 200k."""
    line = name.split("-")[1]
    return ModelFacts(
        name, group, price, 200_000, 64_000, images=100, pdf_pages=100, line=line, prefill=True,
        sampling=True, thinking=_BUDGETED, cache_minimum=minimum, created=dated, retires=retires,
        lifecycle="deprecated" if retires else "active", **_STANDARD_IMAGES,
    )  # fmt: skip


MODELS: Final[tuple[ModelFacts, ...]] = (
    ModelFacts("claude-fable-5", "fable-5", _FABLE, line="fable", created="2026-07-01", thinking=_ADAPTIVE,
        cache_minimum=512),
    ModelFacts("claude-fable-5-1", "fable-5", _FABLE, line="fable", created="2026-10-01", thinking=_ADAPTIVE,
        preserved_thinking=True, forced_tool_choice=False, cache_minimum=512),
    ModelFacts("claude-fable-5-2", "fable-5", _FABLE, line="fable", created="2026-11-05", thinking=_ADAPTIVE,
        preserved_thinking=True, cache_minimum=512),
    ModelFacts("claude-opus-5-5", "opus-5-5", _OPUS_5_5, line="opus", created="2026-09-24",
        thinking=_ADAPTIVE, preserved_thinking=True, forced_tool_choice=False, cache_minimum=512),
    ModelFacts("claude-opus-5", "opus-5", _OPUS, line="opus", created="2026-06-01", cache_minimum=512),
    ModelFacts("claude-opus-4-8", "opus-4", _OPUS, line="opus", created="2026-04-01"),
    ModelFacts("claude-opus-4-7", "opus-4", _OPUS, line="opus", created="2026-02-15", cache_minimum=2048),
    ModelFacts("claude-opus-4-6", "opus-4", _OPUS, line="opus", created="2026-01-15", sampling=True,
        thinking=_ALL, cache_minimum=4096, **_STANDARD_IMAGES),
    _old("claude-opus-4-5", "opus-4", _OPUS, dated="2025-11-01", minimum=4096, retires=None),
    ModelFacts("claude-sonnet-5-5", "sonnet-5-5", _SONNET_5, line="sonnet", created="2026-10-21",
        thinking=_BETWEEN, preserved_thinking=True, forced_tool_choice=False),
    ModelFacts("claude-sonnet-5", "sonnet-5", _SONNET_5, line="sonnet", created="2026-07-14"),
    ModelFacts("claude-sonnet-4-6", "sonnet-4", _SONNET_4, line="sonnet", created="2026-01-15", sampling=True,
        thinking=_ALL, **_STANDARD_IMAGES),
    _old("claude-sonnet-4-5", "sonnet-4", _SONNET_4, dated="2025-09-29", minimum=1024, retires="2026-11-30"),
    ModelFacts("claude-haiku-5-5", "haiku-5-5", _HAIKU_5_5, line="haiku", created="2026-10-28",
        preserved_thinking=True),
    _old("claude-haiku-4-5", "haiku-4-5", _HAIKU_4_5, dated="2025-10-01", minimum=4096, retires=None),
)  # fmt: skip
"""``created`` of models from 4.6 on is approximate: it orders a line. A refreshed catalogue has the real dates."""
