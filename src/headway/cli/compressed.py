"""Compressed inputs and results: which they are by name, and their bytes."""

from __future__ import annotations

import gzip
import importlib
import zlib
from pathlib import Path
from typing import BinaryIO, Final, cast

from headway.cli.exit_status import CommandError

SUFFIXES: Final = frozenset({".gz", ".zst"})


def compression_of(path: Path | None) -> str | None:
    """``.gz``, ``.zst`` or ``None``, by the name."""
    suffix = path.suffix.lower() if path is not None else ""
    return suffix if suffix in SUFFIXES else None


def inner_name(path: Path) -> Path:
    """The name without the suffix of a compression."""
    return path.with_suffix("") if compression_of(path) else path


def open_bytes(path: Path) -> BinaryIO:
    """The contents of a file, unpacked. Raises `OSError`, and `CommandError` when zstd is not installed."""
    match compression_of(path):
        case ".gz":
            return cast("BinaryIO", gzip.open(path, "rb"))
        case ".zst":
            return _open_zst(path)
        case _:
            return path.open("rb", buffering=0)


def read_block(file: BinaryIO, size: int, path: Path) -> bytes:
    """The next bytes, none at the end. Raises `OSError` for a file that is cut off or damaged."""
    try:
        return file.read(size)
    except EOFError:
        raise OSError(f"{path} ends too early; is it still being written, or was it cut off?") from None
    except zlib.error as error:
        raise OSError(f"{path} is damaged: {error}") from None
    except gzip.BadGzipFile as error:
        raise OSError(f"{path}: {error}; a file that is not compressed must not be called .gz") from None


def _open_zst(path: Path) -> BinaryIO:
    for module, call in (("compression.zstd", "open"), ("zstandard", "open")):
        try:
            opener = getattr(importlib.import_module(module), call)
        except ImportError:
            continue
        return cast("BinaryIO", opener(path, "rb"))
    try:
        arrow = importlib.import_module("pyarrow")
    except ImportError:
        raise CommandError(
            f"{path}: zstd needs Python 3.14 or a library; pip install 'headway[parquet]' brings one, "
            "or unpack it: zstd -dc FILE | headway run - -o OUT"
        ) from None
    return cast("BinaryIO", arrow.input_stream(str(path), compression="zstd"))
