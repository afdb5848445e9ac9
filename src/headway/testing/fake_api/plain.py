"""Frozen dataclasses to and from plain JSON values, with errors that name the field."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, TypeVar, Union, cast

T = TypeVar("T")


def to_plain(value: object) -> object:
    """What ``json.dumps`` takes (``inf`` becomes ``Infinity``)."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {row.name: to_plain(getattr(value, row.name)) for row in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        return {str(key): to_plain(item) for key, item in pairs}
    if isinstance(value, (tuple, list, frozenset)):
        return [to_plain(item) for item in cast("tuple[object, ...]", value)]
    return value


def from_plain(kind: type[T], value: object, where: str) -> T:
    """Build a dataclass from a JSON object; ``where`` begins every error message."""
    if not isinstance(value, dict):
        raise _mismatch(where, "an object", value)
    hints = _hints(kind)
    known: dict[str, object] = {}
    for name, item in cast("dict[str, object]", value).items():
        if name not in hints:
            raise ValueError(f"{where}.{name}: there is no such field; known: {', '.join(hints)}")
        known[name] = _decode(hints[name], item, f"{where}.{name}")
    for row in _fields(kind):
        required = row.default is dataclasses.MISSING and row.default_factory is dataclasses.MISSING
        if required and row.name not in known:
            raise ValueError(f"{where}: {row.name} is required")
    try:
        return kind(**known)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: {error}") from None


@lru_cache(maxsize=64)
def _hints(kind: type[object]) -> dict[str, object]:
    hints = typing.get_type_hints(kind)
    return {row.name: hints[row.name] for row in _fields(kind)}


def _fields(kind: type[object]) -> tuple[dataclasses.Field[object], ...]:
    assert dataclasses.is_dataclass(kind)
    return dataclasses.fields(kind)


def _decode(hint: object, value: object, where: str) -> object:
    origin = typing.get_origin(hint)
    options = typing.get_args(hint)
    if origin is Literal:
        if value not in options:
            raise ValueError(f"{where}: must be one of {', '.join(map(repr, options))}, not {value!r}")
        return value
    if origin is Union or origin is types.UnionType:
        if value is None and type(None) in options:
            return None
        return _decode(next(option for option in options if option is not type(None)), value, where)
    if origin is None:
        return _decode_class(cast("type[object]", hint), value, where)
    return _decode_collection(cast("type", origin), options, value, where)


def _decode_class(kind: type[object], value: object, where: str) -> object:
    if dataclasses.is_dataclass(kind):
        return from_plain(kind, value, where)
    if issubclass(kind, enum.Enum):
        names = [str(member.value) for member in kind]
        if value not in names:
            raise ValueError(f"{where}: must be one of {', '.join(names)}, not {value!r}")
        return kind(value)
    wanted: tuple[type[object], ...] = (int, float) if kind is float else (kind,)
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
        raise _mismatch(where, _NAMES[kind], value)
    return value


def _mismatch(where: str, wanted: str, value: object) -> ValueError:
    return ValueError(f"{where}: must be {wanted}, not {value!r}")


_NAMES: dict[type, str] = {float: "a number", int: "a whole number", str: "a string", bool: "true or false"}


def _decode_collection(origin: type, options: tuple[object, ...], value: object, where: str) -> object:
    if issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise _mismatch(where, "an object", value)
        pairs = cast("dict[str, object]", value).items()
        key = int if options[0] is int else str
        return {key(name): _decode(options[1], item, f"{where}.{name}") for name, item in pairs}
    if not isinstance(value, (list, tuple)):
        raise _mismatch(where, "a list", value)
    items = cast("list[object]", value)
    return origin(_decode(options[0], item, f"{where}[{index}]") for index, item in enumerate(items))
