"""``headway errors``: the handbook on the screen."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator
from typing import Final

from headway.cli.error_lookup import Found, look_up, nearest
from headway.cli.exit_status import ExitStatus
from headway.cli.handbook import Entry, handbook, rule_json
from headway.core.stop_reason import STOP_REASONS
from headway.preflight.rule import Rule
from headway.preflight.rules import all_rules

LABEL: Final = 10
WIDTH: Final = 100
"""Columns at most."""
EXPLAINED: Final = 4
"""Codes whose meaning is shown with their kind; of more only the names."""


def errors(query: str | None, *, as_json: bool) -> ExitStatus:
    """Print the handbook, or what a query leads to; status 1 when that is nothing."""
    if not query:
        _print_json(_everything()) if as_json else _print_list()
        return ExitStatus.DONE
    found = look_up(query)
    if as_json:
        _print_json(_found_json(query, found))
    elif found:
        print("\n".join(_found_lines(query, found)))
    else:
        names = nearest(query)
        hint = f"Nearest: {', '.join(names)}." if names else "headway errors lists every kind."
        print(f"headway: nothing is known of {query!r}. {hint}", file=sys.stderr)
    return ExitStatus.DONE if found else ExitStatus.SOME_FAILED


def _everything() -> dict[str, object]:
    return {
        "kinds": [entry.to_json() for entry in handbook()],
        "rules": [rule_json(rule) for rule in all_rules()],
        "stop_reasons": [
            {"stop_reason": reason.name, "meaning": reason.meaning, "you": reason.remedy}
            for reason in STOP_REASONS
        ],
    }


def _found_json(query: str, found: Found) -> dict[str, object]:
    code = found.code
    return {
        "query": query,
        "kinds": [entry.to_json() for entry in found.entries],
        "error_code": code and {"name": code.name, "status": code.status, "meaning": code.meaning},
        "rules": [rule_json(rule) for rule in found.rules],
        "stop_reasons": [
            {"stop_reason": reason.name, "meaning": reason.meaning, "you": reason.remedy}
            for reason in found.stop_reasons
        ],
        "nearest": [] if found else nearest(query),
    }


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _print_list() -> None:
    kinds = [(entry.name, _seen_as(entry), entry.row.meaning) for entry in handbook()]
    rules = [(rule.name, "preflight", rule.meaning) for rule in all_rules()]
    if not sys.stdout.isatty():
        for row in (*kinds, *rules):
            print("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    for heading, rows in (("kind of failure", kinds), ("preflight rule", rules)):
        table = Table(heading, "seen as", "meaning", box=None, pad_edge=False)
        table.columns[0].no_wrap = True
        for row in rows:
            table.add_row(*map(Text, row))
        console.print(table)
        console.print()
    print("headway errors KIND, 529, overloaded_error, or any message: what it means and what to do.")


def _seen_as(entry: Entry) -> str:
    row = entry.row
    return ", ".join([*map(str, row.statuses), *row.types, *row.codes]) or "—"


def _found_lines(query: str, found: Found) -> Iterator[str]:
    first = next(iter(found.entries), None)
    if first is not None:
        if found.code is not None:
            yield from _row(found.code.name, f"(HTTP {found.code.status}) {found.code.meaning}")
            yield ""
        yield from _entry(first, codes=found.code is None)
    if others := found.entries[1:]:
        yield ""
        yield from _row("also", f"{query} may be:")
        for entry in others:
            yield f"  {entry.name}: {entry.row.meaning}"
    for rule in found.rules:
        if first is not None:
            yield ""
        yield from _rule(rule)
    for reason in found.stop_reasons:
        if first is not None or found.rules:
            yield ""
        yield f"stop reason {reason.name}"
        yield from _row("means", f"{reason.meaning} A success: the message is there, and it was billed.")
        yield from _row("you", reason.remedy)


def _entry(entry: Entry, *, codes: bool) -> Iterator[str]:
    row = entry.row
    yield entry.name
    yield from _row("means", row.meaning)
    yield from _row("headway", entry.conduct)
    if entry.rules:
        rules = ", ".join(entry.rules)
        yield from _row("repair", f"if asked to (RepairPolicy, --repair): {rules}; then it is sent again.")
    yield from _row("you", row.remedy)
    yield from _row("raises", f"{entry.exception}{' (resumable)' if row.resumable else ''}")
    yield from _row("status", ", ".join(map(str, entry.statuses)))
    yield from _row("type", ", ".join(row.types))
    yield from _row("message", ", ".join(f"“…{pattern}…”" for pattern in row.patterns))
    if not codes:
        return
    if len(entry.codes) > EXPLAINED:
        names = ", ".join(code.name for code in entry.codes)
        yield from _row("codes", f"{names}. headway errors CODE explains each.")
        return
    label = "codes"
    for code in entry.codes:
        yield from _row(label, f"{code.name} ({code.status}): {code.meaning}")
        label = ""


def _rule(rule: Rule) -> Iterator[str]:
    yield f"preflight rule {rule.name}"
    yield from _row("means", rule.meaning)
    yield from _row("repair", rule.repairs)


def _row(label: str, text: str) -> Iterator[str]:
    """``label   text``, wrapped under itself; nothing when there is no text."""
    if not text:
        return
    head = f"  {label:<{LABEL}}" if len(label) < LABEL else f"{label}  "
    yield from textwrap.wrap(
        text, WIDTH, initial_indent=head, subsequent_indent=" " * (LABEL + 2), break_on_hyphens=False
    )
