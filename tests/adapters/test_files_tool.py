"""The repair tool ``files`` over real HTTP, with both of the SDK's HTTP clients."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass

import anyio
import httpx2
import pytest
from anthropic import AsyncAnthropic
from anthropic_rig import Rig, Start

from headway import FilePolicy
from headway.adapters.anthropic.files import FilesFailedError, FilesTool
from headway.adapters.anthropic.files import tool as tool_module
from headway.core.change import Change
from headway.core.error_kind import ErrorKind
from headway.core.request import Request
from headway.ports import Rejection, Reply
from headway.preflight.finding import Finding
from headway.preflight.rule import Mended, UnrepairableError
from headway.testing.clock import virtual_loop
from media_samples import MODEL, b64, body, document, image, pdf, png

pytestmark = pytest.mark.anyio
TOO_LARGE = [Finding("size", "messages", "too large", "", tool="files")]
LARGE = document(b64(pdf(3, spare=30_000)))
LARGER = document(b64(pdf(4, spare=60_000)))
TEXT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Länge " * 20_000}}
POLICY = FilePolicy(from_bytes=1000)


@pytest.fixture(autouse=True)
def low_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if 50 kB were the limit, so that the files can be small."""
    monkeypatch.setattr(tool_module, "TARGET", 50_000)


def sources(request: object) -> list[dict[str, object]]:
    return [block["source"] for block in request["messages"][0]["content"] if "source" in block]  # type: ignore[index]


async def send(rig: Rig, request: object) -> Reply | Rejection:
    return await rig.send(Request(request))  # type: ignore[arg-type]


def uploads(rig: Rig) -> int:
    return rig.api.stats.other_calls.get("POST /v1/files", 0)


async def test_the_largest_parts_go_by_reference(start: Start) -> None:
    rig = await start()
    tool = FilesTool(rig.client, POLICY)
    request = body(image(b64(png(9, 9))), LARGE, {**LARGER, "title": "T"}, TEXT)
    before = json.dumps(request)
    mended = await tool.mend(request, TOO_LARGE, None)
    assert json.dumps(request) == before
    kinds = [source["type"] for source in sources(mended.body)]
    assert kinds == ["base64", "base64", "file", "file"], "as few as it takes"
    assert mended.body["messages"][0]["content"][2]["title"] == "T"  # type: ignore[index]
    assert [change.path for change in mended.changes] == [
        "messages.0.content.3.source",
        "messages.0.content.2.source",
    ]
    pdf_change = mended.changes[1]
    assert str(pdf_change.old).startswith("base64 application/pdf, ")
    assert pdf_change.new == sources(mended.body)[2]
    assert isinstance(await send(rig, mended.body), Reply)
    file_id = str(sources(mended.body)[2]["file_id"])
    stored = await rig.client.files.retrieve_metadata(file_id)
    assert (stored.mime_type, stored.filename) == ("application/pdf", "headway.pdf")
    assert stored.expires_at is not None
    assert (stored.expires_at - stored.created_at).total_seconds() == 86_400
    text = await rig.client.files.retrieve_metadata(str(sources(mended.body)[3]["file_id"]))
    assert (text.mime_type, text.size_bytes) == ("text/plain", 140_000)


async def test_equal_contents_are_uploaded_once(start: Start) -> None:
    rig = await start()
    tool = FilesTool(rig.client, POLICY)
    results: list[Mended] = []

    async def one() -> None:
        results.append(await tool.mend(body(LARGER), TOO_LARGE, None))

    async with anyio.create_task_group() as group:
        for _ in range(12):
            group.start_soon(one)
    assert len({json.dumps(result.body) for result in results}) == 1
    assert uploads(rig) == 1
    assert (
        len(
            {
                await tool.upload(pdf(4, spare=60_000), "application/pdf"),
                sources(results[0].body)[0]["file_id"],
            }
        )
        == 1
    )
    other = await tool.upload(pdf(4, spare=60_000), "text/plain")
    assert other != sources(results[0].body)[0]["file_id"], "another type is another file"
    assert uploads(rig) == 2


