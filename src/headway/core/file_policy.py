"""How the Files API is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SHORTEST: Final = 3600
LONGEST: Final = 7_776_000
"""Bounds of ``expires_in_seconds`` (``anthropic`` 2.12, ``types/file_upload_params.py``)."""


@dataclass(frozen=True, slots=True)
class FilePolicy:
    """How long files live that headway uploads, and what is worth uploading.

    ``FilePolicy(delete_after_job=True)`` deletes a file when the last job that refers to it has ended; without it
    the file expires by itself. Equal contents are uploaded once and shared in both cases.
    """

    expires_in: int | None = 86_400
    """Seconds from upload to expiry, 3600 to 7,776,000; ``None``: kept until somebody deletes it. A job that waits
    longer than this before it is sent has its file uploaded again."""
    delete_after_job: bool = False
    from_bytes: int = 100_000
    """Parts with less base64 than this stay in the request."""
    requests_per_minute: float = 500.0
    """What the Files API allows an organisation
    (https://platform.claude.com/docs/en/build-with-claude/files#rate-limits)."""
    at_once: int = 4
    """Uploads at the same time: each holds its file in memory."""
    keep_bytes: int = 256_000_000
    """Contents of files kept in memory while their jobs run, so that a file that expired or was deleted can be
    uploaded again."""

    def __post_init__(self) -> None:
        if self.expires_in is not None and not SHORTEST <= self.expires_in <= LONGEST:
            raise ValueError(
                f"FilePolicy.expires_in must be {SHORTEST} to {LONGEST} seconds or None, not {self.expires_in!r}"
            )
        if self.from_bytes < 0 or self.keep_bytes < 0:
            raise ValueError("FilePolicy.from_bytes and keep_bytes must be 0 or more")
        if not (self.requests_per_minute >= 1 and self.at_once >= 1):
            raise ValueError("FilePolicy.requests_per_minute and at_once must be at least 1")
