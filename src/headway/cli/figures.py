"""Numbers as people read them."""

from __future__ import annotations

import math


def count(value: float) -> str:
    """``1,319``."""
    return f"{value:,.0f}"


def short(value: float) -> str:
    """``950``, ``4.2k``, ``224k``, ``1.5M``."""
    for factor, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor * 0.9995:
            scaled = value / factor
            return f"{scaled:.0f}{suffix}" if scaled >= 99.5 else f"{scaled:.3g}{suffix}"
    return f"{value:.0f}"


def span(seconds: float | None) -> str:
    """``0.8 s``, ``29 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if seconds is None or not math.isfinite(seconds):
        return "?"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def usd(value: float) -> str:
    """``$0.0042``, ``$12.30``."""
    return f"${value:,.2f}" if value >= 1 or value == 0 else f"${value:.4f}"


def percent(part: float) -> str:
    """``97 %``, ``99.4 %``."""
    return f"{part * 100:.1f} %" if 0.985 < part < 1 else f"{part * 100:.0f} %"


def plural(number: int, noun: str) -> str:
    """``1 job``, ``2 jobs``."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"
