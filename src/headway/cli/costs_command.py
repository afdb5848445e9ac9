"""``headway costs``: what the jobs of a journal have cost, by tag, tenant, model or lane; over all its runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

from headway.adapters.sqlite.viewer import JournalView
from headway.cli import figures
from headway.cli.exit_status import CommandError, ExitStatus
from headway.cli.journal_file import journal_of
from headway.core.cost_sheet import CostLine, CostSheet
from headway.core.flat_result import message_of
from headway.core.outcome import Ending
from headway.core.usage import NO_USAGE
from headway.errors import JournalError

NONE: Final = "(none)"
TOTAL: Final = "total"
HEAD: Final = ("answers", "input", "from cache", "output", "USD")


class By(StrEnum):
    """What costs are told apart by."""

    TAG = "tag"
    TENANT = "tenant"
    MODEL = "model"
    LANE = "lane"


def _model(ending: Ending) -> str:
    message = message_of(ending)
    return str(message.get("model", "")) if message else ""


NAME_OF: Final[Mapping[By, Callable[[Ending], str]]] = {
    By.TAG: lambda ending: ending.tag,
    By.TENANT: lambda ending: ending.tenant,
    By.MODEL: _model,
    By.LANE: lambda ending: ending.lane.value,
}


def costs(journal: Path, by_what: str, *, in_json: bool) -> ExitStatus:
    """Add them up and show them, the dearest first. Raises `CommandError`."""
    if by_what not in set(By):
        raise CommandError(f"--by {by_what}: there are {', '.join(By)}")
    by = By(by_what)
    try:
        view = JournalView(journal_of(journal))
        try:
            lines, total = _added_up(view.endings(), NAME_OF[by])
        finally:
            view.close()
    except (JournalError, OSError) as error:
        raise CommandError(str(error)) from None
    order = sorted(lines.items(), key=lambda item: (-item[1].usd, item[0]))
    if in_json:
        for name, line in order:
            print(json.dumps({by.value: name, **_facts(line)}))
        return ExitStatus.DONE
    for row in _table(by, [(name or NONE, line) for name, line in order], total):
        print(row)
    return ExitStatus.DONE


def _added_up(
    endings: Iterator[Ending], name_of: Callable[[Ending], str]
) -> tuple[dict[str, CostLine], CostLine]:
    """By name, and all together."""
    sheet, total = CostSheet(), CostSheet()
    for ending in endings:
        for kept, name in ((sheet, name_of(ending)), (total, TOTAL)):
            if ending.body is not None or ending.usage != NO_USAGE:
                kept.answer(name, ending.usage, ending.cost)
            kept.unanswered(name, ending.maybe_billed)
    return sheet.lines(), total.lines().get(TOTAL, CostLine())


def _table(by: By, lines: Sequence[tuple[str, CostLine]], total: CostLine) -> Iterator[str]:
    cells = [(f"by {by.value}", *HEAD), *(_cells(name, line) for name, line in [*lines, (TOTAL, total)])]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for first, *rest in cells:
        yield "  ".join([
            first.ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)),
        ])  # fmt: skip
    if total.unpriced:
        yield f"not in it: {figures.plural(total.unpriced, 'answer')} of models whose price is not known"
    if total.maybe_billed:
        yield f"not in it: {figures.plural(total.maybe_billed, 'request')} that may be billed without an answer"


def _facts(line: CostLine) -> dict[str, object]:
    usage = line.usage
    return {
        "usd": round(line.usd, 9),
        "answers": line.answers,
        "input_tokens": usage.input,
        "cache_read_tokens": usage.cache_read,
        "cache_write_tokens": usage.cache_write + usage.cache_write_1h,
        "output_tokens": usage.output,
        "unpriced": line.unpriced,
        "maybe_billed": line.maybe_billed,
    }


def _cells(name: str, line: CostLine) -> tuple[str, ...]:
    usage = line.usage
    return (
        name,
        figures.count(line.answers),
        figures.count(usage.true_input),
        figures.count(usage.cache_read),
        figures.count(usage.output),
        figures.usd(line.usd),
    )
