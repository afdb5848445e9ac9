"""The commands and their options. Typer reads this file; everything heavy is imported inside the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from headway import __version__
from headway.cli.alert_option import Alert
from headway.cli.batches_options import batches
from headway.cli.cost_options import DryRun, ExpectOutput, MaxCost, Offline, Prices, Tag
from headway.cli.follow_up_option import ContinueTurns, FallbackModel, RaiseCap
from headway.cli.input_options import Form, IdField, MaxTokens, Model, Prompt, Schema, Source, System
from headway.cli.input_source import DEFAULT_MAX_TOKENS, DEFAULT_MODEL
from headway.cli.lane_option import BatchQueueOption, DeadlineOption, InFlightOption, LaneOption
from headway.cli.results_options import costs, results
from headway.core.lane import Lane

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
    source: Source,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="Results, also .gz, .csv, .parquet; - is standard output. Default: IN's name, .results.jsonl.",
        ),
    ] = None,
    prompt: Prompt = None,
    system: System = None,
    model: Model = DEFAULT_MODEL,
    max_tokens: MaxTokens = DEFAULT_MAX_TOKENS,
    limit: Annotated[
        str | None,
        typer.Option(
            metavar="LIMITS",
            help="requests=3000,input=600k,output=120k per minute, or account: read by ANTHROPIC_ADMIN_KEY. "
            "Not needed, the API tells.",
        ),
    ] = None,
    max_in_flight: InFlightOption = None,
    lane: LaneOption = Lane.LIVE,
    deadline: DeadlineOption = None,
    batch_queue: BatchQueueOption = None,
    journal: Annotated[Path | None, typer.Option(metavar="FILE", help="Default: OUT.journal.")] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Delete journal and results first, and start over.")
    ] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try failed jobs again.")] = False,
    ordered: Annotated[
        bool, typer.Option("--ordered", help="Results in the order of IN; the file is written at the end.")
    ] = False,
    form: Form = None,
    id_field: IdField = None,
    schema: Schema = None,
    repair: Annotated[
        list[str] | None,
        typer.Option(metavar="RULE", help="Mend what this preflight rule finds; several, or all."),
    ] = None,
    tag: Tag = "",
    dry_run: DryRun = False,
    expect_output: ExpectOutput = None,
    offline: Offline = False,
    max_cost: MaxCost = None,
    prices: Prices = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Send nothing that preflight objects to; stop if it does.")
    ] = False,
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Do not look over the requests first.")
    ] = False,
    fallback_model: FallbackModel = None,
    continue_turns: ContinueTurns = None,
    raise_cap: RaiseCap = False,
    alert: Alert = None,
    cache: Annotated[
        str | None,
        typer.Option(metavar="auto", help="Have the API cache what the prompts share, if it is long enough."),
    ] = None,
    dedupe: Annotated[bool, typer.Option("--dedupe", help="Send identical requests once.")] = False,
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
        id_field=id_field,
        schema=schema,
        limit=limit,
        max_in_flight=max_in_flight,
        lane=lane,
        deadline=deadline,
        batch_queue=batch_queue,
        fresh=fresh,
        retry_failed=retry_failed,
        ordered=ordered,
        quiet=quiet,
        progress=not no_progress,
        repair=tuple(repair or ()),
        strict=strict,
        check=not no_check,
        tag=tag,
        dry_run=dry_run,
        expect_output=expect_output,
        offline=offline,
        max_cost=max_cost,
        prices=prices,
        fallback_models=tuple(fallback_model or ()),
        continue_turns=continue_turns,
        raise_cap=raise_cap,
        alert=alert,
        cache=cache,
        dedupe=dedupe,
    )
    raise typer.Exit(int(run_command.run(options)))


app.command()(results)
app.command()(costs)
app.add_typer(batches)


@app.command()
def check(  # noqa: PLR0917 - one parameter per option
    source: Source,
    prompt: Prompt = None,
    system: System = None,
    model: Model = DEFAULT_MODEL,
    max_tokens: MaxTokens = DEFAULT_MAX_TOKENS,
    form: Form = None,
    id_field: IdField = None,
    schema: Schema = None,
    everything: Annotated[bool, typer.Option("--all", help="Show every finding, not the first 20.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a finding, then a summary.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not ask the Models API what models there are.")
    ] = False,
) -> None:
    """Look over every line of IN and say what is wrong with it; no message is sent.

    Exit status: 0 nothing would be refused (there may be warnings), 1 something would, 2 bad usage.
    """
    from headway.cli import check_command

    options = check_command.CheckOptions(
        input=source,
        model=model,
        max_tokens=max_tokens,
        prompt=prompt,
        system=system,
        format=form,
        id_field=id_field,
        schema=schema,
        everything=everything,
        as_json=as_json,
        offline=offline,
    )
    raise typer.Exit(int(check_command.run_check(options)))


@app.command()
def errors(
    query: Annotated[
        str | None,
        typer.Argument(
            metavar="QUERY", help="529, overloaded_error, an error_code, a message … Default: all."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """What an error of the Claude API means, what headway does about it, and what is left for you.

    Exit status: 0, or 1 when nothing is known of QUERY.
    """
    from headway.cli import errors_command

    raise typer.Exit(int(errors_command.errors(query, as_json=as_json)))


@app.command()
def doctor(
    base_url: Annotated[
        str | None, typer.Option("--base-url", metavar="URL", help="Default: ANTHROPIC_BASE_URL.")
    ] = None,
    model: Annotated[str, typer.Option(help="Model to ask about.")] = DEFAULT_MODEL,
    send: Annotated[
        bool, typer.Option("--send", help="Send one message of one token, to see the limits.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Examine key, address, network, clock, models and limits; nothing that costs is sent.

    Exit status: 0, or 1 when something is broken.
    """
    from headway.cli import doctor_command

    options = doctor_command.DoctorOptions(base_url, model, send, as_json)
    raise typer.Exit(int(doctor_command.doctor(options)))


@app.command()
def demo(
    jobs: Annotated[int, typer.Option(min=1, max=5000, metavar="N", help="Prompts to send.")] = 400,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the faults.")] = 7,
) -> None:
    """See it work: a few hundred prompts through a fake API that fails now and then. No key, no network."""
    from headway.cli import demo_command

    raise typer.Exit(int(demo_command.demo(jobs, seed)))


@app.command("fake-api")
def fake_api(  # noqa: PLR0917 - one parameter per option
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
    batch_seconds: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long a message batch takes, by its own clock.")
    ] = 1.0,
    batch_scale: Annotated[
        float, typer.Option(metavar="FACTOR", help="Seconds that pass for batches in one second.")
    ] = 1.0,
) -> None:
    """A Claude Messages API on this machine, with real limits and the faults you ask for."""
    from headway.cli import fake_api_command

    fake_api_command.serve_fake_api(
        fake_api_command.FakeOptions(
            host, port, limits, burst, latency, output, faults, seed, batch_seconds, batch_scale
        )
    )
