"""The Message Batches API through any ``AsyncAnthropic``: each call once, at the endpoint's pace, with our failures.

The body of a creation is written in a thread, some requests at a time, and the results are read line by line: the
SDK (2.12) would hold up the event loop for more than a second with 100,000 requests, and its decoder ends at the
first line that is no JSON. Results are asked for below the client's own base URL: ``results_url`` may name another
host than the gateway that the key is for.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, get_args

import httpx2
from anyio.lowlevel import checkpoint

from headway.adapters.anthropic.answer import read_answer
from headway.adapters.anthropic.arguments import item_of
from headway.adapters.anthropic.batch_body import UnwritableError, body_of
from headway.adapters.anthropic.batch_lines import CutOffError, lines_of, result_of
from headway.adapters.anthropic.endpoints import EndpointPace
from headway.adapters.anthropic.failures import rejected, rejection_of
from headway.adapters.anthropic.loops import move_to_this_loop
from headway.adapters.anthropic.token import TokenSource
from headway.core.batch_info import LIFETIME, BatchInfo, BatchItem, BatchResult, BatchStatus
from headway.core.error_kind import ErrorKind
from headway.core.failure import Failure, failure_of
from headway.core.limits import NO_REPORT
from headway.core.request import Request
from headway.errors import BatchCallError
from headway.ports import Rejection, Reply

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic.types.messages import MessageBatch

T = TypeVar("T")
PATH: Final = "/v1/messages/batches"
PAGE: Final = 100
"""Batches listed with one call (the API gives 1 to 1000)."""
_WITHOUT: Final = frozenset({"AsyncAnthropicBedrock", "AsyncAnthropicVertex"})
"""Clients of the SDK (2.12) that refuse every call to it."""
_STATUSES: Final = frozenset(get_args(BatchStatus))


class AnthropicBatches:
    """A `BatchTransport`."""

    def __init__(
        self, client: AsyncAnthropic, *, pace: EndpointPace | None = None, token: TokenSource | None = None
    ) -> None:
        self._client = client.with_options(max_retries=0)
        self._pace = pace or EndpointPace()
        self._token = token or TokenSource(self._client)
        self.unavailable = _unavailable(client)
        """Why this client has no batches, if it has none: every call then fails with it."""

    def item(self, custom_id: str, request: Request) -> BatchItem:
        """A request as an item of a batch."""
        return item_of(custom_id, request)

    async def create_batch(self, items: Sequence[BatchItem] | AsyncIterable[BatchItem]) -> BatchInfo:
        """Create a batch. Raises ValueError when the items' headers differ."""
        try:
            body = await body_of(items)
        except UnwritableError as error:
            raise BatchCallError(rejection_of(error).failure, "creating a batch") from None
        doing = f"creating a batch of {body.requests:,} requests"

        async def send() -> MessageBatch:
            from anthropic.types.messages import MessageBatch

            given = {"content-type": "application/json", "content-length": str(body.size), **body.headers}
            options: Any = {"headers": given}
            return await self._client.post(PATH, content=body, cast_to=MessageBatch, options=options)

        return _info(await self._call("POST", doing, send), doing)

    async def look(self, batch_id: str) -> BatchInfo:
        """How a batch is getting on."""
        doing = f"looking at batch {batch_id}"
        batches = self._client.messages.batches
        return _info(await self._call("GET", doing, lambda: batches.retrieve(batch_id)), doing)

    async def cancel_batch(self, batch_id: str) -> BatchInfo:
        """Begin to cancel a batch."""
        doing = f"cancelling batch {batch_id}"
        batches = self._client.messages.batches
        return _info(await self._call("POST", doing, lambda: batches.cancel(batch_id)), doing)

    async def list_batches(self, *, since: float | None = None) -> AsyncGenerator[BatchInfo]:
        """The batches of the workspace, newest first, page by page."""
        doing = "listing the batches"
        seen: set[str] = set()

        async def first() -> Any:
            return await self._client.messages.batches.list(limit=PAGE)

        page = await self._call("GET", doing, first)
        while True:
            fresh = [info for batch in _data(page, doing) if (info := _info(batch, doing)).id not in seen]
            for info in fresh:
                if since is not None and info.created_at < since:
                    return
                seen.add(info.id)
                yield info
            if not fresh or not page.has_next_page():  # a gateway without pages may repeat the first for ever
                return
            page = await self._call("GET", doing, page.get_next_page)

    async def results(self, batch_id: str) -> AsyncGenerator[BatchResult]:
        """The results of an ended batch, as they are read."""
        async with aclosing(self.lines(batch_id)) as lines:
            async for line in lines:
                yield result_of(line)

    async def lines(self, batch_id: str) -> AsyncGenerator[bytes]:
        """The lines of its results as the API writes them, without the line ends."""
        doing = f"reading the results of batch {batch_id}"
        info = await self.look(batch_id)
        if info.status != "ended":
            problem = f"the batch is {info.status}; it has results when it has ended"
            raise BatchCallError(failure_of(ErrorKind.INVALID_REQUEST, problem), doing)
        if info.archived_at is not None:
            problem = "the batch has been archived: results are kept for 29 days"
            raise BatchCallError(failure_of(ErrorKind.NOT_FOUND, problem), doing)

        async def open_results() -> httpx2.Response:
            options: Any = {"headers": {"accept": "application/x-jsonl, application/binary"}}
            get = cast("Callable[..., Awaitable[httpx2.Response]]", self._client.get)
            return await get(
                f"{PATH}/{info.id}/results", cast_to=httpx2.Response, options=options, stream=True
            )

        response = await self._call("GET", doing, open_results)
        try:
            async with aclosing(_lines(response, doing)) as lines:
                async for line in lines:
                    yield line
        finally:
            await response.aclose()

    def read(self, result: BatchResult, request: Request) -> Reply | Rejection | None:
        """What a result is for the job of this request."""
        if isinstance(result.error, Failure):
            return Rejection(result.error)
        if result.type == "succeeded":
            return read_answer(request, result.message, None, NO_REPORT, None)
        return None

    async def _call(self, method: str, doing: str, send: Callable[[], Awaitable[T]]) -> T:
        """One call. The SDK's exception, which holds the key, goes no further, not even as a context."""
        if self.unavailable:
            raise BatchCallError(failure_of(ErrorKind.CLIENT_ERROR, self.unavailable), doing)
        await self._pace.wait(method, PATH)
        token = self._token.current
        try:
            await move_to_this_loop(self._client)
            answer = await send()
        except Exception as error:  # noqa: BLE001 - every failure becomes one of ours; cancellation passes
            failure = self._token.judge(token, rejection_of(error).failure)
        else:
            self._token.accept(token)
            return answer
        raise BatchCallError(failure, doing)


