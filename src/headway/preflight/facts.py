"""What a rule may know beside the request itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from headway.core.catalog import BUILT_IN, Catalog
from headway.core.error_kind import ErrorKind
from headway.core.failure import Failure
from headway.core.model_facts import AS_OF, ModelFacts
from headway.core.overflow import Overflow, most_output, overflow_of
from headway.core.tokens import CHARS_PER_TOKEN, measure

Body = Mapping[str, object]
"""The parameters of ``messages.create``."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The model's facts and the day; what is unknown is ``None`` and no rule complains about it."""

    model: ModelFacts | None
    today: str = AS_OF
    """ISO date."""
    tokens_per_char: float = 1 / CHARS_PER_TOKEN
    """As learned for the model, or the table's start."""
    counted: float | None = None
    """Input tokens as ``count_tokens`` or the API's own error message gave them for this very body."""
    overflow: Overflow | None = None
    """What the API said when it refused this very body for its size."""
    refused: ErrorKind | None = None
    """As what the API refused this very body."""
    side_limit: int | None = None
    """Pixels a side that the API named when it refused this very body for its images."""
    most_output: int | None = None
    """Largest ``max_tokens`` that the API named when it refused this very body."""
    keep_first_turn: bool = True
    """When a conversation is trimmed its first user turn stays (it often holds the task)."""
    catalog: Catalog = BUILT_IN
    """Where the model's facts come from: what else there is, and what the newest of a line is."""

    def input_tokens(self, body: Body) -> float:
        """Estimated input tokens of a body (of the whole prompt, cached or not)."""
        size = measure(body)
        return size.fixed + size.characters * self.tokens_per_char

    def certain_tokens(self, body: Body) -> float:
        """The same without what can only be guessed: the pages of PDFs, encrypted results."""
        size = measure(body)
        return size.fixed - size.guessed + size.characters * self.tokens_per_char


def facts_for(body: Body, today: str = AS_OF, catalog: Catalog = BUILT_IN) -> Facts:
    """The facts for a body, by the built-in table or a refreshed one."""
    model = body.get("model")
    return Facts(catalog.find(model) if isinstance(model, str) else None, today, catalog=catalog)


def facts_after_refusal(facts: Facts, failure: Failure) -> Facts:
    """The facts with all that the API said about the body it refused."""
    most = most_output(failure.message)
    facts = replace(facts, refused=failure.kind, side_limit=failure.side_limit, most_output=most)
    return facts_after(facts, failure.message)


def facts_after(facts: Facts, message: str) -> Facts:
    """The facts with what an error message says about the size of the body it refused."""
    overflow = overflow_of(message)
    if overflow is None:
        return facts
    return replace(facts, overflow=overflow, counted=overflow.input or facts.counted)


def blocks_of(content: object) -> list[Mapping[str, object]]:
    """The blocks of a message's content; a string is one text block, anything else that is no block is left out."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list | tuple):
        return []
    items = cast("list[object]", content)
    return [cast("Mapping[str, object]", item) for item in items if isinstance(item, Mapping)]


def messages_of(body: Body) -> list[Mapping[str, object]]:
    """The messages of a body that are objects."""
    return blocks_of(body.get("messages")) if isinstance(body.get("messages"), list | tuple) else []
