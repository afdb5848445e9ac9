"""Opening the input that ``run`` and ``check`` were given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headway.cli.exit_status import CommandError
from headway.cli.line_fault import Warnings
from headway.cli.prompt_input import PromptInput
from headway.cli.prompt_template import PromptTemplate
from headway.cli.records import Format, format_of
from headway.cli.request_builder import RequestBuilder, RequestDefaults
from headway.cli.schema_option import read_schema

DEFAULT_MODEL: Final = "claude-sonnet-5-5"
DEFAULT_MAX_TOKENS: Final = 1024
STANDARD: Final = Path("-")
"""Standard input or output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputOptions:
    """The options that say what the requests are."""

    input: Path
    model: str = DEFAULT_MODEL
    max_tokens: int = DEFAULT_MAX_TOKENS
    prompt: str | None = None
    system: str | None = None
    format: Format | None = None
    tag: str = ""
    id_field: str | None = None
    schema: Path | None = None


def open_input(options: InputOptions, warn: Callable[[str], None]) -> tuple[PromptInput, Format]:
    """The input and its format; ``warn`` is told of fields that are not sent. Raises `CommandError`."""
    if options.input.is_dir():
        raise CommandError(f"{options.input} is a folder; name a file with one prompt a line")
    path = None if options.input == STANDARD else options.input
    form = options.format or format_of(path)
    if options.prompt is None and form is Format.TEXT:
        raise CommandError('lines of text become prompts with --prompt, for example --prompt "{line}"')
    template = None if options.prompt is None else PromptTemplate(options.prompt)
    name = "<stdin>" if path is None else str(path)
    defaults = RequestDefaults(
        options.model,
        options.max_tokens,
        options.system,
        options.tag,
        options.id_field,
        read_schema(options.schema),
    )
    builder = RequestBuilder(defaults, template, Warnings(lambda text: warn(f"{name}:{text}")))
    return PromptInput(path, form, builder), form
