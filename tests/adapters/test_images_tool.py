"""The repair tool ``images`` on real pictures, judged by Pillow and by the rule itself."""

from __future__ import annotations

import base64
import builtins
import io
import sys
import zlib
from typing import Any

import anyio
import pytest
from blockbuster import BlockBuster

from headway.adapters.images import ImagesTool
from headway.adapters.images import tool as tool_module
from headway.core.error_kind import ErrorKind
from headway.core.image_limits import MOST_BASE64
from headway.preflight.check import check
from headway.preflight.facts import facts_for
from headway.preflight.policy import RepairPolicy
from headway.preflight.rule import Mended, UnrepairableError
from media_samples import MODEL, b64, body, image

Image = pytest.importorskip("PIL.Image")
pytestmark = pytest.mark.anyio
ONLY = RepairPolicy("off", rules={"images": "repair"})


def saved(picture: Any, kind: str, **options: Any) -> str:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return b64(file.getvalue())


def flat(size: tuple[int, int] = (40, 20), mode: str = "RGB", colour: Any = None) -> Any:
    return Image.new(
        mode, size, colour if colour is not None else {"RGB": (200, 30, 30), "L": 99}.get(mode, 0)
    )


def opened(block: Any) -> Any:
    picture = Image.open(io.BytesIO(base64.b64decode(block["source"]["data"], validate=True)))
    picture.load()
    assert Image.MIME[picture.format] == block["source"]["media_type"]
    return picture


async def mend(
    request: dict[str, object], kind: ErrorKind | None = None, tool: ImagesTool | None = None
) -> Mended:
    """Mended as the findings ask; nothing may be found in it afterwards."""
    mended = await (tool or ImagesTool()).mend(request, check(request, facts_for(request), ONLY), kind)
    assert check(mended.body, facts_for(mended.body), ONLY) == []
    return mended


async def mended_picture(data: str, media_type: str = "image/png") -> Any:
    request = body({**image(data, media_type), "cache_control": {"type": "ephemeral"}})
    result = await mend(request)
    block = result.body["messages"][0]["content"][0]  # type: ignore[index]
    assert block["cache_control"] == {"type": "ephemeral"}
    (change,) = result.changes
    assert change.path == "messages.0.content.0"
    return opened(block)


@pytest.mark.parametrize(
    ("kind", "mode", "becomes"),
    [
        ("BMP", "RGB", "PNG"), ("TIFF", "L", "PNG"), ("TIFF", "CMYK", "PNG"), ("TIFF", "I;16", "PNG"),
        ("TIFF", "F", "PNG"), ("ICO", "RGBA", "PNG"), ("PPM", "RGB", "PNG"), ("TGA", "RGB", "PNG"),
        ("AVIF", "RGB", "JPEG"), ("JPEG2000", "RGB", "PNG"),
    ],
)  # fmt: skip
async def test_other_formats_are_converted(kind: str, mode: str, becomes: str) -> None:
    picture = flat((32, 32), mode)
    assert (await mended_picture(saved(picture, kind))).format == becomes


async def test_heic_is_converted() -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    picture = await mended_picture(saved(flat(), "HEIF"), "image/heic")
    assert (picture.format, picture.size) == ("JPEG", (40, 20))


async def test_heic_without_its_package_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    heic = b64(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(60))
    with pytest.raises(
        UnrepairableError, match=r"^messages\.0\.content\.0: the image is HEIC.*headway\[heic\]"
    ):
        await mend(body(image(heic)))


async def test_without_pillow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "PIL":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UnrepairableError, match=r"headway\[images\]"):
        await mend(body(image(b64(b"BM unknown"))))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_too_many_pixels_are_scaled_down_in_their_own_format(kind: str) -> None:
    if kind == "WEBP":
        request = body(
            *[image(saved(flat(), "PNG"))] * 20, image(saved(flat((2400, 30)), kind), "image/webp")
        )
        result = await mend(request)
        picture = opened(result.body["messages"][0]["content"][20])  # type: ignore[index]
        assert (picture.format, picture.size) == (kind, (2000, 25))
    else:
        picture = await mended_picture(saved(flat((8200, 41)), kind), Image.MIME[kind])
        assert (picture.format, picture.size) == (kind, (8000, 40))
    assert picture.convert("RGB").getpixel((5, 5))[0] == pytest.approx(200, abs=3)


