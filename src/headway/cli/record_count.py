"""How many records an input has: what there is to do in all."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from headway.cli.compressed import open_bytes, read_block
from headway.cli.records import Format

BLOCK: Final = 1 << 20


def count_records(path: Path, form: Format) -> int:
    """Records as `read_records` finds them, without parsing what is in them: about a second for ten million."""
    with open_bytes(path) as file:
        blocks = iter(lambda: read_block(file, BLOCK), b"")
        if form not in {Format.CSV, Format.TSV}:
            return sum(1 for line in _lines(blocks) if line.strip())
        rows = csv.reader(
            (line.decode(errors="surrogateescape") + "\n" for line in _lines(blocks)),
            delimiter="," if form is Format.CSV else "\t",
        )
        count = sum(1 for row in rows if any(row))
    return max(0, count - 1)  # the header


def _lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
    yield rest
