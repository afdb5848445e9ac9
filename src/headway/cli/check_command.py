"""``headway check``: preflight over a whole input, line by line; no message is sent."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from headway.cli import figures
from headway.cli.doctor_local import DEFAULT_URL
from headway.cli.exit_status import CommandError, ExitStatus
from headway.cli.findings_tally import LINE_RULE, FindingsTally
from headway.cli.head_look import group_line, today
from headway.cli.input_source import InputOptions, open_input
from headway.cli.line_fault import BadLine
from headway.cli.model_catalog import refreshed, remembered
from headway.cli.newest_model import resolved_model
from headway.cli.prompt_input import PromptInput
from headway.preflight.finding import Finding

SHOWN: Final = 20
"""Findings that are shown line by line unless all are wanted."""
GROUPS: Final = 20
"""Kinds of finding in the summary."""
TOLD_EVERY: Final = 100_000
"""Requests after which a terminal is told how far it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions(InputOptions):
    """The options of ``headway check`` as they were given."""

    everything: bool = False
    """Show every finding."""
    as_json: bool = False
    offline: bool = False
    """Ask nobody, not even the Models API."""


def run_check(options: CheckOptions) -> ExitStatus:
    """Check the file and say what is wrong. Raises `CommandError` when it cannot be read."""
    base_url = os.environ.get("ANTHROPIC_BASE_URL") or DEFAULT_URL
    catalog = remembered() if options.offline else refreshed()
    options = replace(options, model=resolved_model(options.model, base_url, _note))
    source, _ = open_input(options, lambda text: _note(f"warning: {text}"))
    tally = FindingsTally(today(), catalog=catalog)
    try:
        _look_over(source, tally, options)
    finally:
        source.close()
    if not tally.checked:
        raise CommandError(f"{source.name} is empty: one JSON object per line is expected")
    with contextlib.suppress(BrokenPipeError):
        _tell(tally, source.name, as_json=options.as_json)
    return ExitStatus.SOME_FAILED if tally.refused else ExitStatus.DONE


def _note(text: str) -> None:
    print(text, file=sys.stderr)


def _look_over(source: PromptInput, tally: FindingsTally, options: CheckOptions) -> None:
    shown = 0
    for record in source.records():
        item, number = record.item, record.number
        findings: Sequence[Finding]
        if isinstance(item, BadLine):
            key, findings = item.key, (tally.add_bad_line(item.problem, number),)
        else:
            key, findings = item.custom_id, tally.look(item, number)
        for finding in findings:
            if options.as_json:
                _print_json(finding, number, key)
            elif options.everything or shown < SHOWN:
                print(_line(finding, source.name, number))
            shown += 1
        if tally.checked % TOLD_EVERY == 0 and sys.stderr.isatty():
            print(f"{figures.count(tally.checked)} requests looked over …", file=sys.stderr)
    if shown > SHOWN and not (options.everything or options.as_json):
        print(f"… and {figures.count(shown - SHOWN)} more findings (--all shows them)")


def _line(finding: Finding, name: str, number: int) -> str:
    if finding.rule == LINE_RULE:
        return f"{name}:{number}: error: {finding.problem}"
    return f"{name}:{number}: {finding.severity.value} [{finding.rule}] {finding}"


def _print_json(finding: Finding, number: int, key: str | None) -> None:
    value = {
        "line": number,
        "custom_id": key,
        "severity": finding.severity.value,
        "rule": finding.rule,
        "path": finding.path,
        "problem": finding.problem,
        "remedy": finding.remedy,
        "tool": finding.tool,
    }
    print(json.dumps(value, ensure_ascii=False))


def _tell(tally: FindingsTally, name: str, *, as_json: bool) -> None:
    fine = tally.checked - tally.refused - tally.warned
    if as_json:
        counts = {"checked": tally.checked, "errors": tally.refused, "warnings": tally.warned, "fine": fine}
        print(json.dumps({"summary": counts}))
        return
    groups = list(tally.by_weight())
    if sum(group.count for group in groups) > len(groups):  # else each was shown above
        print()
        for group in groups[:GROUPS]:
            print(f"  {group_line(group, name)}")
        if len(groups) > GROUPS:
            print(f"  … and {figures.plural(len(groups) - GROUPS, 'other kind')} of finding")
    of = figures.plural(tally.checked, "request")
    print(
        f"{of} checked: {figures.count(tally.refused)} would be refused, "
        f"{figures.count(tally.warned)} with warnings only, {figures.count(fine)} fine. Nothing was sent."
    )
    rules = sorted({group.mends for group in groups if group.mends is not None})
    if rules:
        print(f"With --repair {','.join(rules)} headway run mends what these rules can.")
