"""``headway batches …`` as Typer reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from headway.cli.cost_options import MaxCost, Prices

batches: Final = typer.Typer(
    name="batches",
    help="Message batches: of the account list, cancel, results; of a run (headway run --lane batch) resume, strays.",
    invoke_without_command=True,
)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a batch.")]


@batches.callback()
def default(context: typer.Context) -> None:
    """The message batches of the account: list, cancel, fetch results."""
    if context.invoked_subcommand is None:
        from headway.cli import batches_command

        raise typer.Exit(int(batches_command.list_batches(batches_command.ListOptions())))


@batches.command("list")
def list_them(
    most: Annotated[int, typer.Option("-n", "--limit", min=0, metavar="N", help="How many; 0: all.")] = 20,
    running: Annotated[bool, typer.Option("--running", help="Only those that have not ended.")] = False,
    journal: Annotated[
        Path | None,
        typer.Option(metavar="JOURNAL", help="Say too what this journal knows: jobs that wait, strays."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The batches of the key's workspace, newest first."""
    from headway.cli import batches_command

    options = batches_command.ListOptions(most, running, as_json, journal)
    raise typer.Exit(int(batches_command.list_batches(options)))


@batches.command("cancel")
def cancel(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="msgbatch_…")], as_json: AsJson = False
) -> None:
    """Cancel batches. What is done by then stays done, and is billed.

    Exit status: 0, or 1 when one could not be cancelled (it may have ended).
    """
    from headway.cli import batches_command

    raise typer.Exit(int(batches_command.cancel_batches(ids, in_json=as_json)))


@batches.command("results")
def results(
    batch_id: Annotated[str, typer.Argument(metavar="ID", help="msgbatch_…")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT", help="A file, also .gz. Default: standard output."),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No counts on standard error.")] = False,
) -> None:
    """The results of a batch that has ended, as the API gives them: one JSON object a line, in any order.

    Exit status: 0, or 1 when there are none (yet, or any more).
    """
    from headway.cli import batches_command

    options = batches_command.BatchResultsOptions(batch_id, output, quiet)
    raise typer.Exit(int(batches_command.batch_results(options)))


@batches.command("resume")
def resume(
    journal: Annotated[
        Path, typer.Argument(metavar="JOURNAL", help="A journal, or results that have one beside them.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="OUT", help="Write the results there too, as headway run does."
        ),
    ] = None,
    no_live: Annotated[
        bool, typer.Option("--no-live", help="Send nothing: what a batch brought no answer for stays queued.")
    ] = False,
    max_cost: MaxCost = None,
    prices: Prices = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no summary.")] = False,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="Only the summary.")] = False,
) -> None:
    """Collect what a run has left in message batches, from its journal alone.

    Exit status as of headway run: 0, 1 when some jobs failed, 3 when some are left.
    """
    from headway.cli import journal_batches

    options = journal_batches.ResumeOptions(
        journal=journal,
        output=output,
        live=not no_live,
        max_cost=max_cost,
        prices=prices,
        quiet=quiet,
        progress=not no_progress,
    )
    raise typer.Exit(int(journal_batches.resume(options)))


@batches.command("strays")
def strays(
    journal: Annotated[
        Path, typer.Argument(metavar="JOURNAL", help="A journal, or results that have one beside them.")
    ],
) -> None:
    """Results of a run's batches that belong to no job, one JSON object a line. They may have been billed."""
    from headway.cli import journal_batches

    raise typer.Exit(int(journal_batches.strays(journal)))
