"""``/v1/files`` with the SDK as the client, and references to files in messages."""

from __future__ import annotations

import io
import re

import anthropic
import httpx2
import pytest

from headway.testing.fake_api import FakeAPI, FakeConfig
from media_samples import b64, body, document, image, pdf, png

pytestmark = pytest.mark.anyio


def refer(kind: str, file_id: str) -> dict[str, object]:
    return body({"type": kind, "source": {"type": "file", "file_id": file_id}})


async def test_the_life_of_a_file(start, backend):
    _, client = await start(backend=backend)
    content = pdf(2, spare=200_000)
    made = await client.files.upload(
        file=("dir/a b.pdf", io.BytesIO(content), "application/pdf"), expires_in_seconds=3600
    )
    assert (made.filename, made.mime_type, made.size_bytes) == ("a b.pdf", "application/pdf", len(content))
    assert (made.type, made.downloadable) == ("file", False)
    assert made.expires_at is not None
    assert (made.expires_at - made.created_at).total_seconds() == pytest.approx(3600)
    assert await client.files.retrieve_metadata(made.id) == made
    kept = await client.files.upload(file=("x.txt", b"\r\n--text\r\n", "text/plain"))
    assert (kept.expires_at, kept.size_bytes) == (None, 10)
    assert [file.id async for file in client.files.list(limit=1)] == [kept.id, made.id], "newest first"
    assert [file.id async for file in client.files.list(ids=[made.id, "file_none"])] == [made.id]
    assert (await client.files.delete(made.id)).type == "file_deleted"
    with pytest.raises(anthropic.NotFoundError, match="File not found"):
        await client.files.delete(made.id)
    with pytest.raises(anthropic.BadRequestError) as caught:
        await client.files.download(kept.id)
    assert caught.value.error_code == "file_not_downloadable"


async def test_wrong_uploads(start):
    api, client = await start(file_quota=100)
    for life in (3599, 7_776_001):
        with pytest.raises(anthropic.BadRequestError, match="expires_in_seconds"):
            await client.files.upload(file=("x", b"x", "text/plain"), expires_in_seconds=life)
    with pytest.raises(anthropic.BadRequestError, match="empty"):
        await client.files.upload(file=("x", b"", "text/plain"))
    await client.files.upload(file=("x", b"x" * 60, "text/plain"), expires_in_seconds=3600)
    with pytest.raises(anthropic.BadRequestError) as caught:
        await client.files.upload(file=("x", b"x" * 60, "text/plain"))
    assert caught.value.error_code == "storage_quota_exceeded"
    api.pass_time(3601)
    await client.files.upload(file=("x", b"x" * 60, "text/plain"))
    async with httpx2.AsyncClient(verify=False) as raw:
        key = {"x-api-key": "k"}
        for send in ({"json": {}}, {"files": {"other": b"x"}}):
            assert (await raw.post(f"{api.base_url}/v1/files", headers=key, **send)).status_code == 400
        assert (await raw.put(f"{api.base_url}/v1/files", headers=key)).status_code == 405
        assert (await raw.get(f"{api.base_url}/v1/files/a/b", headers=key)).status_code == 404
        assert (await raw.get(f"{api.base_url}/v1/files")).status_code == 401


async def test_messages_refer_to_files(start):
    api, client = await start()
    picture = await client.files.upload(file=("x.png", png(10, 10), "image/png"))
    paper = await client.files.upload(file=("x.pdf", pdf(1), "application/pdf"), expires_in_seconds=3600)
    for request in (refer("image", picture.id), refer("document", paper.id)):
        assert (await client.messages.create(**request)).stop_reason
    for request in (refer("document", picture.id), refer("image", paper.id), refer("image", 5)):
        with pytest.raises(anthropic.BadRequestError):
            await client.messages.create(**request)
    with pytest.raises(anthropic.NotFoundError, match="File not found: file_none"):
        await client.messages.create(**refer("image", "file_none"))
    api.pass_time(3601)
    with pytest.raises(anthropic.BadRequestError, match="expired"):
        await client.messages.create(**refer("document", paper.id))
    with pytest.raises(anthropic.NotFoundError) as caught:
        await client.files.download(paper.id)
    assert caught.value.error_code == "file_expired"
    assert (await client.files.retrieve_metadata(paper.id)).expires_at, "its metadata is still there"
    api.reset()
    assert [file async for file in client.files.list()] == []


