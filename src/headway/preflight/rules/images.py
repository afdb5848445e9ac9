"""Images as the API takes them: format, declared media type, pixels, bytes, number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from headway.core.base64_text import flaw, head_bytes, tidied
from headway.core.byte_size import decoded, shown
from headway.core.change import Change
from headway.core.error_kind import ErrorKind
from headway.core.image_limits import CROWD, MOST_BASE64, side_limit
from headway.core.image_size import pixels
from headway.core.media_type import IMAGES, PDF, SVG, sniff
from headway.preflight.bound_thinking import unbound
from headway.preflight.facts import Body, Facts
from headway.preflight.finding import Finding
from headway.preflight.parts import Part, parts_of, replaced
from headway.preflight.rule import Mended, Rule
from headway.preflight.traits import OTHER

NAME = "images"
TOOL: Final = "images"
_FORMATS: Final = "JPEG, PNG, GIF or WebP"
_BY_TOOL: Final = "(mode 'repair' does it with Pillow: pip install 'headway[images]')"


def images_of(body: Body) -> list[Part]:
    """Every image of a request, those inside ``tool_result`` blocks and documents included."""
    return [part for part in parts_of(body) if part.kind == "image"]


def _check(body: Body, facts: Facts) -> Iterator[Finding]:
    images = images_of(body)
    most = facts.model.images if facts.model else None
    if most is not None and len(images) > most:
        problem = f"{len(images)} images in one request, {most} are accepted by this model"
        yield Finding(NAME, "messages", problem, "Split the request.")
    side = side_limit(len(images)) if facts.side_limit is None else facts.side_limit
    for part in images:
        if part.data is not None:
            yield from _check_data(part, part.data, side, len(images))
            if facts.side_limit is not None and pixels(part.data) is None:
                problem = f"may be larger than the {side} pixels a side that the API takes"
                yield Finding(NAME, part.path, problem, f"Resize it {_BY_TOOL}.", tool=TOOL, bound=side)


def _check_data(part: Part, data: str, side: int, images: int) -> Iterator[Finding]:
    if problem := flaw(data):
        remedy = "Send the bytes in standard base64, padded, and nothing else."
        yield Finding(NAME, part.path, f"the image {problem}", remedy)
        return
    found = sniff(head_bytes(data))
    if found not in IMAGES:
        yield _not_accepted(part, found)
        return
    if found != part.media_type:
        problem = f"declared as {part.media_type!r}, but it is {found}"
        yield Finding(NAME, part.path, problem, f"Set source.media_type to {found}.")
    if (size := pixels(data)) and max(size) > side:
        crowd = f" when a request has more than {CROWD} images (it has {images})" if images > CROWD else ""
        problem = f"{size[0]}×{size[1]} pixels, {side} a side are accepted{crowd}"
        yield Finding(NAME, part.path, problem, f"Resize it {_BY_TOOL}.", tool=TOOL, bound=side)
    if len(data) > MOST_BASE64:
        problem = f"{shown(len(data))} of base64, {shown(MOST_BASE64)} are accepted for one image"
        yield Finding(NAME, part.path, problem, f"Compress it {_BY_TOOL}.", tool=TOOL)


def _not_accepted(part: Part, found: str | None) -> Finding:
    if found == PDF:
        return Finding(NAME, part.path, "a PDF in an image block", "Send it as a document block.")
    if found == SVG:
        return Finding(NAME, part.path, "image/svg+xml is not accepted", "Render it to PNG.")
    problem = f"{found} is not accepted" if found else f"the data is not {_FORMATS}"
    return Finding(NAME, part.path, problem, f"Convert it to {_FORMATS} {_BY_TOOL}.", tool=TOOL)


def _repair(body: Body, facts: Facts) -> Mended:
    blocks: dict[str, dict[str, object]] = {}
    changes: list[Change] = []
    for part in images_of(body):
        source, told = _mended_source(part)
        if told:
            blocks[part.path] = part.with_source(**source)
            changes += told
    mended = unbound(replaced(body, blocks), NAME, blocks)
    return Mended(mended.body, (*changes, *mended.changes))


def _mended_source(part: Part) -> tuple[dict[str, object], list[Change]]:
    """Fields of the source to change, and the changes told."""
    data, fields, changes = part.data, dict[str, object](), list[Change]()
    if data is None:
        return fields, changes
    if problem := flaw(data):
        tidy = tidied(data)
        if tidy is None:
            return fields, changes
        old, new = f"{shown(len(data))} of text", f"base64, {shown(decoded(len(tidy)))}"
        changes.append(Change(NAME, f"{part.path}.source.data", f"the image {problem}", old, new))
        fields["data"] = data = tidy
    found = sniff(head_bytes(data))
    if found in IMAGES and found != part.media_type:
        path, reason = f"{part.path}.source.media_type", "the data is of another format than declared"
        changes.append(Change(NAME, path, reason, part.media_type[:100], found))
        fields["media_type"] = found
    return fields, changes


RULES = (
    Rule(
        NAME,
        "Images must be JPEG, PNG, GIF or WebP in clean base64, declared as what they are, within the limits on "
        "pixels (8000 a side, 2000 with more than 20 images), bytes (10 MB of base64) and number.",
        "Corrects base64 and media type; with Pillow it converts other formats, resizes and recompresses.",
        _check,
        _repair,
        frozenset({ErrorKind.IMAGE_TOO_LARGE}),
        order=60,
        about=frozenset({OTHER}),
    ),
)
