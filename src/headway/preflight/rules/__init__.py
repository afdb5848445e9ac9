"""All rules: every module here that holds ``RULES`` is one."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from headway.preflight.rule import Rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, in the order in which they are applied."""
    found: list[Rule] = []
    for module in pkgutil.iter_modules(__path__):
        found += getattr(importlib.import_module(f"{__name__}.{module.name}"), "RULES", ())
    return tuple(sorted(found, key=lambda rule: (rule.order, rule.name)))
