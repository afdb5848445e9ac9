"""Sizes in bytes, for people."""

from __future__ import annotations


def shown(size: float) -> str:
    """``3.1 MB``, ``12 kB``, ``7 bytes``; decimal units."""
    if size >= 1e5:
        return f"{size / 1e6:.1f} MB"
    return f"{size / 1e3:.0f} kB" if size >= 1e3 else f"{size:.0f} bytes"


def decoded(base64_characters: int) -> float:
    """Bytes that so many characters of base64 stand for, padding aside."""
    return base64_characters * 0.75
