"""One image made acceptable: converted, scaled down, recompressed. Blocking work, for a thread.

Kept: the rotation that EXIF asks for (applied to the pixels), transparency, the colour profile. Dropped: all other
metadata, and the further frames of an animation (the model sees one picture). A TIFF of several pages is refused
rather than cut down to one.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image, ImageOps, JpegImagePlugin

from headway.adapters.images.heic import enable_heic
from headway.core.byte_size import shown
from headway.core.media_type import IMAGES, sniff
from headway.preflight.rule import UnrepairableError

MOST_PIXELS: Final = 200_000_000
"""Pixels of a JPEG at most: phones make such. It is decoded at a reduced scale. Other formats are decoded whole;
there Pillow's own bound against decompression bombs holds (``Image.MAX_IMAGE_PIXELS``, 89 million)."""
_READ: Final = (
    "AVIF", "BMP", "DIB", "GIF", "HEIF", "ICNS", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM", "PSD", "QOI",
    "SGI", "TGA", "TIFF", "WEBP",
)  # fmt: skip
"""What is opened. Formats that run a program to be read (EPS) or draw (WMF) are not."""
_LOSSY: Final = frozenset({"image/jpeg", "image/webp", "image/heic", "image/heif", "image/avif"})
_QUALITIES: Final = (92, 85, 75, 65)
"""Tried in turn until the file is small enough; below that fewer pixels look better than more artefacts."""
_SHRINK: Final = 0.75
_CLEAR: Final = 255


@dataclass(frozen=True, slots=True)
class Refit:
    """An image that the API takes."""

    data: str
    """Base64."""
    media_type: str
    old: str
    """``image/heic 4032×3024, 3.1 MB``."""
    new: str


def refit(data: str, side: int, most: int) -> Refit:
    """The image in base64 ``data`` with at most ``side`` pixels a side and ``most`` characters of base64.

    Raises `UnrepairableError` in words that can be shown: they name formats and sizes, never contents.
    """
    try:
        raw = binascii.a2b_base64(data)
    except ValueError:
        raise UnrepairableError("is not base64") from None
    declared = sniff(raw[:4096]) or "unknown format"
    try:
        return _refit(raw, declared, side, most)
    except UnrepairableError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnrepairableError(f"({declared}) has more pixels than are safe to decode") from None
    except MemoryError:
        raise UnrepairableError(f"({declared}) does not fit into memory") from None
    except Image.UnidentifiedImageError:
        raise UnrepairableError(f"({declared}, {shown(len(raw))}) is nothing that Pillow can read") from None
    except Exception as error:  # noqa: BLE001 - a damaged file makes Pillow raise almost anything
        raise UnrepairableError(f"({declared}) cannot be decoded: {type(error).__name__}") from None


def _refit(raw: bytes, media_type: str, side: int, most: int) -> Refit:
    with _opened(raw, media_type) as opened:
        width, height = opened.size
        if width * height > MOST_PIXELS:
            raise UnrepairableError(
                f"({media_type}, {width}×{height}) has more pixels than are safe to decode"
            )
        if opened.format == "TIFF" and getattr(opened, "n_frames", 1) > 1:
            raise UnrepairableError("is a TIFF of several pages: send each as an image, or all as a PDF")
        target = _fit(opened.size, side)
        if isinstance(opened, JpegImagePlugin.JpegImageFile):
            opened.draft(None, target)
        profile = opened.info.get("icc_profile") if opened.mode in ("RGB", "RGBA", "L") else None
        image = _plain(ImageOps.exif_transpose(opened))
    target = _fit(image.size, side)
    changed = target != image.size or media_type not in IMAGES
    if target != image.size:
        image = _resized(image, target)
    encoded, made, size = _encoded(image, media_type, most, changed, profile)
    old = f"{media_type} {width}×{height}, {shown(len(raw))}"
    new = f"{made} {size[0]}×{size[1]}, {shown(len(encoded) * 0.75)}"
    return Refit(encoded, made, old, new)


def _opened(raw: bytes, media_type: str) -> Image.Image:
    file = io.BytesIO(raw)
    if media_type == "image/jpeg":  # by its own class: Image.open would warn of what a draft decodes cheaply
        return JpegImagePlugin.JpegImageFile(file)
    if media_type in ("image/heic", "image/heif"):
        enable_heic()
    Image.init()
    return Image.open(file, formats=[name for name in _READ if name in Image.OPEN])


def _fit(size: tuple[int, int], side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    # Pillow's annotations name numpy, which is not needed and not there.
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)  # pyright: ignore[reportUnknownMemberType]


def _plain(image: Image.Image) -> Image.Image:
    """In a mode that every accepted format can hold: L, RGB, or RGBA if anything is transparent."""
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    if image.mode in ("RGBA", "LA", "La", "RGBa", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        return image if image.getchannel("A").getextrema()[0] != _CLEAR else image.convert("RGB")
    if image.mode in ("1", "L"):
        return image.convert("L")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey scaled to 8; other deep greys by their own range."""
    grey = image.convert("F")
    low, high = 0.0, 65535.0
    if not image.mode.startswith("I;16"):
        found_low, found_high = grey.getextrema()
        if not (isinstance(found_low, float) and isinstance(found_high, float)):
            raise UnrepairableError("has a pixel format that Pillow cannot reduce to 8 bits")
        low, high = (
            (0.0, 65535.0) if 255 < found_high <= 65535 and found_low >= 0 else (found_low, found_high)
        )
    scale = 255.0 / ((high - low) or 1.0)
    shifted = grey.point(lambda value: value * scale - low * scale)  # pyright: ignore[reportUnknownMemberType]
    return shifted.convert("L")


def _encoded(
    image: Image.Image, media_type: str, most: int, changed: bool, profile: bytes | None
) -> tuple[str, str, tuple[int, int]]:
    """Base64, media type and size of the first encoding that is small enough."""
    while True:
        for made, options in _ways(image, media_type, changed):
            file = io.BytesIO()
            image.save(file, made.partition("/")[2], icc_profile=profile, **options)
            if 4 * -(-file.tell() // 3) <= most:
                return base64.b64encode(file.getbuffer()).decode("ascii"), made, image.size
        smaller = _fit(image.size, max(1, int(max(image.size) * _SHRINK)))
        if smaller == image.size:
            raise UnrepairableError(f"does not get below {shown(most)}")
        image, changed = _resized(image, smaller), True


def _ways(image: Image.Image, media_type: str, changed: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Media types and options of ``Image.save``, best first: what came without loss stays so if it can."""
    if media_type not in _LOSSY and changed:
        yield "image/png", {}
    lossy = "image/webp" if image.mode == "RGBA" or media_type == "image/webp" else "image/jpeg"
    for quality in _QUALITIES:
        yield lossy, {"quality": quality}