async def test_a_file_near_its_expiry_is_not_given_to_further_jobs(start: Start) -> None:
    rig = await start()
    tool = FilesTool(rig.client, FilePolicy(expires_in=3600, from_bytes=1000))
    first = await tool.mend(body(LARGER), TOO_LARGE, None)
    later = anyio.current_time() + 0.76 * 3600
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tool_module.anyio, "current_time", lambda: later)
        second = await tool.mend(body(LARGER), TOO_LARGE, None)
    assert sources(first.body) != sources(second.body)
    assert uploads(rig) == 2
    forever = FilesTool(rig.client, FilePolicy(expires_in=None))
    stored = await rig.client.files.retrieve_metadata(await forever.upload(b"x", "text/plain"))
    assert stored.expires_at is None


async def test_a_lost_file_is_uploaded_again(start: Start) -> None:
    """Expired and deleted, for two jobs that share it."""
    rig = await start()
    tool = FilesTool(rig.client, FilePolicy(from_bytes=1000, delete_after_job=True))
    jobs = [await tool.mend(body(LARGE, LARGER), TOO_LARGE, None) for _ in range(2)]
    assert await tool.mend(jobs[0].body, [], ErrorKind.INVALID_REQUEST) == Mended(jobs[0].body, ()), (
        "it is there"
    )
    for lose in ("expire", "delete"):
        for source in sources(jobs[0].body):
            if source["type"] == "file" and lose == "delete":
                await rig.client.files.delete(str(source["file_id"]))
        if lose == "expire":
            rig.api.pass_time(86_401)
        for index, job in enumerate(jobs):
            refused = await send(rig, job.body)
            assert isinstance(refused, Rejection)
            renewed = await tool.mend(job.body, [], refused.failure.kind)
            assert [change.rule for change in renewed.changes] == ["files"]
            assert isinstance(await send(rig, renewed.body), Reply), lose
            jobs[index] = Mended(renewed.body, (*job.changes, *renewed.changes))
        assert jobs[0].body == jobs[1].body, "they share the new one as well"
    assert uploads(rig) == 3
    await tool.release(jobs[0].changes)
    assert isinstance(await send(rig, jobs[1].body), Reply), "the other still needs it"
    await tool.release(jobs[1].changes)
    assert isinstance(await send(rig, jobs[1].body), Rejection)
    assert [key for key in rig.api.stats.other_calls if key.startswith("DELETE")], "deleted, not expired"


async def test_a_lost_file_whose_content_is_gone_is_named(start: Start) -> None:
    rig = await start()
    strange = {"type": "document", "source": {"type": "file", "file_id": "file_of_yours"}}
    tool = FilesTool(rig.client, FilePolicy(from_bytes=1000, keep_bytes=0))
    with pytest.raises(UnrepairableError, match=r"file_of_yours has expired .* not uploaded by this run"):
        await tool.mend(body(strange), [], ErrorKind.NOT_FOUND)
    mended = await tool.mend(body(LARGER), TOO_LARGE, None)
    rig.api.pass_time(86_401)
    with pytest.raises(UnrepairableError, match="keep_bytes"):
        await tool.mend(mended.body, [], ErrorKind.INVALID_REQUEST)
    plain = body(image(b64(png(9, 9))))
    assert await tool.mend(plain, [], ErrorKind.NOT_FOUND) == Mended(plain, ()), "no file, no call"


@pytest.mark.parametrize("delete", [False, True])
async def test_deletion_after_the_last_job(start: Start, delete: bool) -> None:
    rig = await start()
    tool = FilesTool(rig.client, FilePolicy(from_bytes=1000, delete_after_job=delete))
    first = await tool.mend(body(LARGER), TOO_LARGE, None)
    second = await tool.mend(body(LARGER), TOO_LARGE, None)
    await tool.release(first.changes)
    assert isinstance(await send(rig, second.body), Reply)
    await tool.release([*second.changes, Change("max_tokens", "max_tokens", "", 1, 2)])
    assert isinstance(await send(rig, second.body), Rejection if delete else Reply)
    third = await tool.mend(body(LARGER), TOO_LARGE, None)
    assert uploads(rig) == (2 if delete else 1)
    assert isinstance(await send(rig, third.body), Reply)


