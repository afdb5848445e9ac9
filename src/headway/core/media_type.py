"""What a file is, by its first bytes: the declared media type is often wrong, and the API checks it.

Signatures: https://www.iana.org/assignments/media-types/ and the formats' own specifications (ISO 14496-12 for
the ``ftyp`` box, RFC 9649 for WebP).
"""

from __future__ import annotations

import re
from typing import Final

IMAGES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
"""The images that the API takes (https://platform.claude.com/docs/en/build-with-claude/vision)."""
PDF: Final = "application/pdf"
SVG: Final = "image/svg+xml"
_SIGNATURES: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"II+\x00", "image/tiff"),
    (b"MM\x00+", "image/tiff"),
    (b"\x00\x00\x01\x00", "image/x-icon"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "image/jp2"),
    (b"\xff\x4f\xff\x51", "image/jp2"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "image/jxl"),
    (b"\xff\x0a", "image/jxl"),
    (b"8BPS", "image/vnd.adobe.photoshop"),
    (b"qoif", "image/qoi"),
)
_BRANDS: Final[dict[bytes, str]] = {
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs"), "image/heic"),
    **dict.fromkeys((b"mif1", b"msf1", b"mif2"), "image/heif"),
}
"""Brands of an ISO base media file that make it an image."""
_BMP_HEADERS: Final = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
"""Sizes a BMP's second header may have: two letters alone prove little."""
_SVG: Final = re.compile(rb"\s*(<\?xml[^>]*>\s*|<!--.*?-->\s*|<!DOCTYPE svg[^>]*>\s*)*<svg[\s>]", re.DOTALL)
_PNM: Final = re.compile(rb"P[1-7][\s#]")


def sniff(head: bytes) -> str | None:
    """The media type that the first bytes of a file (1 kB is plenty) show; ``None``: none that is known here."""
    for signature, media_type in _SIGNATURES:
        if head.startswith(signature):
            return media_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "image/bmp"
    if b"%PDF-" in head[:1024]:  # readers accept rubbish before it (ISO 32000, annex H)
        return PDF
    if _SVG.match(head.removeprefix(b"\xef\xbb\xbf")):
        return SVG
    return "image/x-portable-anymap" if _PNM.match(head) else None


def _by_brand(head: bytes) -> str | None:
    """The major brand, or the first compatible one that says more than "some image"."""
    size = min(int.from_bytes(head[:4]), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, size, 4))]
    found = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
    exact = (media_type for media_type in found if media_type != "image/heif")
    return next(exact, found[0] if found else None)
