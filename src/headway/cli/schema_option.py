"""``--schema FILE``: the JSON schema that every answer is to follow."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from headway.cli.exit_status import CommandError
from headway.cli.json_file import object_in

SAMPLE: Final = '{"type": "object", "properties": {"label": {"type": "string"}}, "required": ["label"]}'


def read_schema(path: Path | None) -> dict[str, object] | None:
    """The ``output_config.format`` for it; what the API does not take of a schema (``minLength`` …) becomes part of
    the descriptions, as the SDK does it. Raises `CommandError`."""
    if path is None:
        return None
    schema = object_in(path, "--schema", f"a JSON schema, such as {SAMPLE}")
    from headway.adapters.anthropic.structured import schema_format

    try:
        return schema_format(schema)
    except ValueError as error:
        raise CommandError(f"--schema {path} is no JSON schema that the API takes: {error}") from None
