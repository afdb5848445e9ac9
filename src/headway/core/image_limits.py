"""How large an image may be: https://platform.claude.com/docs/en/build-with-claude/vision (2026-11-22)."""

from __future__ import annotations

import re
from typing import Final

MOST_BASE64: Final = 10 * 1024 * 1024
"""Characters of one image's base64 (5 MB on Bedrock and Google, which is not known here)."""
MOST_SIDE: Final = 8000
"""Pixels a side."""
CROWD: Final = 20
"""With more images than this in one request, those inside ``tool_result`` blocks included, …"""
CROWD_SIDE: Final = 2000
"""… each side may have so many pixels."""
_PIXELS: Final = re.compile(r"(?<![\d.,])(\d{1,3}(?:,\d{3})+|\d{2,6}) (?:pixels|px)\b")


def side_limit(images: int) -> int:
    """Pixels a side that each image may have when so many are in the request."""
    return CROWD_SIDE if images > CROWD else MOST_SIDE


def named_side(message: str) -> int | None:
    """The bound in the API's complaint, "… exceed max allowed size: 8000 pixels"; ``None`` when it names none."""
    named = [int(number.replace(",", "")) for number in _PIXELS.findall(message)]
    return min(named, default=None)  # it may also say how large the image is
