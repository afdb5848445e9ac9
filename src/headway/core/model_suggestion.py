"""What to say about a model that does not answer."""

from __future__ import annotations

from headway.core.catalog import BUILT_IN, Catalog


def suggest(model: str, catalog: Catalog = BUILT_IN) -> str:
    """What became of a model and what to use instead: the nearest ids, the newest active one of its line."""
    gone, near = catalog.retired(model), catalog.nearest(model)
    newest = catalog.newest(gone.line if gone else _line_meant(model, near, catalog))
    said: list[str] = []
    if gone is not None:
        said.append(f"{model} was retired{f' on {gone.on}' if gone.on else ''}.")
    elif near and near[0] != model:
        said.append(f"Did you mean {' or '.join(near[:2] if newest != near[0] else near[:1])}?")
    elif near:
        said.append(
            "It is a known model: this key may have no access to it, or this base URL may not serve it."
        )
    if newest is None:
        said.append("See https://platform.claude.com/docs/en/about-claude/models for the ids.")
    elif newest != model:
        facts = catalog.find(newest)
        said.append(f"The newest active {facts and facts.line} is {newest}.")
    return " ".join(said)


def _line_meant(model: str, near: tuple[str, ...], catalog: Catalog) -> str | None:
    named = next((line for line in catalog.lines if line in model.lower()), None)
    facts = catalog.find(near[0]) if near and named is None else None
    return facts.line if facts else named
