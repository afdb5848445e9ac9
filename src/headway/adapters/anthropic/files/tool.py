"""The repair tool ``files``: large parts of a request by reference, and lost files uploaded again."""

from __future__ import annotations

import binascii
import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, cast
from weakref import WeakValueDictionary

import anyio

from headway.adapters.anthropic.files.calls import FileCalls, FilesFailedError, Upload
from headway.adapters.anthropic.files.shelf import Shelf, ShelfFile
from headway.core.base64_text import flaw, tidied
from headway.core.byte_size import shown
from headway.core.change import Change
from headway.core.error_kind import ErrorKind
from headway.core.file_policy import FilePolicy
from headway.preflight.body_size import MovablePart, largest, movable, wire_size
from headway.preflight.bound_thinking import unbound
from headway.preflight.facts import Body
from headway.preflight.finding import Finding
from headway.preflight.parts import Part, parts_of, replaced
from headway.preflight.rule import Mended, UnrepairableError
from headway.preflight.rules.files import NAME as LOST
from headway.preflight.rules.size import NAME, TOOL

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

_log: Final = logging.getLogger("headway")
TARGET: Final = 30_000_000
"""Bytes that a body is brought to: below 32 MB in either reading of "MB", with room for headers of a gateway."""
_REUSED: Final = 0.75
"""Share of a file's life in which further jobs are given it; the rest is for jobs that wait."""
_LOST: Final = frozenset({ErrorKind.NOT_FOUND, ErrorKind.INVALID_REQUEST})
_SUFFIX: Final = {"application/pdf": ".pdf", "text/plain": ".txt"}


class FilesTool:
    """Uploads what makes a request too large. Jobs with equal contents share one file."""

    def __init__(self, client: AsyncAnthropic, policy: FilePolicy | None = None) -> None:
        self._policy = policy or FilePolicy()
        self._calls = FileCalls(client, self._policy)
        self._shelf = Shelf(self._policy.keep_bytes)
        self._busy: WeakValueDictionary[bytes, anyio.Lock] = WeakValueDictionary()

    @property
    def name(self) -> str:
        """As in `Finding.tool`."""
        return TOOL

    async def mend(self, body: Body, findings: Sequence[Finding], kind: ErrorKind | None) -> Mended:
        """The body with its largest parts by reference, or with lost files uploaded again.

        Raises `UnrepairableError`; as `FilesFailedError` when the Files API was the reason.
        """
        if kind is ErrorKind.REQUEST_TOO_LARGE or any(finding.tool == TOOL for finding in findings):
            return await self._move(body, refused=kind is ErrorKind.REQUEST_TOO_LARGE)
        if kind in _LOST:
            return await self._renew(body)
        return Mended(body, ())

    async def release(self, changes: Sequence[Change]) -> None:
        """The job is over: its files may be deleted, if so configured and no other job needs them."""
        for file in self._files_of(changes):
            if self._shelf.give_back(file) and self._policy.delete_after_job and not file.kept:
                self._shelf.forget(file)
                await self._delete(file)

    async def upload(self, content: bytes, media_type: str, filename: str = "headway") -> str:
        """Upload a file, or find an equal one uploaded before; its id, good for at least a quarter of its life.
        It is not deleted with a job. Raises `UnrepairableError`."""
        upload = Upload(content, media_type, filename)
        async with self._calls.slot():
            digest = await anyio.to_thread.run_sync(_digest, upload)
            file = await self._shelved(digest, upload)
        file.kept = True
        return file.file_id

    async def _move(self, body: Body, *, refused: bool) -> Mended:
        reason = "the request is too large; sent by reference"
        chosen = [one.part for one in _chosen(body, self._policy.from_bytes, everything=refused)]
        changes = await self._refer([(NAME, part, part.source, reason) for part in chosen])
        blocks = _referring(chosen, changes)
        mended = unbound(replaced(body, blocks), NAME, blocks)
        return Mended(mended.body, (*changes, *mended.changes))

    async def _renew(self, body: Body) -> Mended:
        """Files that the API no longer has are uploaded again from the contents that are still in memory."""
        referring = [part for part in parts_of(body) if part.file_id]
        try:
            lost = {part.file_id for part in referring if not await self._calls.exists(part.file_id or "")}
        except FilesFailedError as error:  # the job's own failure says more
            _log.info("%s", error)
            return Mended(body, ())
        chosen = [part for part in referring if part.file_id in lost]
        reason = "the file had expired or was deleted"
        changes = await self._refer([(LOST, part, self._original(part), reason) for part in chosen])
        return Mended(replaced(body, _referring(chosen, changes)), tuple(changes))

    def _original(self, part: Part) -> Mapping[str, object]:
        file = self._shelf.of(part.file_id or "")
        if file is not None:
            file.gone = True
        if file is None or file.source is None:
            why = "was not uploaded by this run" if file is None else "did not fit into FilePolicy.keep_bytes"
            raise UnrepairableError(
                f"{part.path}: the file {part.file_id} has expired or was deleted, and its content {why}; "
                "upload it again and submit the job anew"
            )
        return file.source

    async def _refer(self, wanted: Sequence[tuple[str, Part, Mapping[str, object], str]]) -> list[Change]:
        """A file for each (rule, part, content, reason), taken for one job: all of them or none."""
        changes: list[Change] = []
        try:
            for rule, part, source, reason in wanted:
                file = await self._stored(source)
                new = {"type": "file", "file_id": file.file_id}
                changes.append(Change(rule, f"{part.path}.source", reason, _in_words(part.source), new))
        except BaseException:
            for file in self._files_of(changes):
                self._shelf.give_back(file)
            raise
        return changes

    async def _stored(self, source: Mapping[str, object]) -> ShelfFile:
        """The file that holds what a source holds, taken for one job."""
        async with self._calls.slot():
            digest, upload = await anyio.to_thread.run_sync(_opened, source)
            file = await self._shelved(digest, upload)
            self._shelf.take(file, source)
        return file

    async def _shelved(self, digest: bytes, upload: Upload) -> ShelfFile:
        lock = self._busy.get(digest)
        if lock is None:
            lock = self._busy[digest] = anyio.Lock()
        async with lock:  # who comes second finds what the first has uploaded
            if found := self._shelf.fresh(digest, anyio.current_time()):
                return found
            file_id = await self._calls.upload(upload)
            life = self._policy.expires_in
            until = None if life is None else anyio.current_time() + _REUSED * life
            file = ShelfFile(digest, file_id, until)
            self._shelf.add(file)
            return file

    def _files_of(self, changes: Sequence[Change]) -> list[ShelfFile]:
        """The files that changes of this tool refer to, once for every reference."""
        ids = [_file_id(change.new) for change in changes if change.rule in (NAME, LOST)]
        return [file for file_id in ids if file_id and (file := self._shelf.of(file_id))]

    async def _delete(self, file: ShelfFile) -> None:
        if file.gone:
            return
        try:
            await self._calls.delete(file.file_id)
        except FilesFailedError as error:
            _log.warning("%s; it stays until it expires", error)


