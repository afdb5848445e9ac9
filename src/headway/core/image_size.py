"""Tokens of an image: its pixels, read from the first bytes, by the formula of the vision guide.

``⌈w/28⌉ · ⌈h/28⌉`` after the API has scaled the image down to the model's resolution tier
(https://platform.claude.com/docs/en/build-with-claude/vision). Only headers are read, nothing is decoded.
"""

from __future__ import annotations

import math
from typing import Final

from headway.core.base64_text import head_bytes

PATCH: Final = 28
"""Pixels a side of what one token covers."""
HEAD: Final = 48_000
"""Base64 characters looked at: a JPEG may carry a preview before its size."""
LONG_HEAD: Final = 2_000_000
"""… and so many when it carries still more (colour profiles, depth maps)."""


def image_tokens(data: str, edge: int, most: int) -> float | None:
    """Tokens of a base64 image for a model that takes ``edge`` pixels a side and ``most`` tokens; ``None`` when
    its size cannot be read."""
    size = pixels(data)
    if size is None:
        return None
    width, height = size
    scale = min(1.0, edge / max(width, height))
    tokens = _patches(width * scale) * _patches(height * scale)
    return float(min(most, tokens))


def pixels(data: str) -> tuple[int, int] | None:
    """Width and height of a base64 PNG, GIF, WebP or JPEG."""
    raw = head_bytes(data, HEAD)
    size = _size(raw)
    if size is None and len(data) > HEAD and raw[:2] == b"\xff\xd8":
        size = _jpeg(head_bytes(data, LONG_HEAD))
    return size if size and size[0] > 0 and size[1] > 0 else None


def _size(raw: bytes) -> tuple[int, int] | None:
    if raw.startswith(b"\x89PNG\r\n\x1a\n") and len(raw) >= 24:
        return int.from_bytes(raw[16:20]), int.from_bytes(raw[20:24])
    if raw[:6] in (b"GIF87a", b"GIF89a") and len(raw) >= 10:
        return int.from_bytes(raw[6:8], "little"), int.from_bytes(raw[8:10], "little")
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP" and len(raw) >= 30:
        return _webp(raw)
    return _jpeg(raw) if raw[:2] == b"\xff\xd8" else None


def _webp(raw: bytes) -> tuple[int, int] | None:
    """https://developers.google.com/speed/webp/docs/riff_container"""
    kind = raw[12:16]
    if kind == b"VP8X":
        return int.from_bytes(raw[24:27], "little") + 1, int.from_bytes(raw[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(raw[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return int.from_bytes(raw[26:28], "little") & 0x3FFF, int.from_bytes(raw[28:30], "little") & 0x3FFF
    return None


def _jpeg(raw: bytes) -> tuple[int, int] | None:
    """The first start-of-frame segment (ITU T.81, B.2.2)."""
    at = 2
    while at + 9 <= len(raw) and raw[at] == 0xFF:
        marker = raw[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(raw[at + 7 : at + 9]), int.from_bytes(raw[at + 5 : at + 7])
        at += 2 + int.from_bytes(raw[at + 2 : at + 4])
    return None


def _patches(length: float) -> int:
    return max(1, math.ceil(round(length, 6) / PATCH))
