"""What is known of each model: one row each, with the date of the facts.

Facts of 2026-11-22, from https://platform.claude.com/docs/en/about-claude/models,
https://platform.claude.com/docs/en/about-claude/model-deprecations,
https://platform.claude.com/docs/en/about-claude/pricing, the pages of the models,
https://platform.claude.com/docs/en/build-with-claude/prompt-caching and
https://platform.claude.com/docs/en/build-with-claude/fast-mode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypedDict

from headway.core.price import Price

AS_OF: Final = "2026-11-22"
"""The date of this table."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of one model."""

    prefix: str
    """The id; with a date or a platform's suffix it is still this model, with a further version it is not."""
    group: str
    """Models of one group share their rate limits."""
    price: Price | None = None
    """``None``: unknown, and so are costs."""
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
    fast: bool = False
    """``speed="fast"`` is accepted."""
    fast_ends: str | None = None
    """ISO date from which it is not accepted any more."""
    snapshot: str = ""
    """The dated id that the undated one stands for (up to 4.5); later ids are snapshots themselves."""
    listed: bool = False
    """Told by the Models API and not by this table: its lifecycle is the truth, whatever the date says."""


class _ImageTier(TypedDict):
    image_edge: int
    image_most: int


_FABLE_5_2 = Price(8, 40, 0.2)
_FABLE_5_1 = Price(10, 50, 0.25)
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


def _old(
    name: str, group: str, price: Price, snapshot: str, created: str, minimum: int, retires: str | None = None
) -> ModelFacts:
    """A model of the 4.5 generation: the last with prefill, and with a window of 200k."""
    return ModelFacts(
        name, group, price, 200_000, 64_000, images=100, pdf_pages=100, line=name.split("-")[1],
        prefill=True, sampling=True, thinking=_BUDGETED, cache_minimum=minimum, created=created,
        retires=retires, lifecycle="deprecated" if retires else "active", snapshot=f"{name}-{snapshot}",
        **_STANDARD_IMAGES,
    )  # fmt: skip


MODELS: Final[tuple[ModelFacts, ...]] = (
    *(
        row
        for line, groups in (  # one model under two sets of safeguards: same facts, same prices
            ("fable", ("fable-5",) * 3),
            ("mythos", ("mythos-5", "mythos-5-1", "mythos-5-2")),
        )
        for row in (
            ModelFacts(f"claude-{line}-5", groups[0], _FABLE, line=line, created="2026-06-09",
                thinking=_ADAPTIVE, cache_minimum=512),
            ModelFacts(f"claude-{line}-5-1", groups[1], _FABLE_5_1, line=line, created="2026-09-01",
                thinking=_ADAPTIVE, preserved_thinking=True, forced_tool_choice=False, cache_minimum=512),
            ModelFacts(f"claude-{line}-5-2", groups[2], _FABLE_5_2, line=line, created="2026-11-09",
                thinking=_ADAPTIVE, preserved_thinking=True, forced_tool_choice=False, cache_minimum=512,
                fast=True),
        )
    ),
    ModelFacts("claude-mythos-preview", "mythos-preview", line="mythos", created="2026-04-07",
        thinking=_ADAPTIVE | {"enabled"}, forced_tool_choice=False, lifecycle="deprecated",
        retires="2026-06-30"),
    ModelFacts("claude-opus-5-5", "opus-5-5", _OPUS_5_5, line="opus", created="2026-09-22",
        thinking=_ADAPTIVE, preserved_thinking=True, forced_tool_choice=False, cache_minimum=512, fast=True),
    ModelFacts("claude-opus-5", "opus-5", _OPUS, line="opus", created="2026-07-24", cache_minimum=512,
        fast=True),
    ModelFacts("claude-opus-4-8", "opus-4", _OPUS, line="opus", created="2026-05-28", fast=True,
        fast_ends="2026-11-30"),
    ModelFacts("claude-opus-4-7", "opus-4", _OPUS, line="opus", created="2026-04-16", cache_minimum=2048),
    ModelFacts("claude-opus-4-6", "opus-4", _OPUS, line="opus", created="2026-02-05", sampling=True,
        thinking=_ALL, cache_minimum=4096, **_STANDARD_IMAGES),
    _old("claude-opus-4-5", "opus-4", _OPUS, "20251101", "2025-11-24", 4096),
    ModelFacts("claude-sonnet-5-5", "sonnet-5-5", _SONNET_5, line="sonnet", created="2026-09-28",
        thinking=_BETWEEN, preserved_thinking=True, forced_tool_choice=False, cache_minimum=512),
    ModelFacts("claude-sonnet-5", "sonnet-5", _SONNET_5, line="sonnet", created="2026-06-30"),
    ModelFacts("claude-sonnet-4-6", "sonnet-4", _SONNET_4, line="sonnet", created="2026-02-17", sampling=True,
        thinking=_ALL, **_STANDARD_IMAGES),
    _old("claude-sonnet-4-5", "sonnet-4", _SONNET_4, "20250929", "2025-09-29", 1024, retires="2026-11-30"),
    ModelFacts("claude-haiku-5-5", "haiku-5-5", _HAIKU_5_5, line="haiku", created="2026-10-07",
        preserved_thinking=True, cache_minimum=512),
    _old("claude-haiku-4-5", "haiku-4-5", _HAIKU_4_5, "20251001", "2025-10-15", 4096),
)  # fmt: skip
"""A refreshed catalogue (`Catalog.with_models`) has the lifecycle, limits and thinking types of the day."""
