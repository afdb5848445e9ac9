"""What a journal of an earlier run tells before the next: which jobs are finished, and how long answers are."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Final

from headway.cli.exit_status import CommandError, ExitStatus
from headway.core.id_set import IdSet
from headway.core.job import JobState
from headway.errors import JournalError

LOOKED_AT: Final = 2_000
"""Answers whose length is looked at."""


class EarlierAnswers:
    """Read once, without the journal's lock: another process may be at work."""

    def __init__(
        self, path: Path | None, *, retry_failed: bool = False, content: Callable[[str], object] | None = None
    ) -> None:
        """``retry_failed``: what failed is not finished. ``content`` is told the hash of what was answered."""
        self._retry_failed = retry_failed
        self._content = content
        self._finished = IdSet()
        self.answers = 0
        """Answers whose length is known."""
        self._tokens = 0
        if path is not None and path.exists():
            self._read(path)

    def _read(self, path: Path) -> None:
        from headway.adapters.sqlite.viewer import JournalView

        try:
            view = JournalView(path)
            try:
                for key, digest in view.ended(failed=not self._retry_failed):
                    self._finished.add(key)
                    if digest is not None and self._content is not None:
                        self._content(digest.hex())
                for ending in islice(view.endings(), LOOKED_AT):
                    if ending.state is JobState.SUCCEEDED:
                        self.answers += 1
                        self._tokens += ending.usage.output
            finally:
                view.close()
        except JournalError as error:
            raise CommandError(str(error), ExitStatus.STOPPED) from None

    def has(self, key: str) -> bool:
        """Whether a job is finished. To be asked once for each key."""
        return bool(len(self._finished)) and not self._finished.add(key)

    @property
    def mean_output(self) -> float | None:
        """Tokens of a mean answer; ``None``: there is none."""
        return self._tokens / self.answers if self.answers else None
