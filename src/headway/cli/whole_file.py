"""A file that appears under its name only when it is whole; compressed if its name says so."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from headway.cli.compressed import compression_of, inner_name
from headway.cli.exit_status import CommandError


@contextmanager
def whole_file(path: Path | None) -> Generator[BinaryIO]:
    """What to write to: a file that is on disk and has its name after the block (an exception leaves what was there),
    or standard output (``None``). Raises `CommandError` for a compression that is not written, and `OSError`."""
    if path is None:
        yield sys.stdout.buffer
        return
    if compression_of(path) == ".zst":
        raise CommandError(f"{path}: results are not written as zst; use .gz")
    part = path.with_name(f"{path.name}.writing")
    try:
        with part.open("wb") as file:
            if compression_of(path):
                with gzip.GzipFile(inner_name(path).name, "wb", compresslevel=6, fileobj=file) as packed:
                    yield cast("BinaryIO", packed)
            else:
                yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)  # noqa: PTH105 - one rename, atomic
    finally:
        part.unlink(missing_ok=True)
