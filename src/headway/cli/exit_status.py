"""How a command ends."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """Exit status of ``headway``."""

    DONE = 0
    """Every job succeeded."""
    SOME_FAILED = 1
    """Some jobs failed; the others succeeded."""
    BAD_USAGE = 2
    """Bad options or input: nothing was sent."""
    STOPPED = 3
    """Stopped early, with work left: authentication, permission, billing, spend cap, results that cannot be
    written; or all of it was tried, and jobs of a model that cannot be used are left."""
    INTERRUPTED = 130
    """SIGINT, with work left."""
    TERMINATED = 143
    """SIGTERM, with work left."""


class CommandError(Exception):
    """A command cannot go on: its text is the one message the user reads."""

    def __init__(self, message: str, status: ExitStatus = ExitStatus.BAD_USAGE) -> None:
        super().__init__(message)
        self.status = status
