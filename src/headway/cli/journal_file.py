"""The journal of a run: where it is, and starting over."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from anyio import to_thread

from headway.cli.exit_status import CommandError
from headway.errors import JournalDamagedError, JournalError, JournalLockedError

if TYPE_CHECKING:
    from headway.adapters.sqlite import SQLiteJournal

COMPANIONS: Final = ("", "-wal", "-shm", "-journal")
"""Files of one SQLite database."""


async def open_journal(path: Path) -> SQLiteJournal:
    """Open or create the journal. Raises `CommandError` with what to do."""
    from headway.adapters.sqlite import SQLiteJournal

    journal = SQLiteJournal(path)
    try:
        await journal.open()
    except JournalLockedError as error:
        raise CommandError(
            f"{error}\nTwo runs cannot share a journal: wait for the other, or use another -o."
        ) from None
    except JournalDamagedError as error:
        raise CommandError(f"{error}\nKeep a copy of it if it matters; --fresh starts over.") from None
    except (JournalError, OSError) as error:
        raise CommandError(f"the journal {path} cannot be opened: {error}") from None
    return journal


async def start_over(journal_path: Path, output_path: Path | None) -> None:
    """Delete journal and results, unless another process uses them."""
    if await to_thread.run_sync(journal_path.exists):
        try:
            journal = await open_journal(journal_path)
            await journal.aclose()
        except CommandError as error:
            if isinstance(error.__context__, JournalLockedError):
                raise
    await to_thread.run_sync(_delete, journal_path, output_path)


def _delete(journal_path: Path, output_path: Path | None) -> None:
    for suffix in COMPANIONS:
        journal_path.with_name(journal_path.name + suffix).unlink(missing_ok=True)
    if output_path is not None:
        output_path.unlink(missing_ok=True)
