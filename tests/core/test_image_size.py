"""Sizes read from the first bytes, tokens by the formula, garbage without a crash."""

from __future__ import annotations

import base64
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.image_size import image_tokens, pixels
from headway.core.tokens import IMAGE_TOKENS, measure

STANDARD = (1568, 1568)
HIGH = (2576, 4784)


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + b"\x08\x02\x00\x00\x00"


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x00" * 8


def jpeg(width: int, height: int, preview: int = 0) -> bytes:
    app = b"\xff\xe1" + struct.pack(">H", preview + 2) + b"\xff" * preview
    return b"\xff\xd8" + app + b"\xff\xc2" + struct.pack(">HBHH", 11, 8, height, width) + b"\x03" * 8


def webp_lossy(width: int, height: int) -> bytes:
    return (
        b"RIFF" + b"\x00" * 4 + b"WEBPVP8 " + b"\x00" * 10 + struct.pack("<HH", width, height) + b"\x00" * 8
    )


def webp_lossless(width: int, height: int) -> bytes:
    return (
        b"RIFF"
        + b"\x00" * 4
        + b"WEBPVP8L"
        + b"\x00" * 4
        + b"\x2f"
        + struct.pack("<I", (height - 1) << 14 | (width - 1))
        + b"\x00" * 8
    )


def webp_extended(width: int, height: int) -> bytes:
    return (
        b"RIFF"
        + b"\x00" * 4
        + b"WEBPVP8X"
        + b"\x00" * 8
        + (width - 1).to_bytes(3, "little")
        + (height - 1).to_bytes(3, "little")
    )


def text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize("make", [png, gif, jpeg, webp_lossy, webp_lossless, webp_extended])
def test_every_format(make: object) -> None:
    assert pixels(text(make(640, 480))) == (640, 480)  # type: ignore[operator]


def test_a_jpeg_with_a_preview_before_its_size() -> None:
    assert pixels(text(jpeg(4000, 3000, preview=20_000))) == (4000, 3000)


@pytest.mark.parametrize(
    ("size", "tier", "tokens"),
    [
        ((28, 28), STANDARD, 1),
        ((29, 28), STANDARD, 2),
        ((1000, 1000), STANDARD, 36 * 36),
        ((4000, 1000), STANDARD, 56 * 14),
        ((1568, 1568), STANDARD, 1568),
        ((2576, 1288), HIGH, 92 * 46),
        ((8000, 8000), HIGH, 4784),
    ],
)
def test_the_formula(size: tuple[int, int], tier: tuple[int, int], tokens: int) -> None:
    assert image_tokens(text(png(*size)), *tier) == tokens


HEADS = st.sampled_from([png(9, 9), jpeg(9, 9), webp_lossy(9, 9)])


@given(st.binary(max_size=200) | st.builds(bytes.__add__, HEADS, st.binary(max_size=99)))
def test_garbage_is_no_crash(raw: bytes) -> None:
    for cut in (len(raw), len(raw) // 2):
        tokens = image_tokens(text(raw[:cut]), *STANDARD)
        assert tokens is None or (1 <= tokens <= 1568 and math.isfinite(tokens))


@pytest.mark.parametrize("data", ["", "!!!", "AAAA", "ü" * 40, text(png(0, 9))])
def test_what_is_no_image(data: str) -> None:
    assert image_tokens(data, *STANDARD) is None


def test_a_prompt_with_images_is_measured_by_the_models_tier() -> None:
    def fixed(model: str, data: str) -> float:
        block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
        return measure({"model": model, "messages": [{"role": "user", "content": [block]}]}).fixed

    big = text(png(8000, 8000))
    assert fixed("claude-haiku-4-5", big) < fixed("claude-opus-5-5", big)
    assert fixed("claude-opus-5-5", text(png(56, 56))) < 10
    assert fixed("claude-opus-5-5", "no image") > IMAGE_TOKENS


def test_a_jpeg_with_a_long_preamble_and_fill_bytes() -> None:
    profile = b"\xff\xe2" + struct.pack(">H", 65_535) + b"\x00" * 65_533
    raw = b"\xff\xd8" + profile * 9 + b"\xff" + jpeg(8001, 30)[6:]
    assert pixels(text(raw + b"\x00" * 3)) == (8001, 30)
