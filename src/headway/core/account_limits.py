"""The limits of a whole account, group by group, as the Admin API lists them.

A group of models shares its limits. The listing knows the groups of *this* organisation, so it goes before
the table in ``catalog``; that table serves for models which are not listed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from headway.core.catalog import BUILT_IN, Catalog
from headway.core.limits import Limits

UNKNOWN: Final = Limits()


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """One group of models that share their limits."""

    id: str
    """The API's own identifier (``rlg_…``), the same in every organisation."""
    title: str
    """For people, as the API words it."""
    models: tuple[str, ...]
    """Ids and aliases."""
    limits: Limits = UNKNOWN
    """Per minute."""
    fast: Limits = UNKNOWN
    """Of fast mode, which has a pool of its own."""
    name: str = ""
    """Names its budget. Given by `AccountLimits`: as in the built-in table where both agree on the group."""


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """What an account may use, per model group; pass it wherever a `Limits` goes.

    Made by `account_limits`. Like all told limits it makes the first seconds better, and headers win; its
    groups say which models share a budget.
    """

    groups: tuple[GroupLimits, ...] = ()
    other: Limits = UNKNOWN
    """Of models in no group."""
    _by_model: Mapping[str, str] = field(init=False, repr=False, compare=False)
    _by_name: Mapping[str, GroupLimits] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        groups = _named(self.groups)
        by_model: dict[str, str] = {}
        for group in groups:
            for model in group.models:
                by_model.setdefault(model, group.name)
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "_by_model", by_model)
        object.__setattr__(self, "_by_name", {group.name: group for group in groups})

    def group_of(self, model: str, catalog: Catalog = BUILT_IN) -> str:
        """The name of the group a model belongs to; a dated or prefixed id belongs where its plain one does.
        ``catalog`` is asked about models that are not listed."""
        found = self._by_model.get(model)
        if found is None and (facts := catalog.find(model)):
            found = self._by_model.get(facts.prefix)
        return catalog.group(model) if found is None else found

    def of(self, group: str, speed: str = "") -> Limits:
        """What is told of one group; ``speed`` as in the request (``fast`` has limits of its own)."""
        found = self._by_name.get(group)
        if found is None:
            return self.other
        return found.fast if speed == "fast" else found.limits

    def share(self, fraction: float) -> AccountLimits:
        """The same limits, of which this scheduler may use a fraction in (0, 1]. Raises `ValueError`."""
        return replace(
            self,
            other=replace(self.other, share=fraction),
            groups=tuple(
                replace(
                    group,
                    limits=replace(group.limits, share=fraction),
                    fast=replace(group.fast, share=fraction),
                )
                for group in self.groups
            ),
        )


ToldLimits: TypeAlias = Limits | AccountLimits
"""One set of limits for every model group, or those of each."""


def told_for(limits: ToldLimits, group: str, speed: str = "") -> Limits:
    """What is told of one group's budget."""
    return limits if isinstance(limits, Limits) else limits.of(group, speed)


def told_group(limits: ToldLimits, model: str, catalog: Catalog = BUILT_IN) -> str:
    """Whose limits a model counts against."""
    return catalog.group(model) if isinstance(limits, Limits) else limits.group_of(model, catalog)


def _named(groups: Iterable[GroupLimits]) -> tuple[GroupLimits, ...]:
    """Groups with names that differ. The built-in name is kept where the listing has the same group under
    whatever title, so that budgets are called the same with and without a listing."""
    groups = tuple(groups)
    known = [{facts.group for model in group.models if (facts := BUILT_IN.find(model))} for group in groups]
    claims = Counter(name for names in known for name in names)
    taken: set[str] = set()
    named: list[GroupLimits] = []
    for group, names in zip(groups, known, strict=True):
        name = next(iter(names)) if len(names) == 1 else ""
        if not name or claims[name] > 1 or name in taken:
            name = group.title if group.title and group.title not in taken else group.id
        taken.add(name)
        named.append(replace(group, name=name))
    return tuple(named)
