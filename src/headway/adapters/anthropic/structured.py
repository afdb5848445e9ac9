"""Structured output, as ``messages.parse`` does it: a type's schema goes out, ``message.parsed_output`` comes in.

Done here and not by ``messages.parse`` because that takes fewer parameters than ``messages.create``, cannot
stream, has no raw twin and loses a whole (and paid) answer when its text does not fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from anthropic.types import Message
    from anthropic.types.parsed_message import ParsedMessage
    from pydantic import TypeAdapter, ValidationError


class MisfitError(ValueError):
    """The answer is whole, but its text does not fit the type. Says where, not what: answers stay private."""


def with_schema(params: Mapping[str, object], output_format: object) -> dict[str, object]:
    """Parameters that ask for the type. Raises `TypeError` for what has no JSON schema."""
    config = cast("Mapping[str, object]", params.get("output_config") or {})
    return {**params, "output_config": {**config, "format": _format(output_format)}}


def parsed(message: Message, output_format: object, *, strict: bool = True) -> ParsedMessage[Any]:
    """The message with ``parsed_output``. If ``strict``, raises `MisfitError` when a finished answer does not fit.

    An answer that did not come to its end (``max_tokens``, ``refusal``, a tool call) has ``parsed_output``
    ``None`` instead: its ``stop_reason`` says why, and asking again would not help.
    """
    from anthropic.types.parsed_message import ParsedMessage, ParsedTextBlock

    content: list[object] = []
    for block in message.content:
        if block.type != "text":
            content.append(block)
            continue
        try:
            value = value_of(block.text, output_format)
        except MisfitError:
            if strict and message.stop_reason == "end_turn":
                raise
            value = None
        fields: dict[str, Any] = {**block.to_dict(warnings=False), "parsed_output": value}
        content.append(ParsedTextBlock[Any].construct(**fields))
    rest: dict[str, Any] = {**message.to_dict(warnings=False), "content": []}
    whole = ParsedMessage[Any].construct(**rest)
    whole.content = cast("list[Any]", content)
    return whole


def value_of(text: str, output_format: object) -> Any:
    """What a text says. Raises `MisfitError`."""
    from pydantic import ValidationError

    try:
        return _adapter(output_format).validate_json(text)
    except ValidationError as error:
        raise MisfitError(_places(error, output_format)) from None


def schema_format(schema: dict[str, Any]) -> dict[str, object]:
    """The ``output_config.format`` for a JSON schema; what the API does not take of it (``minLength`` …) becomes part
    of the descriptions. Raises `ValueError` for what is no schema."""
    from anthropic import transform_schema

    try:
        return {"type": "json_schema", "schema": transform_schema(schema)}
    except (TypeError, KeyError, AttributeError, AssertionError) as error:
        raise ValueError(str(error)) from None


def _format(output_format: object) -> dict[str, object]:
    return schema_format(_schema(output_format))


def _places(error: ValidationError, output_format: object) -> str:
    faults = [
        f"{'.'.join(str(part) for part in fault['loc']) or 'the text'} ({fault['type']})"
        for fault in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
    name = getattr(output_format, "__name__", None) or str(output_format)
    return f"the answer does not fit output_format {name}: {', '.join(faults[:3])}{more}"


def _adapter(output_format: object) -> TypeAdapter[Any]:
    try:
        return _known_adapter(output_format)
    except TypeError:  # not hashable
        return _new_adapter(output_format)


def _new_adapter(output_format: object) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticSchemaGenerationError

    if isinstance(output_format, Mapping):
        raise TypeError("output_format must be a type; pass a schema as output_config={'format': …} instead")
    try:
        return TypeAdapter(cast("Any", output_format))
    except PydanticSchemaGenerationError:
        raise TypeError("output_format must be a type that pydantic.TypeAdapter takes") from None


_known_adapter = lru_cache(maxsize=256)(_new_adapter)


def _schema(output_format: object) -> dict[str, Any]:
    from pydantic.errors import PydanticInvalidForJsonSchema

    try:
        return _adapter(output_format).json_schema()
    except PydanticInvalidForJsonSchema:
        raise TypeError("output_format must be a type with a JSON schema") from None
