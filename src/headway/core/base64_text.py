"""Base64 as the API takes it: the standard alphabet, padded, nothing around it and nothing in between.

Only the ends of a text are looked at, and single characters are searched for: a check costs microseconds
for megabytes.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

_ENDS: Final = 4096
"""Characters looked at from each end, a multiple of 4."""
_HEAD: Final = re.compile(r"[A-Za-z0-9+/]*")
_TAIL: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_URL_SAFE: Final = str.maketrans("-_", "+/")
_DATA_URL: Final = re.compile(r"\s*data:[^,]{0,200},", re.IGNORECASE)
_BLANKS: Final = " \t\r\n"


def head_bytes(data: str, characters: int = _ENDS) -> bytes:
    """The first bytes (three for four ``characters``) of a base64 text; empty when it is none."""
    head = data[:characters]
    try:
        return binascii.a2b_base64(head[: len(head) // 4 * 4])
    except ValueError:
        return b""


def flaw(data: str) -> str | None:
    """What the API would refuse in a base64 text, in words; ``None``: nothing at either end."""
    if not data:
        return "is empty"
    if _DATA_URL.match(data):
        return "is a data URL, not base64 alone"
    if any(blank in data for blank in _BLANKS):
        return "is base64 with white space in it"
    if "-" in data or "_" in data:
        return "is URL-safe base64, not the standard alphabet"
    head = data[: min(_ENDS, len(data) - 2)]  # padding may only stand at the very end
    if not _HEAD.fullmatch(head) or not _TAIL.fullmatch(data[-_ENDS:]):
        return "is not base64"
    return "is base64 without its padding" if len(data) % 4 else None


def tidied(data: str) -> str | None:
    """The same bytes as base64 without a `flaw`; ``None`` when it cannot be read as base64."""
    if prefix := _DATA_URL.match(data):
        if ";base64" not in prefix[0].lower():
            return None
        data = data[prefix.end() :]
    data = "".join(data.split()).translate(_URL_SAFE).rstrip("=")
    data += "=" * (-len(data) % 4)
    return data if data and flaw(data) is None and _decodes(data) else None


def _decodes(data: str) -> bool:
    try:
        binascii.a2b_base64(data, strict_mode=True)
    except ValueError:
        return False
    return True
