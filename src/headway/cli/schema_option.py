"""``--schema FILE``: the JSON schema that every answer is to follow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, cast

from headway.cli.exit_status import CommandError

SAMPLE: Final = '{"type": "object", "properties": {"label": {"type": "string"}}, "required": ["label"]}'


def read_schema(path: Path | None) -> dict[str, object] | None:
    """The ``output_config.format`` for it; what the API does not take of a schema (``minLength`` …) becomes part of
    the descriptions, as the SDK does it. Raises `CommandError`."""
    if path is None:
        return None
    try:
        value: object = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"--schema {path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise CommandError(f"--schema {path} is not JSON: {error}") from None
    if not isinstance(value, dict) or not value:
        raise CommandError(f"--schema {path} must be a JSON schema, such as {SAMPLE}")
    from headway.adapters.anthropic.structured import schema_format

    try:
        return schema_format(cast("dict[str, Any]", value))
    except ValueError as error:
        raise CommandError(f"--schema {path} is no JSON schema that the API takes: {error}") from None
