"""What the API refuses in images, documents and references to files."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

from headway.testing.fake_api.catalog import Model
from headway.testing.fake_api.file_store import FileStore
from headway.testing.fake_api.picture import Size, picture
from headway.testing.fake_api.wire_error import WireError, invalid

Block = dict[str, object]
_IMAGES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp")
_MOST_BASE64: Final = 10 * 1024 * 1024
_SIDE: Final = 8000
_CROWD: Final = 20
_CROWD_SIDE: Final = 2000
_PAGE: Final = re.compile(rb"/Type\s*/Page[^s]")


@dataclass(frozen=True, slots=True)
class _Part:
    path: str
    kind: str
    source: Block


def check_media(body: dict[str, object], model: Model, files: FileStore) -> None:
    """Raise the API's complaint about the first image or document that it does not take."""
    parts: list[_Part] = []
    for index, message in enumerate(cast("list[Block]", body["messages"])):
        if not isinstance(message["content"], str):
            parts += _parts(message["content"], f"messages.{index}.content")
    if not parts:
        return
    sizes: list[tuple[str, Size]] = []
    pages = 0
    for part in parts:
        if part.kind == "image":
            if size := _image_size(part, files):
                sizes.append((part.path, size))
        else:
            pages += _document_pages(part, files)
    images = sum(part.kind == "image" for part in parts)
    most = 600 if model.window >= 1_000_000 else 100
    if images + pages > most and images:
        raise invalid(f"Too much media: {pages} document pages + {images} images > {most}")
    if pages > most:
        raise invalid(f"A maximum of {most} PDF pages may be provided.")
    _check_sides(sizes, _CROWD_SIDE if images > _CROWD else _SIDE)


def _parts(content: object, where: str) -> Iterator[_Part]:
    for index, block in enumerate(cast("list[Block]", content) if isinstance(content, list) else []):
        path = f"{where}.{index}"
        kind = block.get("type")
        if kind == "tool_result":
            yield from _parts(block.get("content"), f"{path}.content")
        elif kind in ("image", "document"):
            source = block.get("source")
            if not isinstance(source, dict):
                raise invalid(f"{path}.{kind}.source: Field required")
            yield _Part(path, str(kind), cast("Block", source))
            if cast("Block", source).get("type") == "content":
                yield from _parts(cast("Block", source).get("content"), f"{path}.source.content")


def _check_sides(sizes: list[tuple[str, Size]], side: int) -> None:
    paths = [path for path, size in sizes if max(size) > side]
    if paths:
        crowd = " for many-image requests" if side == _CROWD_SIDE else ""
        text = f"{paths[0]}.image.source.base64.data: At least one of the image dimensions exceed max allowed size"
        raise WireError(
            400,
            "invalid_request_error",
            f"{text}{crowd}: {side} pixels",
            "image_dimensions_too_large",
            {"max_side_length_pixels": side, "paths": paths},
        )


def _image_size(part: _Part, files: FileStore) -> Size | None:
    match part.source.get("type"):
        case "base64":
            where = f"{part.path}.image.source.base64"
            declared = part.source.get("media_type")
            if declared not in _IMAGES:
                wanted = ", ".join(f"'{name}'" for name in _IMAGES[:-1])
                raise invalid(f"{where}.media_type: Input should be {wanted} or '{_IMAGES[-1]}'")
            raw = _decoded(part, where)
            length = len(str(part.source["data"]))
            if length > _MOST_BASE64:
                raise invalid(f"{where}: image exceeds 10 MB maximum: {length} bytes > {_MOST_BASE64} bytes")
            found = picture(raw)
            if found is None:
                raise invalid(f"{part.path}: Could not process image")
            if found[0] != declared:
                raise invalid(
                    f"{where}.data: The image was specified using the {declared} media type, but the image appears "
                    f"to be a {found[0]} image"
                )
            return found[1]
        case "file":
            file = files.referenced(part.source.get("file_id"), f"{part.path}.image.source.file")
            if file.picture is None:
                raise invalid(f"{part.path}: file {file.id} is {file.mime_type}, not an image")
            return file.picture[1]
        case "url":
            return None
        case kind:
            raise invalid(f"{part.path}.image.source: Input tag '{kind}' found using 'type' does not match")


def _document_pages(part: _Part, files: FileStore) -> int:
    where = f"{part.path}.document.source"
    match part.source.get("type"):
        case "base64":
            if part.source.get("media_type") != "application/pdf":
                raise invalid(f"{where}.base64.media_type: Input should be 'application/pdf'")
            raw = _decoded(part, f"{where}.base64")
            if b"%PDF-" not in raw[:1024]:
                raise invalid(f"{where}.base64.data: The PDF specified was not valid.")
            if b"/Encrypt" in raw:
                raise invalid(f"{where}.base64.data: The PDF specified is password protected.")
            return len(_PAGE.findall(raw))
        case "file":
            file = files.referenced(part.source.get("file_id"), f"{where}.file")
            if file.mime_type not in ("application/pdf", "text/plain"):
                raise invalid(f"{part.path}: file {file.id} is {file.mime_type}, not a document")
            return 0
        case "text" | "content" | "url":
            return 0
        case kind:
            raise invalid(
                f"{where}: Input tag '{kind}' found using 'type' does not match any of the expected tags"
            )


def _decoded(part: _Part, where: str) -> bytes:
    data = part.source.get("data")
    if not isinstance(data, str):
        raise invalid(f"{where}.data: Input should be a valid string")
    try:
        raw = binascii.a2b_base64(data, strict_mode=True)
    except ValueError:
        raw = b""
    if not raw:
        raise invalid(f"{where}.data: Invalid base64 data")
    return raw
