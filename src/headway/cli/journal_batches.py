"""``headway batches resume`` and ``strays``: what a journal knows of message batches."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from headway.adapters.sqlite.viewer import JournalView
from headway.cli import figures
from headway.cli.compressed import compression_of
from headway.cli.cost_options import parse_max_cost, read_prices
from headway.cli.exit_status import CommandError, ExitStatus
from headway.cli.journal_file import journal_of
from headway.cli.output_file import require_writable
from headway.cli.progress import choose_progress
from headway.cli.resume_session import Collected, ResumePlan, ResumeSession
from headway.cli.summary import summary
from headway.errors import JournalError


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeOptions:
    """The options of ``headway batches resume`` as they were given."""

    journal: Path
    output: Path | None = None
    live: bool = True
    max_cost: str | None = None
    prices: Path | None = None
    quiet: bool = False
    progress: bool = True


def resume(options: ResumeOptions) -> ExitStatus:
    """Wait for the batches of a journal and take their results. Raises `CommandError` when it cannot begin."""
    journal, output = journal_of(options.journal), options.output
    if output is not None:
        require_writable(output)
        if compression_of(output) == ".zst":
            raise CommandError(f"{output}: results are not written as zst; use .gz")
        if output.resolve() == journal.resolve():
            raise CommandError(f"-o {output} is the journal itself; name another file")
    plan = ResumePlan(
        journal, output, options.live, parse_max_cost(options.max_cost), read_prices(options.prices)
    )
    progress = choose_progress(wanted=options.progress and not options.quiet)
    try:
        collected = asyncio.run(ResumeSession(plan, progress).execute())
    except JournalError as error:
        raise CommandError(str(error), ExitStatus.STOPPED) from None
    _tell(collected, options)
    return collected.report.exit_status


def _tell(collected: Collected, options: ResumeOptions) -> None:
    report = collected.report
    with contextlib.suppress(OSError):  # nobody reads it any more
        if not options.quiet:
            print(summary(report, _shown(options)), flush=True)
            if collected.elsewhere:
                jobs = figures.plural(collected.elsewhere, "unfinished job")
                verb = "is" if collected.elsewhere == 1 else "are"
                print(f"{jobs} of this journal {verb} in no batch: headway run sends them")
        if report.trouble is not None:
            print(f"headway: stopped early: {report.trouble}", file=sys.stderr, flush=True)


def _shown(options: ResumeOptions) -> str:
    words = ["headway", "batches", "resume", str(options.journal)]
    for name, value in (
        ("-o", options.output),
        ("--max-cost", options.max_cost),
        ("--prices", options.prices),
    ):
        words += [] if value is None else [name, str(value)]
    return shlex.join(words + ([] if options.live else ["--no-live"]))


def strays(journal: Path) -> ExitStatus:
    """Print the results that belong to no job, one JSON object a line. Raises `CommandError`."""
    view = JournalView(journal_of(journal))
    try:
        for stray in view.strays():
            print(
                json.dumps({"batch_id": stray.batch_id, "custom_id": stray.custom_id, "line": stray.result})
            )
    except JournalError as error:
        raise CommandError(str(error), ExitStatus.STOPPED) from None
    finally:
        view.close()
    return ExitStatus.DONE
