"""Where the bytes of a request are, for a message about one that is too large."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

from headway.core.byte_size import shown

_WORTH_NAMING: Final = 64 * 1024
"""Parts below this do not fill a request."""


def largest_parts(params: Mapping[str, object], count: int = 3) -> list[tuple[str, int]]:
    """The largest texts of a body with their paths, largest first; sizes in characters, which base64 and
    English turn into as many bytes."""
    parts = sorted(_texts(params, ""), key=lambda part: -part[1])
    return [part for part in parts[:count] if part[1] >= _WORTH_NAMING]


def sizes(params: Mapping[str, object], body: int | None) -> str:
    """``(the body has 33.1 MB; largest parts: messages.0.content.1.source.data 20.0 MB)``; empty when nothing
    is known."""
    largest = ", ".join(f"{path} {shown(size)}" for path, size in largest_parts(params))
    known = [f"the body has {shown(body)}"] if body else []
    if largest:
        known.append(f"largest parts: {largest}")
    return f"({'; '.join(known)})" if known else ""


def _texts(value: object, path: str) -> Iterator[tuple[str, int]]:
    if isinstance(value, str | bytes):
        yield path, len(value)
    elif isinstance(value, Mapping):
        for key, item in cast("Mapping[object, object]", value).items():
            yield from _texts(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, Sequence):
        for index, item in enumerate(cast("Sequence[object]", value)):
            yield from _texts(item, f"{path}.{index}")
