"""``headway results``: what is in a journal, filtered and in the form that is wanted; also while a run goes on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headway.adapters.sqlite.viewer import JournalView
from headway.cli import figures
from headway.cli.exit_status import CommandError, ExitStatus
from headway.cli.input_source import STANDARD
from headway.cli.journal_file import journal_of
from headway.cli.output_file import require_writable
from headway.cli.result_writer import ResultForm, form_of, write_results
from headway.core.error_kind import ErrorKind
from headway.core.job import FINAL, JobState
from headway.core.nearest import nearest_names
from headway.core.outcome import Ending
from headway.errors import JournalError

UNDONE: Final = frozenset({JobState.FAILED, JobState.EXPIRED, JobState.CANCELLED})
STATES: Final = tuple(state.value for state in JobState if state in FINAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsOptions:
    """The options of ``headway results`` as they were given."""

    journal: Path
    output: Path | None = None
    states: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    failed: bool = False
    """What ``--retry-failed`` would try again."""
    tags: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    ids: Path | None = None
    form: ResultForm | None = None
    ordered: bool = False
    quiet: bool = False


def results(options: ResultsOptions) -> ExitStatus:
    """Write them and say how many. Raises `CommandError` when it cannot."""
    states = {JobState(_known(name, STATES, "--state")) for name in options.states}
    states |= UNDONE if options.failed else set()
    kinds = {_known(name, tuple(ErrorKind), "--kind") for name in options.kinds}
    output = None if options.output in {None, STANDARD} else options.output
    path = journal_of(options.journal)
    if output is not None:
        require_writable(output)
        if output.resolve() == path.resolve():
            raise CommandError(f"-o {output} is the journal itself; name another file")
    try:
        view = JournalView(path)
        try:
            found = _chosen(view, options, states, kinds)
            form = options.form or form_of(output)
            count = write_results(found, output, form)
            if not options.quiet:
                _tell(view.counts(), count, output, options)
        finally:
            view.close()
    except BrokenPipeError:
        return ExitStatus.DONE  # whoever read has seen enough
    except (JournalError, OSError) as error:
        raise CommandError(str(error)) from None
    return ExitStatus.DONE


def _chosen(
    view: JournalView, options: ResultsOptions, states: set[JobState], kinds: set[str]
) -> Iterator[Ending]:
    """The endings that were asked for: by id in the order of the ids."""
    if options.ids is not None:
        endings = _by_id(view, options.ids)
    else:
        # The database passes over what is not wanted: a million answers are not read for three failures.
        among = states or (FINAL - {JobState.SUCCEEDED} if kinds else ())
        endings = view.endings_by_input(among) if options.ordered else view.endings(among)
    for ending in endings:
        kind = ending.failure.kind.value if ending.failure else None
        asked = (
            (states, ending.state),
            (kinds, kind),
            (options.tags, ending.tag),
            (options.tenants, ending.tenant),
        )
        if all(not wanted or value in wanted for wanted, value in asked):
            yield ending


def _by_id(view: JournalView, path: Path) -> Iterator[Ending]:
    """Ids that have no result are named on standard error."""
    try:
        file = sys.stdin if path == STANDARD else path.open(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"--ids {path} cannot be read: {error.strerror}") from None
    missing: list[str] = []
    count = 0
    with file:
        for line in file:
            if not (key := line.rstrip("\r\n")):
                continue
            ending = view.ending(key)
            if ending is not None:
                yield ending
                continue
            count += 1
            missing += [key[:80]] if count <= 10 else []
    if count:
        more = f" and {count - len(missing)} more" if count > len(missing) else ""
        print(f"headway: no result for {', '.join(missing)}{more}", file=sys.stderr)


def _known(name: str, names: tuple[str, ...], option: str) -> str:
    if name in names:
        return name
    close = nearest_names(name, names, 1)
    meant = f"; did you mean {close[0]}?" if close else ";"
    raise CommandError(f"{option}: there is no {name!r}{meant} There are: {', '.join(sorted(names))}")


def _tell(counts: dict[JobState, int], count: int, output: Path | None, options: ResultsOptions) -> None:
    ended = [(state, counts[state]) for state in JobState if state in FINAL]
    parts = [f"{figures.count(number)} {state.value}" for state, number in ended if number]
    left = sum(number for state, number in counts.items() if state not in FINAL)
    parts += [f"{figures.count(left)} not finished"] if left else []
    where = "" if output is None else f" to {output}"
    there = ", ".join(parts) or "nothing"
    print(f"{figures.plural(count, 'result')}{where}; in the journal: {there}", file=sys.stderr)
    if any(counts[state] for state in (JobState.FAILED, JobState.EXPIRED)) and not options.ids:
        print(
            "headway results JOURNAL --failed shows them, the headway run command with --retry-failed tries again.",
            file=sys.stderr,
        )
