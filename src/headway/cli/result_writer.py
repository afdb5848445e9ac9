"""Results to a file or to standard output, in the form its name or an option asks for."""

from __future__ import annotations

import csv
import importlib
import io
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final

from headway.cli.compressed import inner_name
from headway.cli.exit_status import CommandError
from headway.cli.whole_file import whole_file
from headway.core.flat_result import COLUMNS, flatten, message_of, text_of
from headway.core.outcome import Ending

ROWS: Final = 10_000
"""Rows of a group in a Parquet file: as many are in memory at a time."""


class ResultForm(StrEnum):
    """How results are written."""

    JSONL = "jsonl"
    CSV = "csv"
    TEXT = "text"
    PARQUET = "parquet"


def form_of(path: Path | None) -> ResultForm:
    """The form a file's name tells, a ``.gz`` left out; JSON Lines when it tells nothing."""
    suffix = inner_name(path).suffix.lower() if path is not None else ""
    known = {".csv": ResultForm.CSV, ".txt": ResultForm.TEXT, ".parquet": ResultForm.PARQUET}
    return known.get(suffix, ResultForm.JSONL)


def write_results(endings: Iterable[Ending], path: Path | None, form: ResultForm) -> int:
    """Write them and give their number; a file appears under its name only when it is whole.

    Raises `CommandError` for what cannot be written so, and `OSError`.
    """
    if path is None and form is ResultForm.PARQUET:
        raise CommandError("Parquet cannot go to standard output; name a file with -o")
    with whole_file(path) as file:
        return _write(endings, file, form)


def _write(endings: Iterable[Ending], file: BinaryIO, form: ResultForm) -> int:
    match form:
        case ResultForm.JSONL:
            return _write_lines((ending.line() for ending in endings), file)
        case ResultForm.TEXT:
            return _write_lines(_texts(endings), file)
        case ResultForm.CSV:
            return _write_lines(_csv_lines(endings), file) - 1
        case ResultForm.PARQUET:
            return _write_parquet(endings, file)


def _write_lines(lines: Iterable[str], file: BinaryIO) -> int:
    count = 0
    for line in lines:
        file.write(line.encode("utf-8", "replace") + b"\n")
        count += 1
    file.flush()
    return count


def _texts(endings: Iterable[Ending]) -> Iterator[str]:
    """The answers' text; jobs without an answer have no line."""
    for ending in endings:
        if (message := message_of(ending)) is not None:
            yield text_of(message)


def _csv_lines(endings: Iterable[Ending]) -> Iterator[str]:
    """RFC 4180, but for line ends: texts with line breaks are quoted."""
    buffer = io.StringIO()
    table = csv.DictWriter(buffer, list(COLUMNS), lineterminator="")
    table.writeheader()
    yield buffer.getvalue()
    for ending in endings:
        buffer.seek(0)
        buffer.truncate()
        table.writerow(flatten(ending))
        yield buffer.getvalue()


def _write_parquet(endings: Iterable[Ending], file: BinaryIO) -> int:
    try:
        arrow: Any = importlib.import_module("pyarrow")
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise CommandError("Parquet needs pyarrow: pip install 'headway[parquet]'") from None
    types = {str: arrow.string(), int: arrow.int64(), float: arrow.float64()}
    schema = arrow.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    count = 0
    rest = iter(endings)
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while rows := [flatten(ending) for ending in islice(rest, ROWS)]:
            writer.write_table(arrow.Table.from_pylist(rows, schema))
            count += len(rows)
    return count
