"""Estimating input tokens before a request is sent, and learning from the usage that comes back.

``tokens = fixed + characters / ratio``: the ratio is learned per model from ``usage``; images and documents
have a size of their own (https://platform.claude.com/docs/en/build-with-claude/vision). The estimate only
has to be right on average: the reservation is settled with the real usage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

CHARS_PER_TOKEN: Final = 3.5
"""English text: the API's glossary gives about 3.5 characters a token."""
IMAGE_TOKENS: Final = 1568.0
"""Upper end for one image at standard resolution; small ones cost less, settled afterwards."""
PDF_TOKENS_PER_BYTE: Final = 1 / 25.0
"""A rough size for a base64 document: pages are not counted without opening it."""
MESSAGE_OVERHEAD: Final = 4.0
"""Tokens a turn costs beside its text."""
_LEARN: Final = 0.05
"""Weight of a new observation."""


@dataclass(frozen=True, slots=True)
class PromptSize:
    """What a prompt consists of, as far as its tokens are concerned."""

    characters: int
    fixed: float
    """Tokens that do not depend on characters: images, documents, turns."""


def measure(params: Mapping[str, object]) -> PromptSize:
    """The size of a request body: system prompt, tools and messages."""
    characters, fixed = 0, 0.0
    for name in ("system", "tools", "messages"):
        c, f = _walk(params.get(name))
        characters, fixed = characters + c, fixed + f
    messages = params.get("messages")
    turns = len(cast("list[object]", messages)) if isinstance(messages, list) else 1
    return PromptSize(characters, fixed + turns * MESSAGE_OVERHEAD)


def _walk(value: object) -> tuple[int, float]:
    if isinstance(value, str):
        return len(value), 0.0
    if isinstance(value, Mapping):
        block = cast("Mapping[str, object]", value)
        kind = block.get("type")
        if kind == "image":
            return 0, IMAGE_TOKENS
        if kind == "document":
            return _document(block)
        return _sum(block.values())
    if isinstance(value, list | tuple):
        return _sum(cast("Iterable[object]", value))
    return (8, 0.0) if isinstance(value, int | float) else (0, 0.0)


def _document(block: Mapping[str, object]) -> tuple[int, float]:
    source = block.get("source")
    if isinstance(source, Mapping):
        if "content" in source:  # a document made of text and image blocks
            return _walk(cast("Mapping[str, object]", source)["content"])
        data = cast("Mapping[str, object]", source).get("data")
        if isinstance(data, str):
            media = cast("Mapping[str, object]", source).get("media_type")
            return (len(data), 0.0) if media == "text/plain" else (0, len(data) * PDF_TOKENS_PER_BYTE)
    return 0, IMAGE_TOKENS


def _sum(values: Iterable[object]) -> tuple[int, float]:
    characters, fixed = 0, 0.0
    for value in values:
        c, f = _walk(value)
        characters, fixed = characters + c, fixed + f
    return characters, fixed


class TokenEstimator:
    """Characters to tokens for one model; the ratio follows what ``usage`` reports."""

    def __init__(self, chars_per_token: float = CHARS_PER_TOKEN) -> None:
        self._tokens = 0.0
        self._characters = 0.0
        self.tokens_per_char = 1.0 / chars_per_token

    def estimate(self, size: PromptSize) -> float:
        """Expected input tokens of a prompt."""
        return size.fixed + size.characters * self.tokens_per_char

    def learn(self, size: PromptSize, true_input: float) -> None:
        """Take in what a prompt really cost, cached tokens included."""
        text = true_input - size.fixed
        if size.characters < 16 or text <= 0:
            return
        # A ratio of sums, not a mean of ratios: what is settled is the sum.
        self._tokens += (text - self._tokens) * _LEARN if self._characters else text
        self._characters += (
            (size.characters - self._characters) * _LEARN if self._characters else size.characters
        )
        self.tokens_per_char = min(2.0, max(0.02, self._tokens / self._characters))