async def test_rate_of_files(start):
    _, client = await start(files_per_minute=2)
    await client.files.list()
    await client.files.list()
    with pytest.raises(anthropic.RateLimitError):
        await client.files.list()


async def test_a_body_that_is_too_large_is_refused_by_the_api_or_the_gateway():
    for page, kind in ((False, "request_too_large"), (True, None)):
        with FakeAPI.in_thread(FakeConfig(too_large_as_page=page)) as api, httpx2.Client(verify=False) as raw:
            headers = {"x-api-key": "k", "anthropic-version": "2026-10-21"}
            content = b" " * (32 * 1024 * 1024 + 1)
            answer = raw.post(f"{api.base_url}/v1/messages", headers=headers, content=content)
            assert answer.status_code == 413
            assert ("cloudflare" in answer.text) is page
            assert ("request-id" in answer.headers) is not page
            if kind:
                assert answer.json()["error"]["type"] == kind
            api.pass_time(86_400)
            assert raw.post(f"{api.base_url}/_fake/time", json={"seconds": "soon"}).status_code == 400


REFUSED = [
    ([image("%%%%")], "Invalid base64 data"),
    ([image(b64(png(9, 9)) + "\n")], "Invalid base64 data"),
    ([image("data:image/png;base64," + b64(png(9, 9)))], "Invalid base64 data"),
    ([image(b64(png(9, 9)), "image/bmp")], "Input should be 'image/jpeg'"),
    ([image(b64(png(9, 9)), "image/jpeg")], "appears to be a image/png image"),
    ([image(b64(b"BM nothing"))], "Could not process image"),
    ([image(b64(png(9, 9) + bytes(8_000_000)))], "image exceeds 10 MB maximum"),
    ([image(b64(png(8001, 9)))], "exceed max allowed size: 8000 pixels"),
    ([image(b64(png(9, 9)))] * 20 + [image(b64(png(9, 2001)))], "many-image requests: 2000 pixels"),
    ([image(b64(png(9, 9)))] * 601, "0 document pages + 601 images > 600"),
    ([document(b64(pdf(601)))], "maximum of 600 PDF pages"),
    ([document(b64(pdf(1, encrypted=True)))], "password protected"),
    ([document(b64(png(9, 9)))], "not valid"),
    ([document(b64(pdf(1)), "text/plain")], "Input should be 'application/pdf'"),
    ([{"type": "image"}], "source: Field required"),
    ([{"type": "image", "source": {"type": "path"}}], "Input tag 'path'"),
]


@pytest.mark.parametrize(("blocks", "words"), REFUSED, ids=[words for _, words in REFUSED])
async def test_media_that_the_api_refuses(start, blocks, words):
    _, client = await start()
    with pytest.raises(anthropic.BadRequestError, match=re.escape(words)) as caught:
        await client.messages.create(**body(*blocks))
    assert caught.value.type == "invalid_request_error"


async def test_every_oversized_image_is_named(start):
    _, client = await start()
    nested = {"type": "tool_use", "id": "t", "name": "look", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [image(b64(png(9000, 9)))]}
    request = body() | {
        "messages": [
            *body(image(b64(png(9, 9000))))["messages"],
            {"role": "assistant", "content": [nested]},
            {"role": "user", "content": [result]},
        ]
    }
    with pytest.raises(anthropic.BadRequestError) as caught:
        await client.messages.create(**request)
    assert caught.value.error_code == "image_dimensions_too_large"
    details = caught.value.body["error"]["details"]
    assert details["max_side_length_pixels"] == 8000
    assert details["paths"] == ["messages.0.content.0", "messages.2.content.0.content.0"]
    with pytest.raises(anthropic.BadRequestError):
        await client.messages.count_tokens(model=request["model"], messages=request["messages"])
