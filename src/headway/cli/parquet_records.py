"""Rows of a Parquet file to records, a few at a time; needs pyarrow (the extra ``parquet``)."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, cast

from headway.cli.exit_status import CommandError
from headway.cli.records import Record

ROWS: Final = 1000
"""Rows in memory at a time, beside the compressed pages of the row group that is being read."""


def parquet_records(path: Path | None, stopped: Callable[[], bool]) -> Iterator[Record]:
    """Each row as a record, numbered from 1; empty cells are left out. Raises `CommandError`."""
    number = 0
    file = _open(path)
    with file:
        for batch in file.iter_batches(ROWS):
            for row in batch.to_pylist():
                if stopped():
                    return
                number += 1
                fields = {name: _plain(value) for name, value in row.items() if value is not None}
                content = json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace")
                empty = tuple(name for name, value in row.items() if value is None)
                yield Record(number, content, fields, empty=empty)


def count_rows(path: Path) -> int:
    """Rows, as the file's footer says."""
    with _open(path) as file:
        return int(file.metadata.num_rows)


def _open(path: Path | None) -> Any:
    if path is None:
        raise CommandError(
            "Parquet cannot come from standard input: its index stands at the end; name the file"
        )
    try:
        arrow: Any = importlib.import_module("pyarrow")
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise CommandError(" Parquet needs pyarrow: pip install 'headway[parquet]'") from None
    try:
        return parquet.ParquetFile(path)
    except (arrow.ArrowInvalid, OSError) as error:
        raise CommandError(f" is not a Parquet file that can be read: {error}") from None


def _plain(value: Any) -> object:
    """JSON's types as they are; dates, decimals and the like as text."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, dict):
        items = cast("dict[object, object]", value).items()
        return {str(key): _plain(item) for key, item in items if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("list[object]", value)]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
