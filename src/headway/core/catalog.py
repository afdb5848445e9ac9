"""Looking models up: which facts, which rate limit, which price, and what to use instead.

A model that is not listed works all the same: it has a budget of its own and its cost is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from headway.core.faults import RequestError
from headway.core.listed_model import ListedModel
from headway.core.model_facts import AS_OF, MODELS, ModelFacts
from headway.core.nearest import nearest_names
from headway.core.price import Price, PricedLane
from headway.core.retired_models import RETIRED, RetiredModel
from headway.core.usage import Usage

NEWEST: Final = "newest:"
"""``newest:sonnet`` is the newest active model of a line."""
US_WEIGHT: Final = 1.1
_REMEMBERED: Final = 1024
"""Ids whose facts are remembered: the ids come from requests, and may be anything."""
_SUFFIX: Final = re.compile(r"$|[@:]|-(?!\d{1,2}(?!\d))")
"""What may follow: a date or a word, but not ``-6``: claude-opus-5-6 would be another model than claude-opus-5."""


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    """What is known of the models: the built-in table, or that corrected by the Models API."""

    models: tuple[ModelFacts, ...] = MODELS
    as_of: str = AS_OF
    """ISO date of these facts."""
    ids: tuple[str, ...] = ()
    """What the Models API listed as usable, newest first; empty: it was not asked."""
    _longest_first: tuple[ModelFacts, ...] = field(default=(), init=False, repr=False)
    _found: dict[str, ModelFacts | None] = field(
        default_factory=dict[str, "ModelFacts | None"], init=False, repr=False
    )
    """What was looked up: every job asks several times for one of a few models."""

    def __post_init__(self) -> None:
        rows = sorted(self.models, key=lambda facts: -len(facts.prefix))
        object.__setattr__(self, "_longest_first", tuple(rows))

    def find(self, model: str) -> ModelFacts | None:
        """What is known of a model id; platform prefixes (``anthropic.``, ``us.anthropic.``) do not matter."""
        try:
            return self._found[model]
        except KeyError:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            found = self._found[model] = _find(self._longest_first, model)
            return found

    def group(self, model: str) -> str:
        """The name of the rate limit a model counts against; an unknown model has its own."""
        facts = self.find(model)
        return facts.group if facts else model

    def cost(self, model: str, usage: Usage, lane: PricedLane = "live") -> float | None:
        """USD of one answer; ``None`` when the model's price is unknown."""
        facts = self.find(model)
        return facts.price.cost(usage, lane) if facts and facts.price else None

    def retired(self, model: str) -> RetiredModel | None:
        """What is known of a model that is gone, by the Models API or by the table of retired ones."""
        facts = self.find(model)
        if facts is not None:
            return RetiredModel(model, facts.line, facts.retires) if facts.lifecycle == "retired" else None
        return RETIRED.get(_plain(model))

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines that have an active model."""
        return tuple(sorted({facts.line for facts in self.models if facts.line and _is_active(facts)}))

    def newest(self, line: str | None) -> str | None:
        """The id of the newest active model of a line."""
        rows = [facts for facts in self.models if line and facts.line == line and _is_active(facts)]
        if self.ids:
            rows = [facts for facts in rows if facts.prefix in self.ids]
        return max(rows, key=lambda facts: (facts.created, facts.prefix)).prefix if rows else None

    def successor(self, model: str) -> str | None:
        """What to use in place of a model that is gone or going: the newest active one of its line."""
        facts, gone = self.find(model), self.retired(model)
        return self.newest(facts.line if facts else gone.line if gone else None)

    def nearest(self, model: str) -> tuple[str, ...]:
        """Up to three usable ids that are spelled most like this one, best first."""
        return _nearest(self, self.spelled(model))

    def spelled(self, model: str) -> str:
        """An id as it is compared with others: without a platform's prefix, with ``claude-`` before a line."""
        plain = _plain(model)
        bare = "claude" not in plain.lower() and any(line in plain.lower() for line in self.lines)
        return f"claude-{plain}" if bare else plain

    def resolve(self, name: str) -> str:
        """``newest:sonnet`` to the id it stands for today; any other id stays as it is.

        Raises `RequestError` for a line without an active model.
        """
        if not name.lower().startswith(NEWEST):
            return name
        line = name[len(NEWEST) :].strip().lower().removeprefix("claude-")
        if (found := self.newest(line)) is None:
            raise RequestError(
                "model", f"{name}: no active model of that line; lines: {', '.join(self.lines)}"
            )
        return found

    def with_models(self, listed: Iterable[ListedModel], as_of: str) -> Catalog:
        """These facts corrected by what the Models API says on a day (ISO date)."""
        told = tuple(listed)
        rows = {facts.prefix: facts for facts in self.models}
        fresh: dict[str, ModelFacts] = {}
        for model in sorted(told, key=lambda model: model.created):  # of two snapshots an alias is the newer
            base = self.find(model.id) or self._like_its_line(model)
            fresh[model.id] = facts = _corrected(base, model)
            if base.snapshot == model.id:
                fresh[base.prefix] = replace(facts, prefix=base.prefix)
        usable = sorted(
            (model for model in told if model.lifecycle != "retired"),
            key=lambda model: model.created,
            reverse=True,
        )
        return Catalog(tuple((rows | fresh).values()), as_of, tuple(model.id for model in usable))

    def with_prices(self, prices: Mapping[str, Price]) -> Catalog:
        """These facts with prices of the user's own, by model id (a contract, another currency, a new model)."""
        rows = {facts.prefix: facts for facts in self.models}
        for model, price in prices.items():
            base = self.find(model) or _unknown(model)
            rows[model] = replace(base, prefix=model, price=price)
            if base.prefix in rows and base.snapshot == model:
                rows[base.prefix] = replace(base, price=price)
        return Catalog(tuple(rows.values()), self.as_of, self.ids)

    def _like_its_line(self, model: ListedModel) -> ModelFacts:
        """A model that is newer than the table is taken to be like the newest it knows of that line; its price
        and its limits are its own."""
        known = self.find(self.newest(model.line) or "")
        base = known or _unknown(model.id)
        return replace(
            base, prefix=model.id, group=model.id, price=None, fast=True, fast_ends=None, snapshot=""
        )


