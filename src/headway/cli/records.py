"""Lines of a file to records: JSON Lines, CSV or plain text."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from headway.cli.compressed import inner_name
from headway.cli.exit_status import CommandError
from headway.cli.json_object import decode, parse_object
from headway.cli.line_fault import LineFault
from headway.cli.line_reader import Line
from headway.cli.table_rows import table_rows


class Format(StrEnum):
    """How the input is written."""

    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"
    TEXT = "text"
    PARQUET = "parquet"


SEPARATOR: Final[Mapping[Format, str | None]] = {Format.CSV: None, Format.TSV: "\t"}
"""Of tables in text; ``None``: as the header has it."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the input: an object, a row or a line."""

    number: int
    """The line it starts on."""
    content: bytes
    """What its id is made from."""
    fields: Mapping[str, object]
    problem: str | None = None
    """Why it is not a record."""
    start: int = 0
    """Where its line begins, in bytes; of tables nothing is said."""
    empty: tuple[str, ...] = ()
    """Fields that the input has and this record does not."""


def format_of(path: Path | None) -> Format:
    """The format a file's name tells, a ``.gz`` or ``.zst`` left out; JSON Lines when it tells nothing."""
    suffix = inner_name(path).suffix.lower() if path else ""
    known = {
        ".csv": Format.CSV,
        ".tsv": Format.TSV,
        ".txt": Format.TEXT,
        ".text": Format.TEXT,
        ".md": Format.TEXT,
        ".parquet": Format.PARQUET,
    }
    return known.get(suffix, Format.JSONL)


def read_records(lines: Iterator[Line], form: Format) -> Iterator[Record]:
    """The records of an input; blank lines are skipped. A bad CSV header raises `CommandError`."""
    match form:
        case Format.JSONL:
            return _line_records(lines, parse_object)
        case Format.TEXT:
            return _line_records(lines, lambda content: {"line": decode(content)})
        case Format.CSV | Format.TSV:
            return _table_records(lines, SEPARATOR[form])
        case Format.PARQUET:
            raise ValueError("Parquet has no lines: parquet_records reads it")


def _line_records(lines: Iterator[Line], parse: Callable[[bytes], Mapping[str, object]]) -> Iterator[Record]:
    for line in lines:
        content = line.content.removesuffix(b"\r")
        if not content.strip():
            continue
        try:
            yield Record(line.number, content, parse(content), None, line.start)
        except LineFault as fault:
            yield Record(line.number, content, {}, str(fault), line.start)


def _table_records(lines: Iterator[Line], separator: str | None) -> Iterator[Record]:
    rows = table_rows((line.content for line in lines), separator)
    header: list[str] | None = None
    while True:
        number = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Record(number, f"{number} {error}".encode(), {}, f"invalid CSV: {error}; check the quotes")
            continue
        if not any(row):
            continue
        if header is None:
            header = _header(row, number)
        else:
            yield _table_record(number, header, row)


def _header(row: list[str], number: int) -> list[str]:
    names = [name.strip() for name in row]
    empty = [str(index + 1) for index, name in enumerate(names) if not name]
    twice = sorted({name for name in names if names.count(name) > 1})
    if empty or twice:
        problem = (
            f"column {', '.join(empty)} has no name" if empty else f"column {', '.join(twice)} appears twice"
        )
        raise CommandError(f"{number}: the header line names the columns, but {problem}")
    return names


def _table_record(number: int, header: list[str], row: list[str]) -> Record:
    content = json.dumps(row).encode()
    if len(row) != len(header):
        problem = (
            f"has {len(row)} columns, the header has {len(header)}; put quotes around text with separators"
        )
        return Record(number, content, {}, problem)
    try:
        "".join(row).encode()
    except UnicodeEncodeError:
        return Record(number, content, {}, "invalid UTF-8; save the file as UTF-8")
    return Record(number, content, dict(zip(header, row, strict=True)))
