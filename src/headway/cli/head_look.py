"""Preflight over the head of a run's input: what would be refused is said before anything is paid for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from headway.cli import figures
from headway.cli.exit_status import CommandError
from headway.cli.findings_tally import LINE_RULE, FindingsTally, Group
from headway.cli.line_fault import BadLine
from headway.cli.prompt_input import CHECKED, HeadCheck, Numbered
from headway.cli.prompt_input import SHOWN as LISTED
from headway.core.catalog import Catalog
from headway.core.request import Request
from headway.preflight.check import check
from headway.preflight.finding import Finding, Severity
from headway.preflight.policy import Mode, RepairPolicy
from headway.preflight.repair import repair
from headway.preflight.rule import UnrepairableError

SHOWN: Final = 5
"""Groups of findings that are shown; ``headway check`` shows the others."""


def today() -> str:
    """The ISO date (UTC): whether a model is retired depends on it."""
    return datetime.now(UTC).date().isoformat()


class HeadLook:
    """Looks over requests as the policy of the run will treat them."""

    def __init__(self, policy: RepairPolicy, date: str, catalog: Catalog) -> None:
        self._policy = policy
        self.tally = FindingsTally(date, policy, catalog)
        self._stopping = 0
        self._mended = 0
        self._beyond_repair = 0

    def see(self, record: Numbered) -> None:
        """Check one record."""
        item = record.item
        if isinstance(item, BadLine):
            return
        findings = self.tally.look(item, record.number)
        errors = [finding for finding in findings if finding.severity is Severity.ERROR]
        modes = {self._policy.mode(finding.rule) for finding in errors}
        if Mode.STRICT in modes:
            self._stopping += 1
        elif Mode.REPAIR in modes:
            if self._mends(item, errors):
                self._mended += 1
            else:
                self._beyond_repair += 1

    def tell(self, name: str, note: Callable[[str], None], *, whole: bool) -> None:
        """Say what was found in the input ``name``. Raises `CommandError` when a strict rule stops the run."""
        tally = self.tally
        if self._stopping:
            found = "\n".join([self._headline(whole=whole), *self._groups(name)])
            raise CommandError(f"{found}\nNothing was sent.")
        if self._mended:
            note(
                f"{figures.plural(self._mended, 'request')} will be mended before being sent, as --repair says"
            )
        if self._beyond_repair:
            beyond = figures.plural(self._beyond_repair, "request")
            note(f"warning: {beyond} cannot be mended and will fail without being sent")
        sent = tally.refused - self._mended - self._beyond_repair
        if sent or tally.warned or self._beyond_repair:
            for line in (f"warning: {self._headline(whole=whole)}", *self._groups(name)):
                note(line)

    def _mends(self, request: Request, errors: Sequence[Finding]) -> bool:
        """What needs a tool is left to the run, which has it or says what is missing."""
        try:
            mended = repair(request.params, self.tally.facts_of(request), self._policy)
        except UnrepairableError:
            return False
        left = check(mended.body, self.tally.facts_of(request), self._policy)
        return all(finding.tool or finding.severity is not Severity.ERROR for finding in left)

    def _headline(self, *, whole: bool) -> str:
        tally = self.tally
        of = f"{'' if whole else 'the first '}{figures.count(tally.checked)} requests"
        parts: list[str] = []
        if tally.refused:
            parts.append(f"{figures.count(tally.refused)} of {of} would be refused by the API as they are")
        if tally.warned:
            where = f" of {of}" if not parts else ""
            deserve = "deserves a look" if tally.warned == 1 else "deserve a look"
            parts.append(f"{figures.count(tally.warned)}{where} {deserve}")
        return "; ".join(parts) + ":"

    def _groups(self, name: str) -> Iterator[str]:
        groups = list(self.tally.by_weight())
        for group in groups[:SHOWN]:
            yield f"  {group_line(group, name)}"
        rest = len(groups) - SHOWN
        more = f"{figures.plural(rest, 'other kind')} of finding; " if rest > 0 else ""
        yield f"  {more}headway check {name} shows each line, headway errors RULE explains"


def group_line(group: Group, name: str) -> str:
    """One line for many findings of a kind."""
    hint = "" if group.mends is None else f" (--repair {group.mends} mends it)"
    first = "at" if group.count == 1 else "first at"
    if group.example.rule == LINE_RULE:
        return f"{figures.plural(group.count, 'line')} {first} {name}:{group.number}: {group.example.problem}"
    requests = figures.plural(group.count, "request")
    return f"{requests} [{group.example.rule}], {first} {name}:{group.number}: {group.example}{hint}"


def tell_problems(check: HeadCheck, name: str, warn: Callable[[str], None], *, bear: bool) -> None:
    """Say which lines are no requests. Raises `CommandError`, unless it is to ``bear`` them: what goes into a batch
    goes without them."""
    if not check.count:
        raise CommandError(f"{name} is empty: one JSON object per line is expected")
    if not check.faults:
        return
    more = check.faults - len(check.problems)
    checked = "" if check.whole else f" in the first {CHECKED:,} lines"
    tail = [f"… and {more:,} more{checked} (the first {LISTED} are shown)"] if more else []
    if not bear or check.faults == check.count:
        raise CommandError("\n".join([*check.problems, *tail, "Nothing was sent."]))
    failing = f"{figures.plural(check.faults, 'line')} will fail without being sent; the rest goes"
    for text in (*check.problems, *tail, failing):
        warn(text)
