"""Format and size of an image by its first bytes: the server's own reading, for judging what clients send."""

from __future__ import annotations

from collections.abc import Iterator

Size = tuple[int, int]


def picture(raw: bytes) -> tuple[str, Size] | None:
    """Media type and pixels of a PNG, GIF, WebP or JPEG; anything else is no image to the API."""
    size: Size | None = None
    kind = ""
    if raw[:8] == b"\x89PNG\r\n\x1a\n":
        kind, size = "image/png", (int.from_bytes(raw[16:20]), int.from_bytes(raw[20:24]))
    elif raw[:4] == b"GIF8":
        kind, size = "image/gif", (_little(raw[6:8]), _little(raw[8:10]))
    elif raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        kind, size = "image/webp", _webp(raw)
    elif raw[:3] == b"\xff\xd8\xff":
        kind, size = "image/jpeg", _jpeg(raw)
    return (kind, size) if size is not None and min(size) > 0 else None


def _little(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


def _webp(raw: bytes) -> Size | None:
    match raw[12:16]:
        case b"VP8X":
            return _little(raw[24:27]) + 1, _little(raw[27:30]) + 1
        case b"VP8L":
            bits = _little(raw[21:25])
            return bits % 16384 + 1, bits // 16384 % 16384 + 1
        case b"VP8 ":
            return _little(raw[26:28]) % 16384, _little(raw[28:30]) % 16384
        case _:
            return None


def _jpeg(raw: bytes) -> Size | None:
    frames = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
    for marker, body in _segments(raw):
        if marker in frames:
            return int.from_bytes(body[3:5]), int.from_bytes(body[1:3])
    return None


def _segments(raw: bytes) -> Iterator[tuple[int, bytes]]:
    at = 2
    while at + 4 <= len(raw) and raw[at] == 0xFF:
        length = int.from_bytes(raw[at + 2 : at + 4])
        yield raw[at + 1], raw[at + 4 : at + 2 + length]
        at += 2 + length