def _referring(parts: Sequence[Part], changes: Sequence[Change]) -> dict[str, Mapping[str, object]]:
    """The blocks of the parts with their new sources, by path."""
    pairs = zip(parts, changes, strict=True)
    return {part.path: part.with_source(**cast("dict[str, object]", change.new)) for part, change in pairs}


def _in_words(source: Mapping[str, object]) -> object:
    data = source.get("data")
    if not isinstance(data, str):
        return dict(source)  # an earlier file
    return f"{source.get('type')} {source.get('media_type', 'text/plain')}, {shown(len(data))}"


def _chosen(body: Body, least: int, *, everything: bool) -> list[MovablePart]:
    """The fewest parts that bring the body below the target. After a refusal of a body that is below it
    already (a gateway with a lower limit) all that are worth it."""
    parts = movable(body)
    worth = [part for part in parts if part.size >= least]
    size = wire_size(body)
    if size <= TARGET and everything and worth:
        return worth
    chosen: list[MovablePart] = []
    for part in worth:
        if size <= TARGET:
            break
        chosen.append(part)
        size -= part.size
    if not chosen or size > TARGET:
        raise UnrepairableError(
            f"the body would still have {shown(size)} with every large file sent by reference; largest: "
            f"{largest(parts, body)}. Split the request."
        )
    return chosen


def _opened(source: Mapping[str, object]) -> tuple[bytes, Upload]:
    """Digest and bytes of a base64 or text source. Blocking: tens of milliseconds for 30 MB."""
    data = cast("str", source["data"])
    media_type = str(source.get("media_type") or "text/plain")
    if source.get("type") == "text":
        content = data.encode(errors="replace")
    else:
        clean = data if flaw(data) is None else tidied(data)
        content = b"" if clean is None else _decoded(clean)
    if not content:
        raise UnrepairableError(f"{media_type}, {shown(len(data))}: the data is not base64")
    suffix = _SUFFIX.get(media_type) or "." + media_type.partition("/")[2]
    upload = Upload(content, media_type, f"headway{suffix}")
    return _digest(upload), upload


def _decoded(data: str) -> bytes:
    try:
        return binascii.a2b_base64(data, strict_mode=True)
    except ValueError:  # broken somewhere in the middle
        return b""


def _digest(upload: Upload) -> bytes:
    found = hashlib.sha256(upload.media_type.encode())
    found.update(b"\0")
    found.update(upload.content)
    return found.digest()


def _file_id(value: object) -> str | None:
    found = cast("Mapping[str, object]", value).get("file_id") if isinstance(value, Mapping) else None
    return found if isinstance(found, str) else None
