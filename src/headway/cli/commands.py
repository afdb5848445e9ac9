"""The commands and their options. Typer reads this file; everything heavy is imported inside the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from headway import __version__
from headway.cli.records import Format

app: Final = typer.Typer(
    name="headway",
    help="Run any number of Claude calls at the full speed of your rate limits, and lose none of them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"headway {__version__}")
        raise typer.Exit


@app.callback()
def headway(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Run any number of Claude calls at the full speed of your rate limits, and lose none of them."""


@app.command()
def run(  # noqa: PLR0913, PLR0917 - one parameter per option
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="JSON Lines, CSV or text; - is standard input.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="Results; - is standard output. Default: IN's name with .results.jsonl.",
        ),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            metavar="TEMPLATE", help='A prompt from fields: "Classify: {review}"; {line} of a text.'
        ),
    ] = None,
    system: Annotated[
        str | None, typer.Option(metavar="TEXT", help="System prompt of lines without one.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="Model of lines without one, or newest:sonnet.")
    ] = "claude-sonnet-5-5",
    max_tokens: Annotated[
        int, typer.Option(min=1, metavar="N", help="max_tokens of lines without it.")
    ] = 1024,
    limit: Annotated[
        str | None,
        typer.Option(
            metavar="LIMITS",
            help="requests=3000,input=600k,output=120k per minute; not needed, the API tells.",
        ),
    ] = None,
    max_in_flight: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Requests open at a time.")
    ] = None,
    journal: Annotated[Path | None, typer.Option(metavar="FILE", help="Default: OUT.journal.")] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Delete journal and results first, and start over.")
    ] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try failed jobs again.")] = False,
    form: Annotated[
        Format | None, typer.Option("--format", help="Format of IN. Default: by its name, else jsonl.")
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Only warnings and errors.")] = False,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="Only the summary.")] = False,
) -> None:
    """Send every line of IN and write the results to OUT as they come.

    Run the same command again to go on after an interruption: nothing finished is sent twice.

    Exit status: 0 all succeeded, 1 some failed, 2 bad usage or input, 3 stopped early (key, billing,
    spend cap), 130 / 143 interrupted with work left.
    """
    from headway.cli import run_command

    options = run_command.RunOptions(
        input=source,
        output=output,
        journal=journal,
        model=model,
        max_tokens=max_tokens,
        prompt=prompt,
        system=system,
        format=form,
        limit=limit,
        max_in_flight=max_in_flight,
        fresh=fresh,
        retry_failed=retry_failed,
        quiet=quiet,
        progress=not no_progress,
    )
    raise typer.Exit(int(run_command.run(options)))


@app.command()
def demo(
    jobs: Annotated[int, typer.Option(min=1, max=5000, metavar="N", help="Prompts to send.")] = 400,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the faults.")] = 7,
) -> None:
    """See it work: a few hundred prompts through a fake API that fails now and then. No key, no network."""
    from headway.cli import demo_command

    raise typer.Exit(int(demo_command.demo(jobs, seed)))


@app.command("fake-api")
def fake_api(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8787,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    limits: Annotated[
        str,
        typer.Option(
            metavar="LIMITS",
            help="Per minute; what is left out is unlimited, and without limits there are no headers.",
        ),
    ] = "requests=10k,input=10M,output=2M",
    burst: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="What a bucket holds, in seconds of its limit (60)."),
    ] = None,
    latency: Annotated[
        str | None, typer.Option(metavar="SPEC", help="ttft=0.5,speed=80,jitter=0.2 or instant.")
    ] = None,
    output: Annotated[
        str | None, typer.Option(metavar="SPEC", help="mean=50,sigma=0.6: tokens of a reply.")
    ] = None,
    faults: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A JSON file, or presets: storm, mixed:5, tenant, cut …"),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Same seed, same faults and replies.")] = 0,
) -> None:
    """A Claude Messages API on this machine, with real limits and the faults you ask for."""
    from headway.cli import fake_api_command

    fake_api_command.serve_fake_api(
        fake_api_command.FakeOptions(host, port, limits, burst, latency, output, faults, seed)
    )
