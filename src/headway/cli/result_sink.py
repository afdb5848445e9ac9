"""Where results go while a run goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import anyio
from anyio import to_thread

from headway.cli.exit_status import CommandError
from headway.cli.journal_results import RankedJournal, append_endings, reconcile
from headway.cli.output_file import OutputFile, is_regular
from headway.core.outcome import Ending
from headway.errors import JournalError
from headway.runtime.bell import Bell

INTERVAL: Final = 0.2
"""Seconds between writes."""
MOST_HELD: Final = 8_000_000
"""Characters of results that wait for whoever reads them: a slow reader slows the run, and does not fill memory."""


class Sink(Protocol):
    """Where the results of a run go."""

    fault: str | None
    """Why results can no longer be written."""

    async def open(self) -> None:
        """Make ready. Raises `OSError`."""
        ...

    def take(self, ending: Ending, *, restored: bool) -> None:
        """An outcome came."""
        ...

    async def room(self) -> None:
        """Wait while too much is waiting to be written."""
        ...

    async def run(self, on_fault: Callable[[], None]) -> None:
        """Work until cancelled."""
        ...

    async def close(self) -> None:
        """Write what is left; a failure is kept in ``fault``."""
        ...


class ResultSink:
    """Writes results as they end: from the journal, once committed there, or as they come when there is none."""

    def __init__(self, path: Path | None, journal: RankedJournal | None, *, drop_failed: bool) -> None:
        self._path = path
        self._file = path if path is not None and is_regular(path) else None
        """Where results can be found again: not a pipe, a terminal or ``/dev/null``."""
        self._journal = journal
        self._drop_failed = drop_failed
        self._output: OutputFile | None = None
        self._last = 0
        self._lines: list[str] = []
        self._held = 0
        """Characters of those, and of those that are being written."""
        self._written = Bell()
        self.fault: str | None = None
        """Why results can no longer be written."""

    async def open(self) -> None:
        """Bring the output in line with the journal and open it for more."""
        if self._journal is not None and self._file is not None:
            self._last = await reconcile(self._journal, self._file, drop_failed=self._drop_failed)
        self._output = OutputFile(self._path)
        if self._journal is not None and self._file is None:
            self._last = await append_endings(
                self._journal, self._output, after=0, drop_failed=self._drop_failed
            )

    def take(self, ending: Ending, *, restored: bool) -> None:
        """An outcome came; a journal brings it again by itself."""
        if self._journal is None and not (restored or ending.resumable):
            self._lines.append(ending.line())
            self._held += len(self._lines[-1])

    async def room(self) -> None:
        """Wait while `MOST_HELD` or more waits to be written."""
        while self._held >= MOST_HELD and self.fault is None:
            await self._written.wait()

    async def run(self, on_fault: Callable[[], None]) -> None:
        """Write every now and then until cancelled."""
        while self.fault is None:
            await anyio.sleep(INTERVAL)
            with anyio.CancelScope(shield=True):  # a block that was begun is finished and counted
                await self.write()
        on_fault()

    async def write(self) -> None:
        """Write everything there is; a failure is kept in ``fault``."""
        assert self._output is not None
        if self.fault is not None:
            return
        try:
            if self._journal is not None:
                self._last = await append_endings(self._journal, self._output, after=self._last)
            else:
                lines, self._lines = self._lines, []
                await to_thread.run_sync(self._output.write, lines)
                self._held -= sum(map(len, lines))
                self._written.ring()
        except (OSError, JournalError) as error:
            self._fail(error)

    async def close(self) -> None:
        """Write the rest and close; failed jobs that were not reached again get their lines back."""
        await self.write()
        assert self._output is not None
        try:
            self._output.close()
            if self._journal is not None and self._file is not None and self._drop_failed and not self.fault:
                await reconcile(self._journal, self._file)
        except (OSError, JournalError) as error:
            self._fail(error)

    def _fail(self, error: OSError | JournalError) -> None:
        name = "standard output" if self._path is None else str(self._path)
        reason = getattr(error, "strerror", None) or error
        self.fault = self.fault or f"results cannot be written to {name}: {reason}"
        self._written.ring()


async def open_sink(sink: Sink) -> None:
    """Make it ready. Raises `CommandError` when results cannot be written there."""
    try:
        await sink.open()
    except OSError as error:
        raise CommandError(f"results cannot be written: {error.filename}: {error.strerror}") from None
