"""The pages that are made from the tables: docs/errors.md and docs/concepts/preflight.md. Tests compare them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from headway.cli.handbook import Entry, handbook
from headway.core.stop_reason import STOP_REASONS
from headway.preflight.policy import RepairPolicy
from headway.preflight.rules import all_rules

_MADE: Final = "<!-- Made from the tables by `python tests/cli/test_handbook_pages.py`; do not edit. -->"
_ERRORS: Final = """\
# Errors

Every way in which a request can fail, what it means, what headway does about it, and what is left for you. The same
on the command line: `headway errors 529`, `headway errors overloaded_error`, or with a pasted message.

What is not listed is treated as its `error_code`, then its `error.type`, then its status, then the class of that
status: it never crashes. Waits and bounds are those of the default `RetryPolicy`; the deadline of a job bounds
everything. *Resumable* means that the job itself is good: a journal keeps it queued, and the same command or
`submit` takes it up again."""
_PREFLIGHT: Final = """\
# Preflight and repair

Before a request is paid for, rules look it over. They know their models (context window, largest output, accepted
parameters, retirement date) and answer with findings: where, what is wrong, and what to do. An *error* is what the
API would refuse; a *warning* works today, but wastes money or stops working soon. No finding quotes a prompt.

`RepairPolicy` says what to do about them, for all rules or one by one:

| Mode | |
|---|---|
| `off` | do not look |
| `report` | the default: say it, and send the request as it is |
| `strict` | fail before sending |
| `repair` | mend it and say what was changed; what cannot be mended fails before sending |

```python
RepairPolicy("strict")  # every rule
RepairPolicy(rules={"max_tokens": "repair", "context": "repair"})  # these two; the others report
```

Nothing is repaired unless you ask for it, and never silently: outcome, journal and output line tell every change with
the old and the new value. A rule may also be asked after a refusal by the API: then the mended request is sent
again, at most ATTEMPTS times a job.

On the command line: `headway check FILE` looks over a whole file and sends nothing; `headway run` looks over the
first lines before it sends anything, `--strict` stops there, `--repair RULE` mends ([command line](../cli.md)).

## The rules
"""


def errors_page() -> str:
    """docs/errors.md."""
    lines = [_MADE, _ERRORS, "", *_overview(), ""]
    for entry in handbook():
        lines += [*_section(entry), ""]
    lines += [*_stop_reasons()]
    return "\n".join(lines) + "\n"


def preflight_page() -> str:
    """docs/concepts/preflight.md."""
    intro = _PREFLIGHT.replace("ATTEMPTS", str(RepairPolicy().attempts))
    lines = [_MADE, intro]
    lines += ["| Rule | What it looks for | What `repair` does | Asked after |", "|---|---|---|---|"]
    for rule in all_rules():
        after = ", ".join(_link(kind.value) for kind in sorted(rule.after))
        lines.append(
            f"| `{rule.name}` | {_cell(rule.meaning)} | {_cell(rule.repairs) or '—'} | {after or '—'} |"
        )
    return "\n".join(lines) + "\n"


def _overview() -> Iterator[str]:
    yield "| Kind | Status | Type | Meaning |"
    yield "|---|---|---|---|"
    for entry in handbook():
        row = entry.row
        statuses = ", ".join(map(str, entry.statuses))
        types = ", ".join(f"`{name}`" for name in row.types or row.within)
        yield f"| [{entry.name}](#{entry.name}) | {statuses} | {types} | {_cell(row.meaning)} |"


def _section(entry: Entry) -> Iterator[str]:
    row = entry.row
    yield f"## {entry.name}"
    yield ""
    yield row.meaning
    yield ""
    yield f"- **headway:** {entry.conduct}"
    if entry.rules:
        rules = ", ".join(f"[`{name}`](concepts/preflight.md)" for name in entry.rules)
        yield f"- **Repair, if asked to:** {rules}; then it is sent again."
    yield f"- **You:** {row.remedy}"
    yield f"- **Raises:** `{entry.exception}`{', resumable' if row.resumable else ''}"
    if row.statuses or row.types:
        yield "- **Seen as:** " + ", ".join([*(f"HTTP {s}" for s in row.statuses), *_code(row.types)])
    if row.also:
        yield f"- **Elsewhere called:** {', '.join(_code(row.also))}"
    if row.patterns:
        within = " or ".join(_code(row.within))
        yield f"- **Told by the message** of {within}: " + ", ".join(f"“…{text}…”" for text in row.patterns)
    if entry.codes:
        yield ""
        yield "| `error_code` | Status | |"
        yield "|---|---|---|"
        for code in entry.codes:
            yield f"| `{code.name}` | {code.status} | {_cell(code.meaning)} |"


def _stop_reasons() -> Iterator[str]:
    yield "## Answers that stopped early"
    yield ""
    yield "A `stop_reason` is no error: the job succeeded, the message is there, and it was billed."
    yield ""
    yield "| `stop_reason` | Meaning | You |"
    yield "|---|---|---|"
    for reason in STOP_REASONS:
        yield f"| `{reason.name}` | {_cell(reason.meaning)} | {_cell(reason.remedy) or '—'} |"


def _code(names: tuple[str, ...]) -> list[str]:
    return [f"`{name}`" for name in names]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _link(kind: str) -> str:
    return f"[{kind}](../errors.md#{kind})"
