"""Numbers in a page of documentation: constants as the code has them, tables as they were measured."""

from __future__ import annotations

import importlib
import re
from typing import Final

CONSTANT: Final = re.compile(r"^\| `(\w+)\.([A-Z_]+)` \| ([^|]*?) \|", re.MULTILINE)
"""A row of a table of constants: module of the core, name, value."""


def value_of(module: str, name: str) -> str:
    """A constant of the core as the page shows it."""
    value = getattr(importlib.import_module(f"headway.core.{module}"), name, None)
    if value is None:
        return "gone"
    return ", ".join(f"{v:.4g}" for v in (value if isinstance(value, tuple) else (value,)))


def stale(text: str) -> list[str]:
    """Constants whose value is not what the page says."""
    return [
        f"{module}.{name}: the page says {said}, the code {value_of(module, name)}"
        for module, name, said in CONSTANT.findall(text)
        if said != value_of(module, name)
    ]


def with_constants(text: str) -> str:
    """The page with the values that the code has."""
    return CONSTANT.sub(lambda m: f"| `{m[1]}.{m[2]}` | {value_of(m[1], m[2])} |", text)


def with_table(text: str, name: str, about: str, table: str) -> str:
    """The page with this section in the place of the old one, or at the end."""
    section = f"## {name}\n\n{about}\n\n{table}\n"
    place = re.compile(rf"^## {name}\n.*?(?=\n## |\Z)", re.DOTALL | re.MULTILINE)
    found = place.search(text)
    return place.sub(lambda _: section, text, count=1) if found else f"{text}\n{section}"
