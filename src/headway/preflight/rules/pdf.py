"""Documents as the API takes them: PDF in base64, not encrypted, not too many pages; text as text."""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from typing import Final

from headway.core.base64_text import flaw, head_bytes, tidied
from headway.core.byte_size import decoded, shown
from headway.core.change import Change
from headway.core.media_type import PDF, sniff
from headway.core.pdf_facts import PdfFacts, pdf_facts
from headway.preflight.bound_thinking import unbound
from headway.preflight.facts import Body, Facts
from headway.preflight.finding import Finding
from headway.preflight.parts import Part, parts_of, replaced
from headway.preflight.rule import Mended, Rule
from headway.preflight.traits import OTHER

NAME = "pdf"
_MOST_SEEN: Final = 512
_SEEN: Final[dict[tuple[int, int], PdfFacts]] = {}
"""By length and hash of the base64: contents are not held."""


def _check(body: Body, facts: Facts) -> Iterator[Finding]:
    pages = 0
    paths: list[str] = []
    for part in parts_of(body):
        if part.kind != "document" or (data := part.data) is None:
            continue
        if problem := _problem(part, data):
            yield Finding(NAME, part.path, *problem)
        if flaw(data) or sniff(head_bytes(data)) != PDF:
            continue
        found = _facts(data)
        if found.encrypted:
            yield Finding(
                NAME, part.path, "the PDF is encrypted", "Save it without a password or protection."
            )
        pages += found.pages or 0
        paths.append(part.path)
    most = facts.model.pdf_pages if facts.model else None
    if most is not None and pages > most:
        where = paths[0] if len(paths) == 1 else "messages"
        problem = f"{pages} PDF pages in one request, {most} are accepted by this model"
        yield Finding(NAME, where, problem, "Split the document over several requests.")


def _problem(part: Part, data: str) -> tuple[str, str] | None:
    """What is wrong with the form of a base64 document, and the remedy."""
    if problem := flaw(data):
        return f"the document {problem}", "Send the bytes in standard base64, padded, and nothing else."
    found = sniff(head_bytes(data))
    if found == PDF:
        if part.media_type == PDF:
            return None
        return f"declared as {part.media_type!r}, but it is a PDF", f"Set source.media_type to {PDF}."
    if found and found.startswith("image/"):
        return f"{found} in a document block", "Send it as an image block."
    if part.media_type.startswith("text/"):
        remedy = "Send it as {'type': 'text', 'media_type': 'text/plain', 'data': …}, not as base64."
        return "base64 documents must be PDF", remedy
    return "the data is not a PDF", "Convert it to PDF, or send its text."


def _repair(body: Body, facts: Facts) -> Mended:
    blocks: dict[str, dict[str, object]] = {}
    changes: list[Change] = []
    for part in parts_of(body):
        if part.kind == "document" and part.data is not None and (source := _mended_source(part, part.data)):
            block, change = source
            blocks[part.path] = block
            changes.append(change)
    mended = unbound(replaced(body, blocks), NAME, blocks)
    return Mended(mended.body, (*changes, *mended.changes))


def _mended_source(part: Part, data: str) -> tuple[dict[str, object], Change] | None:
    problem = _problem(part, data)
    tidy = tidied(data) if flaw(data) else data
    if problem is None or tidy is None:
        return None
    path = f"{part.path}.source"
    if sniff(head_bytes(tidy)) == PDF:
        new = f"base64 {PDF}, {shown(decoded(len(tidy)))}"
        change = Change(NAME, path, problem[0], part.media_type[:100], new)
        return part.with_source(data=tidy, media_type=PDF), change
    if part.media_type.startswith("text/") and (text := _text(tidy)):
        change = Change(NAME, path, problem[0], "base64 text", f"text, {len(text):,} characters")
        return part.with_source(type="text", media_type="text/plain", data=text), change
    return None


def _text(data: str) -> str | None:
    """Base64 as text, if it is UTF-8 and not blank."""
    try:
        text = binascii.a2b_base64(data).decode("utf-8-sig")
    except ValueError:
        return None
    return text if text.strip() else None


def _facts(data: str) -> PdfFacts:
    """The facts of a document, remembered by its hash: many questions are asked about one document, and every
    request is looked at more than once."""
    key = (len(data), hash(data))
    if key not in _SEEN:
        if len(_SEEN) >= _MOST_SEEN:
            _SEEN.clear()
        _SEEN[key] = pdf_facts(_bytes(data))
    return _SEEN[key]


def _bytes(data: str) -> bytes:
    try:
        return binascii.a2b_base64(data)
    except ValueError:  # broken somewhere in the middle
        return head_bytes(data)


RULES = (
    Rule(
        NAME,
        "Base64 documents must be PDFs, not encrypted, with at most 600 pages in a request (100 on models with a "
        "window below 1M). Pages are read from the page tree: exact in sound files, unknown (and not complained "
        "about) where the tree cannot be found.",
        "Corrects base64 and media type, and sends base64 text as text; pages and passwords are left to you.",
        _check,
        _repair,
        order=61,
        about=frozenset({OTHER}),
    ),
)