async def test_changes_tell_old_and_new() -> None:
    result = await mend(body(image(saved(flat((8200, 41)), "PNG"))))
    (change,) = result.changes
    assert change.rule == "images"
    assert change.reason == "8200×41 pixels, 8000 a side are accepted"
    assert str(change.old).startswith("image/png 8200×41, ")
    assert str(change.new).startswith("image/png 8000×40, ")


async def test_too_many_bytes_are_recompressed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a lower limit, so that the pictures can be small."""
    monkeypatch.setattr("headway.preflight.rules.images.MOST_BASE64", 60_000)
    monkeypatch.setattr(tool_module, "MOST_BASE64", 60_000)
    noise = Image.effect_noise((400, 300), 90)
    assert (await mended_picture(saved(noise, "PNG"))).format == "JPEG"
    clear = noise.convert("RGB")
    clear.putalpha(noise)
    with_alpha = await mended_picture(saved(clear, "PNG"))
    assert (with_alpha.format, with_alpha.mode) == ("WEBP", "RGBA")
    stubborn = Image.effect_noise((1200, 900), 90)
    picture = await mended_picture(saved(stubborn, "JPEG", quality=99), "image/jpeg")
    assert picture.size[0] < 1200, "quality alone does not do it"
    assert picture.size[0] / picture.size[1] == pytest.approx(4 / 3, rel=0.02)


async def test_the_rotation_of_exif_is_kept() -> None:
    picture = flat((8200, 40), colour=(0, 0, 0))
    picture.paste((250, 250, 250), (0, 0, 4100, 40))  # left half is white
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned a quarter clockwise: left becomes top
    exif[0x010F] = "a camera"
    result = await mended_picture(saved(picture, "JPEG", exif=exif), "image/jpeg")
    assert result.size == (39, 8000)
    assert result.getpixel((20, 100))[0] > 200 > 50 > result.getpixel((20, 7900))[0]
    assert dict(result.getexif()) == {}, "the rest of the metadata is gone"


async def test_transparency_is_kept() -> None:
    palette = Image.new("P", (8100, 30))
    palette.putpalette([255, 0, 0, 0, 255, 0] + [0] * 762)
    for picture in (flat((8100, 30), "RGBA", (9, 9, 9, 128)), flat((8100, 30), "LA", (9, 128)), palette):
        options = {"transparency": 0} if picture is palette else {}
        result = await mended_picture(saved(picture, "PNG", **options))
        assert result.mode == "RGBA"
        assert result.getchannel("A").getextrema()[1] <= 128
    opaque = await mended_picture(saved(flat((8100, 30), "RGBA", (9, 9, 9, 255)), "PNG"))
    assert opaque.mode == "RGB"


async def test_sixteen_bits_become_eight() -> None:
    picture = flat((30, 30), "I;16", 40_000)
    assert (await mended_picture(saved(picture, "TIFF"))).getpixel((3, 3)) == 40_000 * 255 // 65_535


async def test_animations_are_left_or_become_their_first_frame() -> None:
    frames = [flat((30, 30)), flat((30, 30), colour=(0, 0, 9))]
    small = body(image(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]), "image/gif"))
    assert await mend(small) == Mended(small, ())
    frames = [flat((8100, 30)), flat((8100, 30), colour=(0, 0, 9))]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    picture = await mended_picture(data, "image/gif")
    assert (picture.format, getattr(picture, "n_frames", 1)) == ("PNG", 1)
    assert picture.convert("RGB").getpixel((9, 9))[0] == pytest.approx(200, abs=3)


async def test_a_tiff_of_several_pages_is_not_cut_down_to_one() -> None:
    data = saved(flat(), "TIFF", save_all=True, append_images=[flat()])
    with pytest.raises(UnrepairableError, match="TIFF of several pages"):
        await mend(body(image(data)))


@pytest.mark.parametrize(
    "raw", [b"who knows", b"BM" + bytes(12) + b"\x28" + bytes(70), b"II*\x00\x08\x00\x00\x00ab"]
)
async def test_what_is_no_picture_is_said_without_quoting_it(raw: bytes) -> None:
    with pytest.raises(UnrepairableError) as caught:
        await mend(body(image(b64(raw))))
    assert str(caught.value).startswith("messages.0.content.0: the image (")
    assert b64(raw) not in str(caught.value)


async def test_postscript_is_never_run() -> None:
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n"
    with pytest.raises(UnrepairableError, match="nothing that Pillow can read"):
        await mend(body(image(b64(eps))))


@pytest.mark.parametrize("kind", ["PNG", "BMP"])
async def test_decompression_bombs_are_refused(kind: str) -> None:
    data = bytearray(base64.b64decode(saved(flat((9000, 4)), kind)))
    if kind == "PNG":
        data[16:24] = (60_000).to_bytes(4) * 2
        data[29:33] = zlib.crc32(data[12:29]).to_bytes(4)
    else:
        data[18:26] = (60_000).to_bytes(4, "little") * 2
    with pytest.raises(UnrepairableError, match="more pixels than are safe"):
        await mend(body(image(b64(bytes(data)))))


async def test_a_huge_jpeg_is_decoded_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond Pillow's own bound, which is lowered here: a phone's 200 megapixels."""
    data = saved(flat((8400, 40)), "JPEG")
    with monkeypatch.context() as lowered:
        lowered.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
        result = await mend(body(image(data, "image/jpeg")))
    assert opened(result.body["messages"][0]["content"][0]).size == (8000, 38)  # type: ignore[index]
    monkeypatch.setattr("headway.adapters.images.refit.MOST_PIXELS", 8400 * 40 - 1)
    with pytest.raises(UnrepairableError, match="8400×40"):
        await mend(body(image(data, "image/jpeg")))


