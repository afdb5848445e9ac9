"""What a journal knows of the batches of an account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from headway.adapters.sqlite.viewer import JournalView
from headway.cli import figures
from headway.cli.exit_status import CommandError
from headway.cli.journal_file import journal_of
from headway.errors import JournalError


@dataclass(frozen=True, slots=True)
class Known:
    """By the ids of batches. Without a journal: nothing."""

    waiting: Mapping[str, int] | None = None
    """Jobs that wait for a result."""
    strays: Mapping[str, int] = field(default_factory=dict[str, int])
    """Results that belong to no job."""

    def text(self, batch_id: str) -> str:
        """To be added to a line about a batch."""
        parts: list[str] = []
        if self.waiting and batch_id in self.waiting:
            jobs = self.waiting[batch_id]
            parts.append(f"{figures.plural(jobs, 'job')} {'waits' if jobs == 1 else 'wait'} for it")
        if batch_id in self.strays:
            parts.append(figures.plural(self.strays[batch_id], "stray result"))
        return "".join(f"; {part}" for part in parts)

    def as_json(self, batch_id: str) -> dict[str, int]:
        """To be added to the fields of a batch."""
        if self.waiting is None:
            return {}
        return {"jobs_waiting": self.waiting.get(batch_id, 0), "strays": self.strays.get(batch_id, 0)}


def known_to(journal: Path) -> Known:
    """What stands in a journal. Raises `CommandError`."""
    try:
        view = JournalView(journal_of(journal))
        try:
            return Known(view.waiting(), Counter(stray.batch_id for stray in view.strays()))
        finally:
            view.close()
    except JournalError as error:
        raise CommandError(str(error)) from None
