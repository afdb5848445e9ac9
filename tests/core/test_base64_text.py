"""Base64 that the API takes, and what people send instead."""

from __future__ import annotations

import base64
import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.base64_text import flaw, head_bytes, tidied

RAW = bytes(range(256)) * 40
CLEAN = base64.b64encode(RAW).decode()


def variants(raw: bytes) -> dict[str, str]:
    clean = base64.b64encode(raw).decode()
    return {
        "data URL": f"data:image/png;base64,{clean}",
        "white space": base64.encodebytes(raw).decode(),
        "URL-safe": base64.urlsafe_b64encode(raw).decode(),
        "padding": clean.rstrip("="),
    }


def test_clean_base64_has_no_flaw() -> None:
    for size in (1, 2, 3, 3071, 3072, 3073, len(RAW)):
        assert flaw(base64.b64encode(RAW[:size]).decode()) is None


@pytest.mark.parametrize("name", variants(RAW))
def test_each_flaw_is_named_and_mended(name: str) -> None:
    broken = variants(RAW)[name]
    assert name in str(flaw(broken))
    assert base64.b64decode(str(tidied(broken))) == RAW


@pytest.mark.parametrize(
    "broken", ["!!", "AA=A" * 3000, CLEAN + "$", "ü" * 8, "data:image/png,abc", "A", "=", "===="]
)
def test_what_is_no_base64_cannot_be_mended(broken: str) -> None:
    assert flaw(broken)
    assert tidied(broken) is None
    assert tidied("") is None
    assert flaw("") == "is empty"


@given(
    st.binary(min_size=1, max_size=300), st.sampled_from(["data URL", "white space", "URL-safe", "padding"])
)
def test_tidying_keeps_the_bytes(raw: bytes, name: str) -> None:
    tidy = tidied(variants(raw)[name])
    assert tidy is not None
    assert flaw(tidy) is None
    assert base64.b64decode(tidy, validate=True) == raw
    assert tidied(tidy) == tidy


@given(st.text(max_size=60) | st.text("ABab01+/=-_ \n", max_size=60))
def test_whatever_comes_out_is_strict_base64(text: str) -> None:
    tidy = tidied(text)
    if tidy is not None:
        binascii.a2b_base64(tidy, strict_mode=True)
        assert flaw(tidy) is None


def test_only_the_head_is_decoded() -> None:
    assert head_bytes(CLEAN, 7) == RAW[:3]
    assert head_bytes("ü" * 100) == b""
