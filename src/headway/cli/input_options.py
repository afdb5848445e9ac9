"""Options that ``run`` and ``check`` share, as Typer reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headway.cli.records import Format

Source = Annotated[Path, typer.Argument(metavar="IN", help="JSON Lines, CSV or text; - is standard input.")]
Prompt = Annotated[
    str | None,
    typer.Option(metavar="TEMPLATE", help='A prompt from fields: "Classify: {review}"; {line} of a text.'),
]
System = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="System prompt of lines without one; with --prompt a template too."),
]
Model = Annotated[str, typer.Option(help="Model of lines without one, or newest:sonnet.")]
MaxTokens = Annotated[int, typer.Option(min=1, metavar="N", help="max_tokens of lines without it.")]
Form = Annotated[
    Format | None, typer.Option("--format", help="Format of IN. Default: by its name, else jsonl.")
]
IdField = Annotated[
    str | None,
    typer.Option("--id", metavar="FIELD", help="The field that names the results. Default: custom_id."),
]
Schema = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="JSON schema that answers follow, of lines without output_config.format."
    ),
]
