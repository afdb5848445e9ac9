"""The rule ``images``: what it finds, what it mends by itself, what it leaves to Pillow."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.core.error_kind import ErrorKind
from headway.preflight.check import check
from headway.preflight.facts import facts_for
from headway.preflight.policy import RepairPolicy
from headway.preflight.repair import repair
from headway.preflight.rule import Mended
from media_samples import MODEL, OLD_MODEL, b64, bmp, body, image, jpeg, pdf, png

ALL = RepairPolicy("off", rules={"images": "repair"})
SMALL = image(b64(png(100, 100)))


def found(request: dict[str, object]) -> list[tuple[str, str | None]]:
    return [(f.path, f.tool) for f in check(request, facts_for(request), ALL) if f.rule == "images"]


def mended(request: dict[str, object]) -> Mended:
    return repair(request, facts_for(request), ALL)


CASES = [
    ("not accepted", image(b64(bmp()), "image/bmp"), "image/bmp is not accepted", "images"),
    ("unknown", image(b64(b"who knows what this is")), "the data is not JPEG", "images"),
    ("a PDF", image(b64(pdf(1)), "application/pdf"), "a PDF in an image block", None),
    ("SVG", image(b64(b"<svg></svg>")), "svg+xml is not accepted", None),
    ("mismatch", image(b64(jpeg(9, 9)), "image/png"), "declared as 'image/png', but it is image/jpeg", None),
    ("image/jpg", image(b64(jpeg(9, 9)), "image/jpg"), "declared as 'image/jpg'", None),
    ("wide", image(b64(png(8001, 5))), "8001×5 pixels, 8000 a side", "images"),
    ("tall", image(b64(png(5, 8001))), "5×8001 pixels", "images"),
    ("large", image(b64(png(5, 5) + bytes(7_900_000))), "10.5 MB of base64, 10.5 MB are accepted", "images"),
    ("empty", image(""), "is empty", None),
    ("garbage", image("not base64!"), "white space", None),
    ("data URL", image("data:image/png;base64," + b64(png(9, 9))), "a data URL", None),
]


@pytest.mark.parametrize(("block", "words", "tool"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_what_is_wrong_with_an_image(block: dict[str, object], words: str, tool: str | None) -> None:
    request = body(SMALL, block)
    (finding,) = check(request, facts_for(request), ALL)
    assert (finding.path, finding.tool) == ("messages.0.content.1", tool)
    assert words in finding.problem
    assert finding.remedy.endswith(".")


def test_what_is_right_or_not_to_be_seen_is_left_alone() -> None:
    fine = [
        SMALL,
        image(b64(jpeg(8000, 8000)), "image/jpeg"),
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.bmp"}},
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "image"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": 5}},
    ]
    request = body(*fine)
    assert found(request) == []
    assert mended(request) == Mended(request, ())


def test_more_than_twenty_images_may_be_smaller_only() -> None:
    middling = image(b64(png(2001, 10)))
    nested = {"type": "tool_result", "tool_use_id": "t", "content": [SMALL, middling]}
    assert found(body(*[SMALL] * 18, nested)) == []
    assert found(body(*[SMALL] * 19, nested)) == [("messages.0.content.19.content.1", "images")]
    by_url = {"type": "image", "source": {"type": "url", "url": "https://example.com/x.png"}}
    assert found(body(*[by_url] * 20, middling)) == [("messages.0.content.20", "images")], (
        "they count as well"
    )


@pytest.mark.parametrize(("model", "most"), [(MODEL, 600), (OLD_MODEL, 100)])
def test_number_of_images(model: str, most: int) -> None:
    assert found(body(*[SMALL] * most, model=model)) == []
    assert found(body(*[SMALL] * (most + 1), model=model)) == [("messages", None)]
    assert found(body(*[SMALL] * 700, model="claude-unknown-9")) == [], (
        "what is not known is not complained about"
    )


@pytest.mark.parametrize(
    ("block", "paths"),
    [
        (image(b64(jpeg(9, 9)), "image/png"), ["source.media_type"]),
        (image(base64.encodebytes(png(9, 9)).decode()), ["source.data"]),
        (image("data:image/png;base64," + b64(jpeg(9, 9))), ["source.data", "source.media_type"]),
    ],
)
def test_base64_and_media_type_are_corrected(block: dict[str, object], paths: list[str]) -> None:
    request = body(SMALL, {**block, "cache_control": {"type": "ephemeral"}})
    before = repr(request)
    result = mended(request)
    assert [change.path for change in result.changes] == [f"messages.0.content.1.{path}" for path in paths]
    assert all(change.reason and change.rule == "images" for change in result.changes)
    assert found(dict(result.body)) == []
    assert result.body["messages"][0]["content"][1]["cache_control"], "the rest of the block stays"  # type: ignore[index]
    assert repr(request) == before, "the caller's request is not touched"
    assert mended(dict(result.body)) == Mended(result.body, ())


def test_what_only_pillow_can_mend_is_left_to_it() -> None:
    request = body(image(b64(bmp()), "image/bmp"), image(b64(png(9000, 9))))
    assert mended(request) == Mended(request, ())
    assert [tool for _, tool in found(request)] == ["images", "images"]


def test_thinking_bound_to_an_image_goes_with_it() -> None:
    thinking = {"type": "thinking", "thinking": "…", "signature": "s"}
    thought = {"role": "assistant", "content": [thinking, {"type": "text", "text": "a"}]}
    only = {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "x"}]}
    user = {"role": "user", "content": "next"}
    request = body(image(b64(jpeg(9, 9)), "image/png"))
    request["messages"] = [*request["messages"], thought, user, only, user]  # type: ignore[misc]
    result = mended(request)
    assert [change.path for change in result.changes] == [
        "messages.0.content.0.source.media_type",
        "messages.1.content",
        "messages.3.content",
    ]
    turns = result.body["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user", "user"]  # type: ignore[union-attr, index]
    assert turns[1]["content"] == [{"type": "text", "text": "a"}]  # type: ignore[index]
    older = mended({**request, "model": "claude-opus-4-8"})
    assert len(older.changes) == 1, "only some models check"
    late = {**request, "messages": [user, thought, *body(image(b64(jpeg(9, 9)), "image/png"))["messages"]]}  # type: ignore[misc]
    assert len(mended(late).changes) == 1, "what came before the image is not bound to it"


def test_the_api_may_know_better() -> None:
    request = body(SMALL)
    assert repair(request, facts_for(request), ALL, ErrorKind.IMAGE_TOO_LARGE) == Mended(request, ())


BLOCKS = st.recursive(
    st.sampled_from(
        [SMALL, image(b64(bmp())), image(b64(jpeg(9, 9))), image("!"), {"type": "text", "text": "x"}]
    )
    | st.builds(image, st.text(max_size=9), st.text(max_size=9))
    | st.dictionaries(
        st.sampled_from(["type", "source", "content"]), st.sampled_from(["image", 5, None, []])
    ),
    lambda inner: st.builds(
        lambda content: {"type": "tool_result", "content": content}, st.lists(inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=60)
@given(st.lists(BLOCKS, max_size=6))
def test_any_content_is_survived_and_repair_is_idempotent(blocks: list[object]) -> None:
    request = body(*blocks)
    once = mended(request)
    assert bool(once.changes) == (once.body != request)
    assert mended(dict(once.body)) == Mended(once.body, ())
    before, after = found(request), found(dict(once.body))
    assert len(after) <= len(before) or {tool for _, tool in after} == {"images"}
    for change in once.changes:
        assert (change.path.removesuffix(".source.media_type").removesuffix(".source.data"), None) in before
