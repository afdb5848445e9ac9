"""``headway results`` as Typer reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def results(  # noqa: PLR0917 - one parameter per option
    journal: Annotated[
        Path, typer.Argument(metavar="JOURNAL", help="A journal, or results that have one beside them.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="OUT", help="By its name .jsonl, .csv, .txt, .parquet; also .gz."
        ),
    ] = None,
    state: Annotated[
        list[str] | None, typer.Option(metavar="STATE", help="succeeded, failed, expired or cancelled.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Failures of this kind: headway errors.")
    ] = None,
    ids: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Only these ids, one a line, in that order.")
    ] = None,
    ordered: Annotated[
        bool, typer.Option("--ordered", help="In the order of the input, not as they ended.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Flat columns.")] = False,
    as_text: Annotated[bool, typer.Option("--text", help="Only what the answers say.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No counts on standard error.")] = False,
) -> None:
    """Export the results of a run, all or some; also while it goes on.

    Exit status: 0, or 2 for bad usage.
    """
    from headway.cli.exit_status import CommandError
    from headway.cli.result_writer import ResultForm
    from headway.cli.results_command import ResultsOptions
    from headway.cli.results_command import results as run_results

    if as_csv and as_text:
        raise CommandError("--csv and --text exclude each other")
    options = ResultsOptions(
        journal=journal,
        output=output,
        states=tuple(state or ()),
        kinds=tuple(kind or ()),
        ids=ids,
        form=ResultForm.CSV if as_csv else ResultForm.TEXT if as_text else None,
        ordered=ordered,
        quiet=quiet,
    )
    raise typer.Exit(int(run_results(options)))
