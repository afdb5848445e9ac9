"""Lines of a table to rows of cells: comma-separated, or with what the header line is separated by."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _csv import Reader

LONGEST_FIELD: Final = 1 << 30
OTHERS: Final = (";", "\t")
"""What stands in place of commas where a spreadsheet's language writes decimal commas, or in text copied from one."""


def table_rows(lines: Iterator[bytes], separator: str | None) -> Reader:
    """A reader of rows. ``separator``: ``None`` goes by the header, where a comma wins if there is one.

    Bytes that are not UTF-8 pass as surrogates, so that they fail their row and not the whole file.
    """
    csv.field_size_limit(LONGEST_FIELD)
    texts = (line.decode(errors="surrogateescape") + "\n" for line in lines)
    if separator is None:
        begin = list(_until_header(texts))
        separator = _separator(begin[-1] if begin else "")
        texts = itertools.chain(begin, texts)
    return csv.reader(texts, delimiter=separator, strict=True)


def _until_header(texts: Iterator[str]) -> Iterator[str]:
    for text in texts:
        yield text
        if text.strip():
            return


def _separator(header: str) -> str:
    """The comma, unless the header has none and something else makes columns of it."""
    plain = header.replace("\r", " ")  # alone it would be an error, which the row is told of
    columns = {separator: len(next(csv.reader([plain], delimiter=separator))) for separator in (",", *OTHERS)}
    most = max(OTHERS, key=lambda separator: columns[separator])
    return most if columns[","] == 1 < columns[most] else ","
