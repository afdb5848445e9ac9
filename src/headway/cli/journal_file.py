"""The journal of a run: where it is, and starting over."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from anyio import to_thread

from headway.cli.exit_status import CommandError
from headway.errors import JournalDamagedError, JournalError, JournalLockedError

if TYPE_CHECKING:
    from headway.adapters.sqlite import SQLiteJournal

SQLITE: Final = b"SQLite format 3\x00"
COMPANIONS: Final = ("", "-wal", "-shm", "-journal")
"""Files of one SQLite database."""


def journal_of(path: Path) -> Path:
    """The journal itself, or that of a results file. Raises `CommandError`."""
    beside = path.with_name(f"{path.name}.journal")
    try:
        with path.open("rb") as file:
            if file.read(len(SQLITE)) == SQLITE:
                return path
    except FileNotFoundError:
        if not beside.is_file():
            raise CommandError(
                f"{path} does not exist; headway run keeps a journal beside its results: OUT.journal"
            ) from None
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from None
    if beside.is_file():
        return beside
    raise CommandError(f"{path} is not a journal, and there is no {beside.name} beside it")


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
