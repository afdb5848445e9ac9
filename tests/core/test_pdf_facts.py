"""Pages and encryption of PDFs, as plain as they were in 1993 and as packed as they are today."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.pdf_facts import PdfFacts, pdf_facts
from media_samples import pdf


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("pages", [1, 7, 650, 20_000])
def test_pages_of_the_tree(pages: int, packed: bool) -> None:
    assert pdf_facts(pdf(pages, packed=packed, spare=1000)) == PdfFacts(pages, encrypted=False)


def test_encryption_of_any_kind() -> None:
    assert pdf_facts(pdf(3, encrypted=True)) == PdfFacts(None, encrypted=True)
    inline = pdf(3).replace(b"/Root 1 0 R", b"/Root 1 0 R /Encrypt<</Filter/Standard>>")
    assert pdf_facts(inline).encrypted
    assert not pdf_facts(pdf(3).replace(b"/Root", b"/EncryptMetadata false /Root")).encrypted


def test_the_newest_revision_counts() -> None:
    newer = b"2 0 obj\n<< /Type/Pages /Kids [10 0 R] /Count 1 >>\nendobj\n"
    assert pdf_facts(pdf(900) + newer).pages == 1
    assert pdf_facts(pdf(1) + pdf(900, packed=True)[9:]).pages == 900


def test_inner_nodes_and_outlines_are_not_the_root() -> None:
    inner = b"7 0 obj\n<< /Type /Pages /Parent 2 0 R /Count 3 /Kids [] >>\nendobj\n"
    outlines = b"8 0 obj\n<< /Type /Outlines /Count 4000 >>\nendobj\n"
    assert pdf_facts(pdf(9) + inner + outlines).pages == 9


def test_a_linearised_file_says_it_in_front() -> None:
    raw = b"%PDF-1.5\n1 0 obj\n<< /Linearized 1 /L 9 /H [ 9 9 ] /O 3 /E 9 /N 321 /T 9 >>\nendobj\n"
    assert pdf_facts(raw).pages == 321


def test_unknown_stays_unknown() -> None:
    assert pdf_facts(b"%PDF-1.7\n/ObjStm stream\r\nnot deflated\nendstream") == PdfFacts(
        None, encrypted=False
    )
    assert pdf_facts(b"") == PdfFacts(None, encrypted=False)


@given(st.binary(max_size=200), st.integers(0, 400))
def test_damage_is_no_crash(noise: bytes, cut: int) -> None:
    whole = pdf(5, packed=True)
    for raw in (whole[:cut] + noise + whole[cut:], whole[:cut] + noise, noise * 5):
        facts = pdf_facts(raw)
        assert facts.pages is None or facts.pages >= 0