async def test_a_file_of_the_users_own_is_not_deleted_with_a_job(start: Start) -> None:
    rig = await start()
    tool = FilesTool(rig.client, FilePolicy(from_bytes=1000, delete_after_job=True))
    file_id = await tool.upload(pdf(4, spare=60_000), "application/pdf")
    mended = await tool.mend(body(LARGER), TOO_LARGE, None)
    await tool.release(mended.changes)
    assert (await rig.client.files.retrieve_metadata(file_id)).id == file_id


async def test_a_failed_deletion_is_logged_and_no_more(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    rig = await start(files_per_minute=1)
    tool = FilesTool(rig.client, FilePolicy(from_bytes=1000, delete_after_job=True))
    mended = await tool.mend(body(LARGER), TOO_LARGE, None)
    with caplog.at_level(logging.WARNING, "headway"), pytest.MonkeyPatch.context() as patch:
        patch.setattr("headway.adapters.anthropic.files.calls._PATIENCE", patience(0.0))
        await tool.release(mended.changes)
    (record,) = caplog.records
    assert "deleting file_" in record.getMessage()
    assert "rate_limit" in record.getMessage()


def patience(seconds: float):
    from headway.core.retry import RetryPolicy

    return RetryPolicy(max_throttle_wait=seconds)


async def test_storage_quota(start: Start) -> None:
    rig = await start(file_quota=1000)
    tool = FilesTool(rig.client, POLICY)
    with pytest.raises(FilesFailedError, match="file storage is full; delete files") as caught:
        await tool.mend(body(LARGER), TOO_LARGE, None)
    assert caught.value.failure.error_code == "storage_quota_exceeded"
    assert "sk-test" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert uploads(rig) == 1


async def test_nothing_to_move(start: Start) -> None:
    rig = await start()
    tool = FilesTool(rig.client, POLICY)
    text = {"type": "text", "text": "x" * 60_000}
    with pytest.raises(UnrepairableError, match=r"would still have 60 kB.*messages\.0 \(60 kB\)"):
        await tool.mend(body(text), TOO_LARGE, None)
    with pytest.raises(UnrepairableError, match=r"largest: messages\.0\.content\.1 \(document"):
        await tool.mend(body({"type": "text", "text": "x" * 90_000}, LARGE), TOO_LARGE, None)
    small = body(LARGE)
    assert [s["type"] for s in sources((await tool.mend(small, [], ErrorKind.REQUEST_TOO_LARGE)).body)] == [
        "file"
    ]
    broken = document("!" * 60_000)
    with pytest.raises(UnrepairableError, match="not base64"):
        await tool.mend(body(broken), TOO_LARGE, None)
    assert await tool.mend(small, [], ErrorKind.IMAGE_TOO_LARGE) == Mended(small, ())


# Retries, pace, loops: a server in memory


@dataclass
class Scripted:
    """Answers in turn; the last one for ever."""

    answers: list[httpx2.Response | Exception]
    seen: int = 0

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        answer = self.answers[min(self.seen, len(self.answers) - 1)]
        self.seen += 1
        if isinstance(answer, Exception):
            raise answer
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)


def error(status: int, kind: str, **headers: str) -> httpx2.Response:
    fault = {"type": "error", "error": {"type": kind, "message": "no"}}
    return httpx2.Response(status, json=fault, headers=headers)


def good(number: int = 1) -> httpx2.Response:
    return httpx2.Response(
        200,
        json={
            "type": "file", "id": f"file_{number}", "filename": "f", "mime_type": "text/plain", "size_bytes": 1,
            "created_at": "2026-11-22T00:00:00Z",
        },
    )  # fmt: skip


def scripted(*answers: httpx2.Response | Exception) -> tuple[Scripted, AsyncAnthropic]:
    script = Scripted(list(answers))
    http_client = httpx2.AsyncClient(transport=httpx2.MockTransport(script), verify=False)
    return script, AsyncAnthropic(api_key="sk-test", http_client=http_client)


VIRTUAL = pytest.mark.parametrize(
    "anyio_backend", [("asyncio", {"loop_factory": virtual_loop})], ids=["virtual"]
)


@VIRTUAL
async def test_what_heals_is_tried_again() -> None:
    script, client = scripted(
        error(500, "api_error"), error(529, "overloaded_error"), httpx2.ConnectError("gone"),
        error(429, "rate_limit_error", **{"retry-after": "7"}), good(),
    )  # fmt: skip
    assert await FilesTool(client).upload(b"x", "text/plain") == "file_1"
    assert script.seen == 5
    assert anyio.current_time() >= 7 + 1, "Retry-After is a minimum, and so is the wait after a 529"


