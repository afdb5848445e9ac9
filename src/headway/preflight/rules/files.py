"""References to files of the Files API."""

from __future__ import annotations

from collections.abc import Iterator

from headway.core.error_kind import ErrorKind
from headway.preflight.facts import Body, Facts
from headway.preflight.finding import Finding
from headway.preflight.parts import parts_of
from headway.preflight.rule import Rule
from headway.preflight.traits import OTHER

NAME = "files"


def _check(body: Body, facts: Facts) -> Iterator[Finding]:
    for part in parts_of(body):
        if part.source.get("type") == "file" and not part.file_id:
            remedy = "Give the id that files.upload returned."
            yield Finding(NAME, part.path, "a file source without file_id", remedy)


RULES = (
    Rule(
        NAME,
        "A file that a request refers to must exist in the workspace and not be expired.",
        "Uploads again what headway itself had uploaded for this job and the API no longer has.",
        _check,
        None,
        frozenset({ErrorKind.NOT_FOUND, ErrorKind.INVALID_REQUEST}),
        order=91,
        about=frozenset({OTHER}),
    ),
)
