"""Magic bytes against the formats' own names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.media_type import sniff
from media_samples import bmp, jpeg, pdf, png

HEIC = b"\x00\x00\x00\x18ftyp"
KNOWN = [
    (png(1, 1), "image/png"),
    (jpeg(1, 1), "image/jpeg"),
    (b"GIF89a\x01\x00\x01\x00", "image/gif"),
    (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp"),
    (bmp(), "image/bmp"),
    (b"II*\x00\x08\x00\x00\x00", "image/tiff"),
    (b"MM\x00*\x00\x00\x00\x08", "image/tiff"),
    (HEIC + b"heic\x00\x00\x00\x00mif1heic", "image/heic"),
    (HEIC + b"mif1\x00\x00\x00\x00mif1heic", "image/heic"),
    (HEIC + b"mif1\x00\x00\x00\x00mif1avif", "image/avif"),
    (HEIC + b"mif1\x00\x00\x00\x00mif1miaf", "image/heif"),
    (HEIC + b"avif\x00\x00\x00\x00mif1avif", "image/avif"),
    (HEIC + b"isom\x00\x00\x00\x00mp41mp42", None),
    (b"\x00\x00\x01\x00\x01\x00", "image/x-icon"),
    (pdf(1), "application/pdf"),
    (b"junk\n%PDF-1.4", "application/pdf"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'>", "image/svg+xml"),
    (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- a -->\n<svg>", "image/svg+xml"),
    (b"<html><svg>", None),
    (b"P6\n2 2\n255\n", "image/x-portable-anymap"),
    (b"BMW is a car maker", None),
    (b"Plain text", None),
    (b"PK\x03\x04", None),
    (b"", None),
]


@pytest.mark.parametrize(("head", "media_type"), KNOWN)
def test_what_a_file_is(head: bytes, media_type: str | None) -> None:
    assert sniff(head) == media_type


@given(st.binary(max_size=64), st.sampled_from([raw for raw, kind in KNOWN if kind]))
def test_what_follows_the_signature_does_not_matter(tail: bytes, head: bytes) -> None:
    assert sniff(head + tail) == sniff(head)


@given(st.binary(max_size=64))
def test_any_bytes_have_an_answer(raw: bytes) -> None:
    assert sniff(raw) is None or "/" in str(sniff(raw))
