"""Small files of every kind that the tests of images, documents and files send about."""

from __future__ import annotations

import base64
import struct
import zlib

MODEL = "claude-sonnet-5-5"
OLD_MODEL = "claude-haiku-4-5"
"""100 images and 100 pages."""


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def png(width: int, height: int) -> bytes:
    """As much of a PNG as its size takes."""
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + b"\x08\x02\x00\x00\x00"


def jpeg(width: int, height: int) -> bytes:
    return b"\xff\xd8\xff\xc2" + struct.pack(">HBHH", 11, 8, height, width) + b"\x03" * 8


def bmp(size: int = 64) -> bytes:
    return b"BM" + struct.pack("<IHHI", size, 0, 0, 54) + struct.pack("<I", 40) + b"\x01" * (size - 18)


def pdf(pages: int, *, packed: bool = False, encrypted: bool = False, spare: int = 0) -> bytes:
    """A PDF with a flat page tree; ``packed`` puts the tree into an object stream."""
    kids = " ".join(f"{10 + page} 0 R" for page in range(pages))
    tree = f"<< /Type /Pages /Kids [{kids}] /Count {pages} /Resources << /Font << /F1 3 0 R >> >> >>".encode()
    leaves = [b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>"] * pages
    out = [b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"]
    if packed:
        inside = zlib.compress(b"2 0 10 400 " + tree + b" ".join(leaves))
        head = b"5 0 obj\n<< /Type /ObjStm /N 2 /First 11 /Filter /FlateDecode /Length %d >>\nstream\r\n"
        out.append(head % len(inside) + inside + b"\nendstream\nendobj\n")
    else:
        out.append(b"2 0 obj\n" + tree + b"\nendobj\n")
        out += [b"%d 0 obj\n%b\nendobj\n" % (10 + index, leaf) for index, leaf in enumerate(leaves)]
    out.append(b"4 0 obj\n<< /Length %d >>\nstream\n%b\nendstream\nendobj\n" % (spare, b"\x7f" * spare))
    security = b" /Encrypt 9 0 R" if encrypted else b""
    out.append(b"trailer\n<< /Root 1 0 R%b >>\nstartxref\n0\n%%%%EOF\n" % security)
    return b"".join(out)


def image(data: str, media_type: str = "image/png") -> dict[str, object]:
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def document(data: str, media_type: str = "application/pdf") -> dict[str, object]:
    return {"type": "document", "source": {"type": "base64", "media_type": media_type, "data": data}}


def body(*blocks: object, model: str = MODEL) -> dict[str, object]:
    """One user turn with these blocks and a question."""
    content = [*blocks, {"type": "text", "text": "What is this?"}]
    return {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": content}]}
