"""The rule ``pdf``."""

from __future__ import annotations

import base64

import pytest

from headway.preflight.check import check
from headway.preflight.facts import facts_for
from headway.preflight.policy import RepairPolicy
from headway.preflight.repair import repair
from media_samples import MODEL, OLD_MODEL, b64, body, document, pdf, png

ALL = RepairPolicy("off", rules={"pdf": "repair"})
FINE = document(b64(pdf(3)))


def problems(request: dict[str, object]) -> list[tuple[str, str]]:
    return [(f.path, f.problem) for f in check(request, facts_for(request), ALL)]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("model", "most"), [(MODEL, 600), (OLD_MODEL, 100)])
def test_pages_of_a_request(model: str, most: int, packed: bool) -> None:
    assert problems(body(document(b64(pdf(most, packed=packed))), model=model)) == []
    too_many = document(b64(pdf(most + 1, packed=packed)))
    words = f"{most + 1} PDF pages in one request, {most} are accepted by this model"
    assert problems(body(too_many, model=model)) == [("messages.0.content.0", words)]
    together = body(FINE, document(b64(pdf(most - 2, packed=packed))), model=model)
    assert problems(together) == [("messages", words)]


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (document(b64(pdf(1, encrypted=True))), "encrypted"),
        (document(b64(png(9, 9))), "image/png in a document block"),
        (document(b64(b"PK\x03\x04 a Word file")), "not a PDF"),
        (document("data:application/pdf;base64," + b64(pdf(1))), "a data URL"),
        (document(b64(pdf(1)), "application/octet-stream"), "declared as 'application/octet-stream'"),
        (document(b64(b"# A title"), "text/markdown"), "base64 documents must be PDF"),
    ],
)
def test_what_is_wrong_with_a_document(block: dict[str, object], words: str) -> None:
    ((path, problem),) = problems(body(FINE, block))
    assert path == "messages.0.content.1"
    assert words in problem


def test_other_sources_are_left_alone() -> None:
    sources = [
        {"type": "url", "url": "https://example.com/a.pdf"},
        {"type": "file", "file_id": "file_1"},
        {"type": "text", "media_type": "text/plain", "data": "Hello"},
        {"type": "content", "content": "Hello"},
    ]
    assert problems(body(*({"type": "document", "source": source} for source in sources))) == []


@pytest.mark.parametrize(
    ("block", "source"),
    [
        (document(base64.encodebytes(pdf(1)).decode()), document(b64(pdf(1)))["source"]),
        (document(b64(pdf(1)), "pdf"), document(b64(pdf(1)))["source"]),
        (
            document(b64("\ufeffÜber uns".encode()), "text/csv"),
            {"type": "text", "media_type": "text/plain", "data": "Über uns"},
        ),
    ],
)
def test_form_is_corrected(block: dict[str, object], source: object) -> None:
    request = body(FINE, {**block, "title": "T"})
    result = repair(request, facts_for(request), ALL)
    assert result.body["messages"][0]["content"][1] == {"type": "document", "title": "T", "source": source}  # type: ignore[index]
    assert [change.path for change in result.changes] == ["messages.0.content.1.source"]
    assert "Über" not in repr(result.changes[0].to_json())
    assert problems(dict(result.body)) == []


@pytest.mark.parametrize("data", [b64(b"\xff\xfe\x00 not UTF-8"), b64(b"  "), "%%%"])
def test_what_cannot_be_corrected_stays(data: str) -> None:
    request = body(document(data, "text/plain"))
    result = repair(request, facts_for(request), ALL)
    assert result.changes == ()
    assert result.body == request
    assert problems(request)
