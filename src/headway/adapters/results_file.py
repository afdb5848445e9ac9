"""A file of results, line by line, as flat rows: ``pandas.DataFrame(headway.read_results("out.jsonl"))``."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, cast

from headway.core.flat_result import flatten_line

_SQLITE: Final = b"SQLite format 3\x00"
_GZIP: Final = b"\x1f\x8b"


def read_results(path: str | os.PathLike[str]) -> Iterator[dict[str, object]]:
    """The results in a file that ``headway run`` or ``headway results`` wrote, or that the Message Batches API gave
    (JSON Lines, also compressed with gzip): one row each, with the columns of ``headway results --csv``.

    A last line that a crash has torn is left out. Raises `OSError`, and `ValueError` for what is no such file, naming
    the line.
    """
    file = Path(path)
    with file.open("rb") as raw:
        begin = raw.read(len(_SQLITE))
        if begin == _SQLITE:
            raise ValueError(f"{file} is a journal; headway results {file} -o OUT.jsonl makes results of it")
        raw.seek(0)
        lines = gzip.GzipFile(fileobj=raw) if begin.startswith(_GZIP) else raw
        for number, line in enumerate(lines, 1):
            if (row := _row(line, f"{file}:{number}")) is not None:
                yield row


def _row(line: bytes, place: str) -> dict[str, object] | None:
    if not line.strip():
        return None
    try:
        value = cast("object", json.loads(line))
    except (ValueError, RecursionError):
        if not line.endswith(b"\n"):
            return None
        value = None
    if not isinstance(value, Mapping) or "result" not in value:
        raise ValueError(f'{place}: not a result; lines such as {{"custom_id": …, "result": …}} are expected')
    return flatten_line(cast("Mapping[str, object]", value))
