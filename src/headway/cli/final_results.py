"""Results that can only be written when a run has ended: in the order of the input, compressed, or in columns.

They are made from the journal, so memory stays bounded, and an interrupted run loses nothing: the next one writes
the file again. While it runs, ``headway results`` shows what there is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
from anyio import to_thread

from headway.cli.compressed import compression_of
from headway.cli.exit_status import CommandError
from headway.cli.output_file import is_regular
from headway.cli.result_writer import ResultForm, form_of, write_results
from headway.core.outcome import Ending
from headway.errors import JournalError

if TYPE_CHECKING:
    from headway.adapters.sqlite import SQLiteJournal

META: Final = "cli.results"
"""Where the journal keeps which results were written last."""


def run_form(path: Path | None) -> ResultForm:
    """The form of a run's results: lines unless the name says table."""
    form = form_of(path)
    return ResultForm.JSONL if form is ResultForm.TEXT else form


def written_at_end(path: Path | None, *, ordered: bool) -> bool:
    """These results cannot be written as they come."""
    return ordered or compression_of(path) is not None or run_form(path) is not ResultForm.JSONL


class FinalResults:
    """Writes all results at once, from the journal, when the run closes it."""

    def __init__(self, path: Path | None, journal: SQLiteJournal, *, ordered: bool) -> None:
        self._path = path
        self._journal = journal
        self._ordered = ordered
        self.fault: str | None = None
        """Why results could not be written."""

    async def open(self) -> None:
        """Nothing is written yet."""

    def take(self, ending: Ending, *, restored: bool) -> None:
        """The journal has it."""

    async def room(self) -> None:
        """Nothing is held here."""

    async def run(self, on_fault: Callable[[], None]) -> None:
        """There is nothing to do meanwhile."""
        await anyio.sleep_forever()

    async def close(self) -> None:
        """Write them, unless they are there already."""
        try:
            marks = await to_thread.run_sync(self._write, await self._journal.get_meta(META))
            await self._journal.set_meta(META, marks)
        except (OSError, JournalError, CommandError) as error:
            name = "standard output" if self._path is None else str(self._path)
            self.fault = f"results cannot be written to {name}: {getattr(error, 'strerror', None) or error}"

    def _write(self, written: str | None) -> str:
        from headway.adapters.sqlite.viewer import JournalView

        view = JournalView(self._journal.path)
        try:
            last = view.last()
            if written and self._marks(last) == written:
                return written
            endings = view.endings_by_input() if self._ordered else view.endings()
            write_results(endings, self._path, run_form(self._path))
            return self._marks(last)
        finally:
            view.close()

    def _marks(self, last: int) -> str:
        """Changes whenever the journal's endings, the file or its order do."""
        if self._path is None or not is_regular(self._path) or not self._path.exists():
            return ""
        state = self._path.stat()
        return json.dumps([str(self._path.resolve()), self._ordered, last, state.st_size, state.st_mtime_ns])
