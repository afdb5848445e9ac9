"""Estimating input tokens before a request is sent, and learning from the usage that comes back.

``tokens = fixed + characters / ratio``: the ratio is learned per model from ``usage``; images and documents
have a size of their own (https://platform.claude.com/docs/en/build-with-claude/vision). The estimate only
has to be right on average: the reservation is settled with the real usage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from headway.core.catalog import ModelFacts, facts_of
from headway.core.image_size import image_tokens
from headway.core.usage import Usage

CHARS_PER_TOKEN: Final = 3.5
"""English text: the API's glossary gives about 3.5 characters a token."""
IMAGE_TOKENS: Final = 1568.0
"""An image whose size cannot be seen (by URL, by file id)."""
PDF_TOKENS_PER_BYTE: Final = 1 / 25.0
"""A rough size for a base64 document: pages are not counted without opening it."""
MESSAGE_OVERHEAD: Final = 4.0
"""Tokens a turn costs beside its text."""
_OPAQUE: Final = frozenset({"signature", "encrypted_content", "encrypted_index"})
"""Fields that are sent back as they were received: their length is not that of what they stand for."""
_LEARN: Final = 0.05
"""Weight of a new observation."""
_HIT: Final = 0.5
"""Weight of a cache hit that is better than expected."""


@dataclass(frozen=True, slots=True)
class PromptSize:
    """What a prompt consists of, as far as its tokens are concerned."""

    characters: int
    fixed: float
    """Tokens that do not depend on characters: images, documents, turns."""
    cached: bool = False
    """It asks for prompt caching, so part of it may not count against the limit."""
    guessed: float = 0.0
    """The part of ``fixed`` that its length says little about: PDFs, and what is encrypted."""
    held: bool = False
    """It continues a conversation that the server holds (``thread``), so most of it cannot be seen here."""


NOTHING: Final = PromptSize(0, 0.0)
"""A prompt of no size."""


def measure(params: Mapping[str, object]) -> PromptSize:
    """The size of a request body: system prompt, tools and messages."""
    model = params.get("model")
    scale = _Scale(facts_of(model) if isinstance(model, str) else None)
    scale.cached = params.get("cache_control") is not None
    for name in ("system", "tools", "messages"):
        scale.add(params.get(name))
    messages = params.get("messages")
    turns = len(cast("list[object]", messages)) if isinstance(messages, list) else 1
    fixed = scale.fixed + turns * MESSAGE_OVERHEAD
    thread = params.get("thread")
    held = isinstance(thread, Mapping) and cast("Mapping[str, object]", thread).get("type") == "continue"
    return PromptSize(scale.characters, fixed, scale.cached, scale.guessed, held)


class _Scale:
    """Adds up what it is given."""

    def __init__(self, facts: ModelFacts | None) -> None:
        self.characters = 0
        self.fixed = 0.0
        self.cached = False
        self.guessed = 0.0
        self._edge = facts.image_edge if facts else 2576
        self._most = facts.image_most if facts else 4784

    def add(self, value: object) -> None:
        """Text, blocks, and whatever holds them."""
        kind = type(value)
        if kind is str:
            self.characters += len(cast("str", value))
        elif kind is dict:
            self._add_block(cast("Mapping[str, object]", value))
        elif kind is list:
            for item in cast("list[object]", value):
                self.add(item)
        elif value is None:
            return
        elif isinstance(value, str):
            self.characters += len(value)
        elif isinstance(value, Mapping):
            self._add_block(cast("Mapping[str, object]", value))
        elif isinstance(value, tuple):
            for item in cast("Iterable[object]", value):
                self.add(item)
        elif isinstance(value, int | float):
            self.characters += 8

    def _add_block(self, block: Mapping[str, object]) -> None:
        if "cache_control" in block and block["cache_control"] is not None:
            self.cached = True
        kind, source = block.get("type"), block.get("source")
        if kind == "text" and len(block) == 2 and type(text := block.get("text")) is str:
            self.characters += len("text") + len(text)
        elif kind == "image":
            data = _data_of(source)
            tokens = image_tokens(data, self._edge, self._most) if data else None
            self.fixed += IMAGE_TOKENS if tokens is None else tokens
        elif kind == "document":
            self._add_document(source)
        else:
            for name, value in block.items():
                if name in _OPAQUE and isinstance(value, str):
                    self._guess(len(value) / CHARS_PER_TOKEN)
                elif name != "cache_control":
                    self.add(value)

    def _add_document(self, source: object) -> None:
        fields = cast("Mapping[str, object]", source if isinstance(source, Mapping) else {})
        data = _data_of(fields)
        if "content" in fields:  # a document made of text and image blocks
            self.add(fields["content"])
        elif data is None:
            self.fixed += IMAGE_TOKENS
        elif fields.get("media_type") == "text/plain":
            self.characters += len(data)
        else:
            self._guess(len(data) * PDF_TOKENS_PER_BYTE)

    def _guess(self, tokens: float) -> None:
        self.fixed += tokens
        self.guessed += tokens


def _data_of(source: object) -> str | None:
    data = cast("Mapping[str, object]", source).get("data") if isinstance(source, Mapping) else None
    return data if isinstance(data, str) else None


class TokenEstimator:
    """Characters to tokens for one model; the ratio follows what ``usage`` reports.

    A prompt that asks for caching is taken whole until a hit was seen; from then on by the share that
    counted against the limit: cache reads do not (in Priority Tier a tenth of them does).
    """

    def __init__(self, chars_per_token: float = CHARS_PER_TOKEN) -> None:
        self._tokens = 0.0
        self._characters = 0.0
        self._limited_share = 1.0
        self._weight = 1.0
        self._held: float | None = None
        self.tokens_per_char = 1.0 / chars_per_token

    def estimate(self, size: PromptSize) -> float:
        """Expected input tokens of a prompt that count against the limit."""
        whole = size.fixed + size.characters * self.tokens_per_char
        if size.held:
            return whole + (self._held or 0.0)
        return whole * (self._limited_share if size.cached else self._weight)

    def learn(self, size: PromptSize, usage: Usage) -> None:
        """Take in what a prompt really cost."""
        if size.held:  # says nothing of the ratio: most of what was read is not in the request
            unseen = max(0.0, usage.charged_input - size.fixed - size.characters * self.tokens_per_char)
            self._held = unseen if self._held is None else self._held + (unseen - self._held) * _LEARN
            return
        whole = usage.true_input
        if size.cached and whole > 0:
            share = usage.charged_input / whole
            # The first hit is believed at once, a miss little by little: entries expire one at a time.
            weight = _LEARN if share > self._limited_share else _HIT
            self._limited_share += (share - self._limited_share) * weight
        elif usage.limited_input > 0:
            self._weight += (usage.token_weight - self._weight) * _LEARN
        text = whole - size.fixed
        if size.characters < 16 or text <= 0:
            return
        # A ratio of sums, not a mean of ratios: what is settled is the sum.
        self._tokens += (text - self._tokens) * _LEARN if self._characters else text
        self._characters += (
            (size.characters - self._characters) * _LEARN if self._characters else size.characters
        )
        self.tokens_per_char = min(2.0, max(0.02, self._tokens / self._characters))
