"""HEIC and HEIF, which Pillow reads through pillow-heif."""

from __future__ import annotations

import importlib

from headway.preflight.rule import UnrepairableError


def enable_heic() -> None:
    """Make Pillow read HEIC. Raises `UnrepairableError` naming the package when it is not installed."""
    try:
        plugin = importlib.import_module("pillow_heif")
    except ImportError:
        raise UnrepairableError(
            "is HEIC, which needs the package pillow-heif: pip install 'headway[heic]'"
        ) from None
    plugin.register_heif_opener()
