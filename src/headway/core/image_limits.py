"""How large an image may be: https://platform.claude.com/docs/en/build-with-claude/vision (2026-11-22)."""

from __future__ import annotations

from typing import Final

MOST_BASE64: Final = 10 * 1024 * 1024
"""Characters of one image's base64 (5 MB on Bedrock and Google, which is not known here)."""
MOST_SIDE: Final = 8000
"""Pixels a side."""
CROWD: Final = 20
"""With more images than this in one request, those inside ``tool_result`` blocks included, …"""
CROWD_SIDE: Final = 2000
"""… each side may have so many pixels."""


def side_limit(images: int) -> int:
    """Pixels a side that each image may have when so many are in the request."""
    return CROWD_SIDE if images > CROWD else MOST_SIDE
