"""Found, repaired and accepted: each fault of images, documents and sizes over real HTTP."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping

import pytest
from http_house import House, Open

from headway import FilePolicy, RequestRejectedError
from headway.adapters.anthropic.files import FilesTool
from headway.adapters.images import ImagesTool
from headway.core.error_kind import ErrorKind
from headway.preflight.body_size import MOST_BODY, wire_size
from headway.preflight.check import check
from headway.preflight.facts import Body, facts_for
from headway.preflight.policy import RepairPolicy
from headway.preflight.repair import repair
from headway.preflight.rule import Mended
from media_samples import MODEL, b64, body, document, image, jpeg, pdf, png

pytestmark = pytest.mark.anyio
ALL = RepairPolicy("repair")


async def send(house: House, request: Body) -> ErrorKind | None:
    """The kind of failure with which the API refuses a request; ``None``: it was accepted."""
    async with house.scheduler() as scheduler:
        try:
            await scheduler.submit(dict(request))
        except RequestRejectedError as error:
            return error.failure.kind
    return None


async def mend(request: Body, *tools: ImagesTool | FilesTool, after: ErrorKind | None = None) -> Mended:
    """As a job is repaired: the rules first, then each tool with what is still found."""
    mended = repair(request, facts_for(request), ALL, after)
    for tool in tools:
        findings = check(mended.body, facts_for(mended.body), ALL)
        more = await tool.mend(mended.body, findings, after)
        mended = Mended(more.body, (*mended.changes, *more.changes))
    return mended


PURE = [
    image(base64.encodebytes(png(90, 90)).decode()),
    image("data:image/png;base64," + b64(png(9, 9))),
    image(b64(jpeg(9, 9)), "image/png"),
    image(b64(png(9, 9)), "image/jpg"),
    document(b64(pdf(1)), "pdf"),
    document(base64.encodebytes(pdf(1)).decode()),
    document(b64(b"Some text"), "text/markdown"),
]


@pytest.mark.parametrize("block", PURE)
async def test_what_the_rules_mend_by_themselves(house: Open, block: dict[str, object]) -> None:
    h = await house()
    request = body(block)
    assert await send(h, request) is ErrorKind.INVALID_REQUEST
    mended = await mend(request)
    assert len(mended.changes) == 1
    assert await send(h, mended.body) is None
    assert check(mended.body, facts_for(mended.body), ALL) == []


async def test_images_that_pillow_mends(house: Open) -> None:
    pillow = pytest.importorskip("PIL.Image")

    def saved(size: tuple[int, int], kind: str) -> str:
        file = io.BytesIO()
        pillow.new("RGB", size, (9, 99, 200)).save(file, kind)
        return b64(file.getvalue())

    h = await house()
    small = image(saved((20, 20), "PNG"))
    cases: list[tuple[list[Mapping[str, object]], ErrorKind]] = [
        ([image(saved((20, 20), "BMP"), "image/bmp")], ErrorKind.INVALID_REQUEST),
        ([image(saved((20, 20), "TIFF"), "image/png")], ErrorKind.INVALID_REQUEST),
        ([image(saved((8100, 20), "JPEG"), "image/jpeg")], ErrorKind.IMAGE_TOO_LARGE),
        ([*[small] * 20, image(saved((2100, 20), "PNG"))], ErrorKind.IMAGE_TOO_LARGE),
    ]
    for blocks, kind in cases:
        request = body(*blocks)
        assert await send(h, request) is kind
        mended = await mend(request, ImagesTool())
        assert len(mended.changes) == 1
        assert await send(h, mended.body) is None


@pytest.mark.parametrize("backend", ["httpx2"])
async def test_an_image_of_more_than_ten_megabytes(house: Open) -> None:
    pillow = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    pillow.effect_noise((3000, 2700), 99).save(file, "PNG", compress_level=0)
    request = body(image(b64(file.getvalue())))
    h = await house()
    assert await send(h, request) is ErrorKind.INVALID_REQUEST
    mended = await mend(request, ImagesTool())
    (change,) = mended.changes
    assert str(change.old).startswith("image/png 3000×2700, 8.1 MB")
    assert await send(h, mended.body) is None


# Each client sees one kind of 413. aiohttp wishes for a stream where the SDK hands it the whole body.
@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
@pytest.mark.parametrize(("backend", "page"), [("httpx2", False), ("aiohttp", True)])
async def test_a_body_over_32_mb_goes_by_reference(house: Open, page: bool) -> None:
    h = await house(too_large_as_page=page)
    paper = document(b64(pdf(3, spare=25_200_000)))
    request = body(paper, document(b64(pdf(2, spare=100_000))))
    assert wire_size(request) > MOST_BODY
    assert await send(h, request) is ErrorKind.REQUEST_TOO_LARGE
    tool = FilesTool(h.client, FilePolicy(delete_after_job=True))
    mended = await mend(request, ImagesTool(), tool)
    (change,) = mended.changes
    assert (change.rule, change.path) == ("size", "messages.0.content.0.source")
    assert str(change.old).startswith("base64 application/pdf, 33.6 MB")
    assert await send(h, mended.body) is None
    assert len([file async for file in h.client.files.list()]) == 1
    await tool.release(mended.changes)
    assert [file async for file in h.client.files.list()] == []


async def test_a_refusal_below_32_mb_is_believed(house: Open) -> None:
    """A gateway with a limit of its own."""
    h = await house()
    request = body(document(b64(pdf(3, spare=200_000))))
    tool = FilesTool(h.client)
    assert await mend(request, tool) == Mended(request, ())
    mended = await mend(request, tool, after=ErrorKind.REQUEST_TOO_LARGE)
    assert [change.rule for change in mended.changes] == ["size"]
    assert await send(h, mended.body) is None
    assert mended.body["model"] == MODEL
