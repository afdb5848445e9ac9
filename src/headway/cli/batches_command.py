"""``headway batches``: the message batches of the account, whoever made them."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from headway.cli import figures
from headway.cli.batch_calls import account_batches, all_lines, patiently
from headway.cli.batch_knowledge import Known, known_to
from headway.cli.batch_table import as_json, rows, standing
from headway.cli.exit_status import CommandError, ExitStatus
from headway.cli.input_source import STANDARD
from headway.cli.output_file import require_writable
from headway.cli.whole_file import whole_file
from headway.core.batch_info import BatchInfo


@dataclass(frozen=True, slots=True)
class ListOptions:
    """The options of ``headway batches list`` as they were given."""

    most: int = 20
    """Batches to show; 0: all."""
    running: bool = False
    """Only those that have not ended."""
    as_json: bool = False
    journal: Path | None = None
    """Tell what this journal knows of them."""


def list_batches(options: ListOptions) -> ExitStatus:
    """Show the batches of the account, newest first."""
    known = Known() if options.journal is None else known_to(options.journal)
    infos = asyncio.run(_listed(options))
    if options.as_json:
        for info in infos:
            print(json.dumps(as_json(info) | known.as_json(info.id)))
        return ExitStatus.DONE
    for info, line in zip(infos, rows(infos, time.time()), strict=True):
        print(line + known.text(info.id))
    if not infos:
        print("no batches" if not options.running else "no batches that have not ended")
    return ExitStatus.DONE


async def _listed(options: ListOptions) -> list[BatchInfo]:
    async with account_batches(_warn) as batches:

        async def collect() -> list[BatchInfo]:
            found: list[BatchInfo] = []
            async with aclosing(batches.list_batches()) as infos:
                async for info in infos:
                    if options.running and info.status == "ended":
                        continue
                    found.append(info)
                    if len(found) == options.most:
                        break
            return found

        return await patiently(collect)


def cancel_batches(ids: Sequence[str], *, in_json: bool = False) -> ExitStatus:
    """Begin to cancel them; status 1 when one could not be."""
    _require_named(ids)
    return asyncio.run(_cancel(ids, in_json=in_json))


async def _cancel(ids: Sequence[str], *, in_json: bool) -> ExitStatus:
    status = ExitStatus.DONE
    async with account_batches(_warn) as batches:
        for batch_id in ids:
            try:
                info = await patiently(lambda name=batch_id: batches.cancel_batch(name))
            except CommandError as error:
                status = max(status, error.status)
                print(f"headway: {error}", file=sys.stderr)
                continue
            if in_json:
                print(json.dumps(as_json(info)))
                continue
            print(f"{info.id}  {info.status}  {standing(info, time.time())}")
    if status is ExitStatus.DONE and not in_json:
        print("What was done before stays done, and is billed: headway batches results ID", file=sys.stderr)
    return status


@dataclass(frozen=True, slots=True)
class BatchResultsOptions:
    """The options of ``headway batches results`` as they were given."""

    batch_id: str
    output: Path | None = None
    quiet: bool = False


def batch_results(options: BatchResultsOptions) -> ExitStatus:
    """Write the results of one batch, line by line as the API gives them."""
    _require_named([options.batch_id])
    output = None if options.output in {None, STANDARD} else options.output
    if output is not None:
        require_writable(output)
    try:
        with whole_file(output) as file:
            counts = asyncio.run(_write(options.batch_id, file))
    except BrokenPipeError:
        return ExitStatus.DONE  # whoever read has seen enough
    except OSError as error:
        raise CommandError(f"{output or 'standard output'} cannot be written: {error.strerror}") from None
    if not options.quiet:
        where = f" to {output}" if output else ""
        named = ", ".join(f"{figures.count(number)} {name}" for name, number in sorted(counts.items()))
        print(
            f"{figures.plural(counts.total(), 'result')}{where}{f': {named}' if named else ''}",
            file=sys.stderr,
        )
    return ExitStatus.DONE


async def _write(batch_id: str, file: BinaryIO) -> Counter[str]:
    from headway.adapters.anthropic.batch_lines import result_of

    counts = Counter[str]()
    async with account_batches(_warn) as batches, aclosing(all_lines(batches, batch_id)) as lines:
        async for line in lines:
            file.write(line + b"\n")
            result = result_of(line)
            counts["unreadable" if result.raw is not None else result.type] += 1
    file.flush()
    return counts


def _require_named(ids: Sequence[str]) -> None:
    if not all(batch_id.strip() for batch_id in ids):
        raise CommandError("an ID is empty; headway batches list shows those there are")


def _warn(text: str) -> None:
    print(f"headway: warning: {text}", file=sys.stderr)
