"""``headway run``: options to a plan, the plan's run, and what is said about it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import sys
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from headway.cli.alert_option import parse_alert
from headway.cli.compressed import compression_of, inner_name
from headway.cli.cost_options import PriceLook, parse_max_cost, read_prices
from headway.cli.credentials import require_credential
from headway.cli.dry_run import DryPlan, DryRun
from headway.cli.exit_status import CommandError, ExitStatus
from headway.cli.final_results import run_form, written_at_end
from headway.cli.follow_up_option import check_fallbacks, parse_follow_up
from headway.cli.head_look import HeadLook, tell_problems, today
from headway.cli.input_source import DEFAULT_MAX_TOKENS, DEFAULT_MODEL, STANDARD, InputOptions, open_input
from headway.cli.lane_option import parse_deadline
from headway.cli.limit_option import parse_limit
from headway.cli.model_catalog import remembered
from headway.cli.newest_model import resolved_model
from headway.cli.output_file import is_regular, require_writable
from headway.cli.progress import Progress, choose_progress
from headway.cli.prompt_input import Numbered
from headway.cli.repair_option import parse_policy
from headway.cli.result_writer import ResultForm
from headway.cli.run_plan import RunPlan
from headway.cli.run_report import RunReport
from headway.cli.run_session import RunSession
from headway.cli.run_settings import RunSettings
from headway.cli.schema_option import read_schema
from headway.cli.summary import summary
from headway.core.batching import AS_USUAL, Batching
from headway.core.lane import Lane
from headway.errors import JournalError

DEFAULT_URL: Final = "https://api.anthropic.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions(InputOptions):
    """The options of ``headway run`` as they were given."""

    output: Path | None = None
    journal: Path | None = None
    limit: str | None = None
    max_in_flight: int | None = None
    lane: Lane = Lane.LIVE
    deadline: str | None = None
    batch_queue: int | None = None
    fresh: bool = False
    retry_failed: bool = False
    ordered: bool = False
    quiet: bool = False
    progress: bool = True
    repair: tuple[str, ...] = ()
    strict: bool = False
    check: bool = True
    max_cost: str | None = None
    prices: Path | None = None
    dry_run: bool = False
    offline: bool = False
    expect_output: int | None = None
    fallback_models: tuple[str, ...] = ()
    continue_turns: int | None = None
    raise_cap: bool = False
    alert: str | None = field(default=None, repr=False)
    cache: str | None = None
    dedupe: bool = False


def run(options: RunOptions) -> ExitStatus:
    """Run it and say how it went. Raises `CommandError` when it cannot begin."""
    progress = choose_progress(wanted=options.progress and not options.quiet)
    fallbacks = [resolved_model(name, DEFAULT_URL, progress.note) for name in options.fallback_models]
    model = resolved_model(options.model, DEFAULT_URL, progress.note)
    options = replace(options, model=model, fallback_models=tuple(fallbacks))
    if options.dry_run:
        return _dry_run(options, progress)
    if options.offline or options.expect_output is not None:
        raise CommandError("--offline and --expect-output belong to --dry-run")
    try:
        plan = make_plan(options, progress)
    except OSError as error:  # of a path: too long, a loop of links, …
        raise CommandError(str(error)) from None
    try:
        report = asyncio.run(RunSession(plan, progress).execute())
    except JournalError as error:
        raise CommandError(str(error), ExitStatus.STOPPED) from None
    finally:
        plan.source.close()
    tell(report, options, plan)
    return report.exit_status


def _dry_run(options: RunOptions, progress: Progress) -> ExitStatus:
    """Say what it would cost and take. Raises `CommandError` when it cannot be said."""
    limits, account = parse_limit(options.limit)
    policy = parse_policy(options.repair, strict=options.strict, check=options.check)
    source, _ = open_input(options, lambda text: progress.note(f"warning: {text}"))
    output = options.output or _default_output(options.input)
    plan = DryPlan(
        source=source,
        journal=None if options.fresh else options.journal or _default_journal(output),
        limits=limits,
        account=account,
        policy=policy if options.check else None,
        catalog=remembered().with_prices(read_prices(options.prices)),
        cap=parse_max_cost(options.max_cost),
        offline=options.offline,
        expect_output=options.expect_output,
        lane=options.lane,
        auto=_cache(options.cache) is not None,
        dedupe=options.dedupe,
        retry_failed=options.retry_failed,
    )
    try:
        print(DryRun(plan).execute())
    finally:
        source.close()
    return ExitStatus.DONE


def make_plan(options: RunOptions, progress: Progress) -> RunPlan:
    """Check everything that can be checked before anything is sent. Raises `CommandError`."""

    def warn(text: str) -> None:
        progress.note(f"warning: {text}")

    limits, account = parse_limit(options.limit)
    cap, prices = parse_max_cost(options.max_cost), read_prices(options.prices)
    deadline = parse_deadline(options.deadline)
    policy = parse_policy(options.repair, strict=options.strict, check=options.check)
    alerts, catalog = parse_alert(options.alert), remembered()
    follow_up = parse_follow_up(options.fallback_models, options.continue_turns, raise_cap=options.raise_cap)
    check_fallbacks(options.fallback_models if options.check else (), today(), catalog, warn)
    output, journal = _places(options)
    source, form = open_input(options, warn)
    look = HeadLook(policy, today(), catalog)
    priced = PriceLook(catalog.with_prices(prices))

    def see(record: Numbered) -> None:
        if options.check:
            look.see(record)
        if cap is not None:
            priced.see(record)

    head = source.check_head(see)
    tell_problems(head, source.name, warn, bear=options.lane is not Lane.LIVE and not options.strict)
    priced.tell(source.name)
    look.tell(source.name, progress.note, whole=head.whole)
    require_credential(warn)
    base_url = os.environ.get("ANTHROPIC_BASE_URL") or DEFAULT_URL
    return RunPlan(
        source=source,
        settings=RunSettings(
            options.model,
            options.max_tokens,
            options.system,
            options.prompt,
            form.value,
            base_url.rstrip("/"),
            options.id_field,
            json.dumps(schema["schema"], sort_keys=True) if (schema := read_schema(options.schema)) else None,
        ),
        output=output,
        journal=journal,
        limits=limits,
        account=account,
        max_in_flight=options.max_in_flight,
        lane=options.lane,
        deadline=deadline,
        batching=AS_USUAL if options.batch_queue is None else Batching(max_queued=options.batch_queue),
        fresh=options.fresh,
        retry_failed=options.retry_failed,
        ordered=options.ordered,
        repair=policy,
        spend_cap=cap,
        prices=prices,
        follow_up=follow_up,
        catalog=catalog,
        alerts=alerts,
        cache=_cache(options.cache),
        dedupe=options.dedupe,
    )


def _cache(value: str | None) -> Literal["auto"] | None:
    if value not in (None, "auto"):
        raise CommandError(f"--cache {value}: auto is the only way there is")
    return "auto" if value else None


def tell(report: RunReport, options: RunOptions, plan: RunPlan) -> None:
    """The summary, and why the run stopped early."""
    stream = sys.stderr if plan.output is None else sys.stdout
    with contextlib.suppress(OSError):  # nobody reads it any more
        if not options.quiet:
            print(summary(report, shown_command(options)), file=stream, flush=True)
        if report.trouble is not None:
            print(f"headway: stopped early: {report.trouble}", file=sys.stderr, flush=True)


def shown_command(options: RunOptions) -> str:
    """The command to run again; without ``--alert``, whose URL is a secret."""
    words = ["headway", "run", str(options.input)]
    for name, value, default in (
        ("-o", options.output, None),
        ("--journal", options.journal, None),
        ("--model", options.model, DEFAULT_MODEL),
        ("--max-tokens", options.max_tokens, DEFAULT_MAX_TOKENS),
        ("--prompt", options.prompt, None),
        ("--system", options.system, None),
        ("--format", options.format, None),
        ("--id", options.id_field, None),
        ("--schema", options.schema, None),
        ("--limit", options.limit, None),
        ("--max-in-flight", options.max_in_flight, None),
        ("--tag", options.tag, ""),
        ("--max-cost", options.max_cost, None),
        ("--prices", options.prices, None),
        ("--lane", options.lane.value, Lane.LIVE.value),
        ("--deadline", options.deadline, None),
        ("--batch-queue", options.batch_queue, None),
        ("--cache", options.cache, None),
        *(("--repair", rule, None) for rule in options.repair),
        *(("--fallback-model", name, None) for name in options.fallback_models),
        ("--continue-turns", options.continue_turns, None),
    ):
        if value != default:
            words += [name, str(value)]
    words += ["--ordered"] if options.ordered else []
    words += ["--dedupe"] if options.dedupe else []
    words += ["--strict"] if options.strict else []
    words += ["--raise-cap"] if options.raise_cap else []
    words += [] if options.check else ["--no-check"]
    return shlex.join(words)


def _default_output(source: Path) -> Path:
    return source.with_name(f"{inner_name(source).stem}.results.jsonl")


def _default_journal(output: Path) -> Path:
    return output.with_name(f"{output.name}.journal")


def _places(options: RunOptions) -> tuple[Path | None, Path | None]:
    """Where results and journal go; ``None`` for standard output and for no journal."""
    source, given = options.input, options.output
    if source.is_dir():
        raise CommandError(f"{source} is a folder; name a file with one prompt a line")
    if given is None:
        if source == STANDARD:
            raise CommandError(
                "reading standard input: name the results file with -o (or -o - for standard output)"
            )
        given = _default_output(source)
    streamed = given == STANDARD or not is_regular(given)
    if not streamed:
        require_writable(given)
        if source != STANDARD and source.exists() and given.exists() and source.samefile(given):
            raise CommandError(f"{given} is the input; choose another file for the results with -o")
    if compression_of(given) == ".zst":
        raise CommandError(f"{given}: results are not written as zst; use .gz")
    if streamed and written_at_end(given, ordered=False):
        raise CommandError(f"{given} is not a file; results in this form need one")
    if run_form(given) is ResultForm.PARQUET and find_spec("pyarrow") is None:
        raise CommandError(f"{given}: Parquet needs pyarrow: pip install 'headway[parquet]'")
    journal = options.journal or (None if streamed else _default_journal(given))
    if journal is not None:
        require_writable(journal)
        if journal.resolve() in {given.resolve(), source.resolve()}:
            raise CommandError(f"--journal {journal} is the input or the output; name another file")
    elif options.retry_failed or options.fresh:
        raise CommandError("--retry-failed and --fresh need a journal; with -o - name one with --journal")
    return (None if given == STANDARD else given), journal