async def _lines(response: httpx2.Response, doing: str) -> AsyncGenerator[bytes]:
    try:
        if "html" in response.headers.get("content-type", ""):
            failure = failure_of(ErrorKind.MALFORMED, "status 200, but the body is a page, not results")
        else:
            async with aclosing(lines_of(_chunks(response))) as lines:
                async for line in lines:
                    yield line
            return
    except CutOffError:
        failure = failure_of(ErrorKind.STREAM_CUT, "the results end in the middle of a line")
    except Exception as error:  # noqa: BLE001 - every failure becomes one of ours; cancellation passes
        failure = rejection_of(error, answering=True).failure
    raise BatchCallError(failure, doing)


async def _chunks(response: httpx2.Response) -> AsyncGenerator[bytes]:
    async for chunk in response.aiter_bytes():
        yield chunk
        await checkpoint()  # a body that is there already makes nobody wait


def _data(page: object, doing: str) -> list[object]:
    data: object = getattr(page, "data", None)
    if not isinstance(data, list):
        raise _malformed("list of batches", doing)
    return cast("list[object]", data)


def _info(batch: object, doing: str) -> BatchInfo:
    """The SDK validates nothing, so nothing is taken for granted."""
    batch_id, status = getattr(batch, "id", None), getattr(batch, "processing_status", None)
    created_at = _moment(batch, "created_at")
    if not isinstance(batch_id, str) or not batch_id or status not in _STATUSES or created_at is None:
        raise _malformed("batch", doing)
    counts: object = getattr(batch, "request_counts", None)
    expires_at = _moment(batch, "expires_at")
    return BatchInfo(
        batch_id,
        cast("BatchStatus", status),
        created_at,
        created_at + LIFETIME if expires_at is None else expires_at,
        _moment(batch, "ended_at"),
        _count(counts, "processing"),
        _count(counts, "succeeded"),
        _count(counts, "errored"),
        _count(counts, "canceled"),
        _count(counts, "expired"),
        _moment(batch, "cancel_initiated_at") is not None,
        _moment(batch, "archived_at"),
    )


def _malformed(what: str, doing: str) -> BatchCallError:
    return BatchCallError(
        rejected(ErrorKind.MALFORMED, f"status 200, but the body is no {what}", status=200).failure, doing
    )


def _moment(batch: object, name: str) -> float | None:
    value: object = getattr(batch, name, None)
    return value.timestamp() if isinstance(value, datetime) else None


def _count(counts: object, name: str) -> int:
    value: object = getattr(counts, name, None)
    return value if isinstance(value, int) and value > 0 else 0


def _unavailable(client: AsyncAnthropic) -> str | None:
    names = {base.__name__ for base in type(client).__mro__}
    if names & _WITHOUT or getattr(client.messages, "batches", None) is None:  # Foundry's is None
        return f"{type(client).__name__} has no Message Batches API; use lane='live'"
    return None
