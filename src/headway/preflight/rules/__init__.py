"""All rules: every module here that holds ``RULES`` is one."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache, lru_cache

from headway.preflight.rule import Rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, in the order in which they are applied."""
    found: list[Rule] = []
    for module in pkgutil.iter_modules(__path__):
        found += getattr(importlib.import_module(f"{__name__}.{module.name}"), "RULES", ())
    return tuple(sorted(found, key=lambda rule: (rule.order, rule.name)))


@lru_cache(maxsize=512)
def rules_about(traits: frozenset[str]) -> tuple[Rule, ...]:
    """The rules, in their order, that can find something in a body with these traits (`traits_of`)."""
    return tuple(rule for rule in all_rules() if not rule.about or rule.about & traits)
