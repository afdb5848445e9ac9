"""The body of a request that is kept elsewhere: what is short of it is here, the rest is read when somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

SHORT: Final = 64
"""Characters of a text that is kept here."""


class Elsewhere:
    """Stands for a value that is not kept here."""


ELSEWHERE: Final = Elsewhere()
Outline = Mapping[str, object]
"""A body whose long values are `ELSEWHERE`: the same for all requests that differ in nothing else."""


def outline(params: Mapping[str, object]) -> dict[str, object]:
    """What is kept of a body."""
    return {name: value if _is_short(value) else ELSEWHERE for name, value in params.items()}


def _is_short(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= SHORT
    return value is None or isinstance(value, bool | int | float)


class StoredParams(Mapping[str, object]):
    """A body of which an outline is kept. To ask for what is long reads it, every time and at once."""

    __slots__ = ("_key", "_outline", "_read")

    def __init__(self, kept: Outline, key: str, read: Callable[[str], Mapping[str, object]]) -> None:
        self._outline = kept
        self._key = key
        self._read = read

    def __getitem__(self, name: str) -> object:
        value = self._outline[name]
        return self._read(self._key)[name] if value is ELSEWHERE else value

    def __contains__(self, name: object) -> bool:
        return name in self._outline

    def __iter__(self) -> Iterator[str]:
        return iter(self._outline)

    def __len__(self) -> int:
        return len(self._outline)

    def __reduce__(self) -> tuple[type[dict[str, object]], tuple[dict[str, object]]]:
        """Copied and pickled as what it stands for."""
        return dict, (dict(self),)

    def __repr__(self) -> str:  # prompts stay private
        return f"StoredParams(model={self._outline.get('model')!r})"
