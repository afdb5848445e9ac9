"""The files of the Files API: what is stored of them, until when, and within which quota."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from headway.testing.fake_api.picture import Size, picture
from headway.testing.fake_api.wire_error import WireError, invalid


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One uploaded file, without its content: uploads cannot be downloaded."""

    id: str
    filename: str
    mime_type: str
    size: int
    created_at: float
    """Epoch seconds by the server's clock."""
    expires_at: float | None
    picture: tuple[str, Size] | None
    """Media type and pixels of an image."""

    def metadata(self) -> dict[str, object]:
        """As the API shows it."""
        return {
            "type": "file",
            "id": self.id,
            "filename": self.filename,
            "mime_type": self.mime_type,
            "size_bytes": self.size,
            "created_at": _stamp(self.created_at),
            "expires_at": None if self.expires_at is None else _stamp(self.expires_at),
            "downloadable": False,
        }


class FileStore:
    """Files by id; ``wall`` is the server's clock and ``quota`` the bytes there is room for."""

    def __init__(self, wall: Callable[[], float], quota: int) -> None:
        self._wall = wall
        self._quota = quota
        self._files: dict[str, StoredFile] = {}
        self._made = 0

    def add(self, content: bytes, filename: str, mime_type: str, life: int | None) -> StoredFile:
        """Store a file; ``life`` in seconds."""
        now = self._wall()
        if (
            sum(file.size for file in self._files.values() if not self.is_expired(file)) + len(content)
            > self._quota
        ):
            text = "Your organization has reached its file storage limit. Delete files to free up space."
            raise WireError(400, "invalid_request_error", text, "storage_quota_exceeded")
        self._made += 1
        expires = None if life is None else now + life
        file = StoredFile(
            f"file_011C{self._made:020d}", filename, mime_type, len(content), now, expires, picture(content)
        )
        self._files[file.id] = file
        return file

    def get(self, file_id: str) -> StoredFile:
        """A file, expired or not. Raises 404."""
        file = self._files.get(file_id)
        if file is None:
            raise WireError(404, "not_found_error", f"File not found: {file_id}")
        return file

    def remove(self, file_id: str) -> None:
        """Delete a file. Raises 404."""
        del self._files[self.get(file_id).id]

    def is_expired(self, file: StoredFile) -> bool:
        """Whether its content is no longer there."""
        return file.expires_at is not None and self._wall() >= file.expires_at

    def newest(self) -> list[StoredFile]:
        """All files, the newest first."""
        return list(reversed(self._files.values()))

    def referenced(self, file_id: object, where: str) -> StoredFile:
        """The file that a request refers to. Raises 400 or 404."""
        if not isinstance(file_id, str):
            raise invalid(f"{where}.file_id: Field required")
        file = self.get(file_id)
        if self.is_expired(file):
            raise invalid(f"{where}.file_id: File {file_id} has expired")
        return file


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