BROKEN = httpx2.Response(200, content=b"{oops", headers={"content-type": "application/json"})


@VIRTUAL
@pytest.mark.parametrize(
    ("answer", "kind", "seen"),
    [
        (error(401, "authentication_error"), ErrorKind.AUTHENTICATION, 1),
        (error(402, "billing_error"), ErrorKind.BILLING, 1),
        (error(403, "permission_error"), ErrorKind.PERMISSION, 1),
        (error(413, "request_too_large"), ErrorKind.REQUEST_TOO_LARGE, 1),
        (error(500, "api_error"), ErrorKind.API_ERROR, 3),
        (httpx2.ConnectError("gone"), ErrorKind.CONNECTION, 5),
        (BROKEN, ErrorKind.MALFORMED, 4),
    ],
)
async def test_what_does_not_heal_is_classified(
    answer: httpx2.Response | Exception, kind: ErrorKind, seen: int
) -> None:
    script, client = scripted(answer)
    with pytest.raises(FilesFailedError, match="uploading text/plain, 1 bytes: ") as caught:
        await FilesTool(client).upload(b"x", "text/plain")
    assert caught.value.failure.kind is kind
    assert script.seen == seen


@VIRTUAL
async def test_throttling_is_waited_for_within_bounds() -> None:
    script, client = scripted(error(429, "rate_limit_error"))
    with pytest.raises(FilesFailedError) as caught:
        await FilesTool(client).upload(b"x", "text/plain")
    assert caught.value.failure.kind is ErrorKind.RATE_LIMIT
    assert 500 < anyio.current_time() < 700
    assert script.seen < 30, "no busy polling"


@VIRTUAL
async def test_the_published_rate_is_kept() -> None:
    """500 at once, then one in 0.12 s."""
    script, client = scripted(*(good(number) for number in range(1, 601)))
    tool = FilesTool(client, FilePolicy(at_once=600))
    ended: list[float] = []

    async def one(number: int) -> None:
        await tool.upload(b"%d" % number, "text/plain")
        ended.append(anyio.current_time())

    async with anyio.create_task_group() as group:
        for number in range(600):
            group.start_soon(one, number)
    assert script.seen == 600
    assert sum(at < 1 for at in ended) == pytest.approx(500, abs=9)
    assert ended[-1] == pytest.approx(100 * 60 / 500, abs=1)


async def test_a_client_without_files_says_so() -> None:
    class AsyncBedrock:
        def with_options(self, **_: object) -> AsyncBedrock:
            return self

    tool = FilesTool(AsyncBedrock())  # type: ignore[arg-type]
    with pytest.raises(UnrepairableError, match="AsyncBedrock has no Files API"):
        await tool.upload(b"x", "text/plain")


async def test_too_large_for_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headway.adapters.anthropic.files.calls.MOST_FILE", 10)
    script, client = scripted(good())
    with pytest.raises(UnrepairableError, match="above the Files API's 10 bytes"):
        await FilesTool(client).upload(b"x" * 11, "text/plain")
    assert script.seen == 0


def in_a_loop_of_its_own(work: Callable[..., object], *args: object) -> object:
    return anyio.run(work, *args)


def test_the_next_event_loop_finds_the_files_of_the_last() -> None:
    async def both(tool: FilesTool, client_of: AsyncAnthropic) -> str:
        return await tool.upload(b"x", "text/plain")

    script, client = scripted(good())
    tool = FilesTool(client)
    assert {in_a_loop_of_its_own(both, tool, client) for _ in range(2)} == {"file_1"}
    assert script.seen == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"expires_in": 60},
        {"expires_in": 7_776_001},
        {"from_bytes": -1},
        {"requests_per_minute": 0},
        {"at_once": 0},
    ],
)
def test_a_policy_says_what_is_wrong_with_it(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"FilePolicy.*{next(iter(wrong))}"):
        FilePolicy(**wrong)


def test_the_model_of_the_samples() -> None:
    assert body()["model"] == MODEL