async def test_after_a_refusal_every_large_image_is_brought_to_2000() -> None:
    small, large = image(saved(flat(), "PNG")), image(saved(flat((3000, 30)), "PNG"))
    request = body(small, large)
    assert check(request, facts_for(request), ONLY) == []
    result = await mend(request, ErrorKind.IMAGE_TOO_LARGE)
    assert [change.path for change in result.changes] == ["messages.0.content.1"]
    assert opened(result.body["messages"][0]["content"][1]).size == (2000, 20)  # type: ignore[index]
    by_url = {"type": "image", "source": {"type": "url", "url": "https://example.com/x"}}
    with pytest.raises(UnrepairableError, match="URL or file id"):
        await mend(body(small, by_url), ErrorKind.IMAGE_TOO_LARGE)
    assert await mend(request, ErrorKind.INVALID_REQUEST) == Mended(request, ())


async def test_equal_images_are_worked_on_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from headway.adapters.images import refit as module

    seen: list[int] = []
    real = module.refit

    def counted(data: str, side: int, most: int) -> Any:
        seen.append(side)
        assert most == MOST_BASE64
        return real(data, side, most)

    monkeypatch.setattr(module, "refit", counted)
    data = saved(flat((8200, 41)), "PNG")
    tool = ImagesTool()
    first = await mend(body(image(data)), tool=tool)
    assert await mend(body(image(data)), tool=tool) == first
    assert len(seen) == 1
    forgetful = ImagesTool(remembered=0)
    for _ in range(2):
        assert await mend(body(image(data)), tool=forgetful) == first
    assert len(seen) == 3
    await tool.release(first.changes)


async def test_nothing_blocks_the_loop_and_the_caller_may_go() -> None:
    data = saved(flat((8200, 900)), "PNG")
    request = body(*[image(data), image(saved(flat((8300, 900)), "PNG"))])
    findings = check(request, facts_for(request), ONLY)
    tool = ImagesTool()
    await mend(body(image(data)), tool=tool)  # what is imported late is imported
    detector = BlockBuster()
    detector.activate()
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(tool.mend, request, findings, None)
            await anyio.sleep(0)
            group.cancel_scope.cancel()
        result = await tool.mend(request, findings, None)
    finally:
        detector.deactivate()
    assert len(result.changes) == 2
    assert result.body["model"] == MODEL
