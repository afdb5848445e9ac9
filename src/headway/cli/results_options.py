"""``headway results`` as Typer reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def results(  # noqa: PLR0913, PLR0917 - one parameter per option
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
    failed: Annotated[
        bool, typer.Option("--failed", help="What did not succeed: --retry-failed would try it again.")
    ] = False,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="TAG", help="Jobs with this tag; '': none.")
    ] = None,
    tenant: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Jobs of this tenant.")] = None,
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
        failed=failed,
        tags=tuple(tag or ()),
        tenants=tuple(tenant or ()),
        ids=ids,
        form=ResultForm.CSV if as_csv else ResultForm.TEXT if as_text else None,
        ordered=ordered,
        quiet=quiet,
    )
    raise typer.Exit(int(run_results(options)))


def costs(
    journal: Annotated[
        Path, typer.Argument(metavar="JOURNAL", help="A journal, or results that have one beside them.")
    ],
    by: Annotated[str, typer.Option("--by", metavar="WHAT", help="tag, tenant, model or lane.")] = "tag",
    in_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """What the jobs of a journal have cost, over all its runs; also while one goes on.

    Exit status: 0, or 2 for bad usage.
    """
    from headway.cli.costs_command import costs as run_costs

    raise typer.Exit(int(run_costs(journal, by, in_json=in_json)))
