"""Where the bytes of a request are."""

from __future__ import annotations

from headway.core.body_size import largest_parts, sizes

BIG = "x" * 3_000_000


def test_the_largest_parts_first() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": BIG}}
    params = {
        "model": "m",
        "system": "y" * 100_000,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "short"}, image]}],
    }
    assert largest_parts(params) == [
        ("messages.0.content.1.source.data", len(BIG)),
        ("system", 100_000),
    ]
    assert largest_parts(params, 1) == [("messages.0.content.1.source.data", len(BIG))]
    assert sizes(params, 35_000_000) == (
        "(the body has 35.0 MB; largest parts: messages.0.content.1.source.data 3.0 MB, system 0.1 MB)"
    )


def test_nothing_known_says_nothing() -> None:
    assert sizes({"model": "m", "messages": []}, None) == ""
    assert sizes({"model": "m"}, 1_000_000) == "(the body has 1.0 MB)"