def _unknown(model: str) -> ModelFacts:
    """A row for a model nobody knows anything of: there is nothing that a rule could complain about."""
    everything = frozenset({"adaptive", "between_tools", "disabled", "enabled"})
    endless = 10**9
    return ModelFacts(
        model, model, None, endless, endless, images=endless, pdf_pages=endless, prefill=True, sampling=True,
        thinking=everything, cache_minimum=0, fast=True,
    )  # fmt: skip


def _corrected(base: ModelFacts, model: ListedModel) -> ModelFacts:
    return replace(
        base,
        prefix=model.id,
        listed=True,
        lifecycle=model.lifecycle,
        retires=model.retires,
        created=model.created or base.created,
        line=model.line or base.line,
        window=model.window or base.window,
        max_output=model.max_output or base.max_output,
        thinking=base.thinking if model.thinking is None else frozenset(model.thinking),
        images=0 if model.images is False else base.images,
        pdf_pages=0 if model.pdfs is False else base.pdf_pages,
    )


def _is_active(facts: ModelFacts) -> bool:
    return facts.lifecycle == "active"


def _find(longest_first: tuple[ModelFacts, ...], model: str) -> ModelFacts | None:
    start = model.find("claude-")
    name = model[start:] if start >= 0 else model
    for facts in longest_first:
        if name.startswith(facts.prefix) and _SUFFIX.match(name, len(facts.prefix)):
            return facts
    return None


def _plain(model: str) -> str:
    """The id without a platform's prefix and suffix."""
    start = model.find("claude-")
    return re.split(r"[@:]|-v\d", model[max(start, 0) :], maxsplit=1)[0]


@lru_cache(maxsize=256)
def _nearest(catalog: Catalog, model: str) -> tuple[str, ...]:
    usable = catalog.ids or tuple(
        facts.prefix
        for facts in catalog.models
        if facts.lifecycle != "retired" and not (facts.retires and facts.retires <= catalog.as_of)
    )
    return nearest_names(model, usable)


BUILT_IN: Final = Catalog()
"""The table that comes with headway."""


def facts_of(model: str) -> ModelFacts | None:
    """What the built-in table knows of a model id."""
    return BUILT_IN.find(model)


def group_of(model: str) -> str:
    """The name of the rate limit a model counts against, by the built-in table."""
    return BUILT_IN.group(model)


def region_weight(model: str, region: str | None) -> float:
    """What a token weighs in Priority Tier when ``inference_geo`` was ``region``: 1.1 for US-only inference from
    4.6 on, which a model unknown here is taken to be (https://platform.claude.com/docs/en/api/service-tiers)."""
    facts = facts_of(model)
    generation_4_5 = facts is not None and facts.prefill
    return US_WEIGHT if region == "us" and not generation_4_5 else 1.0


def cost_of(model: str, usage: Usage, lane: PricedLane = "live") -> float | None:
    """USD of one answer at list price; ``None`` when the model's price is unknown."""
    return BUILT_IN.cost(model, usage, lane)


def resolve_model(name: str, catalog: Catalog = BUILT_IN) -> str:
    """See `Catalog.resolve`."""
    return catalog.resolve(name)
