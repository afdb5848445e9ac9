"""One attempt through any ``AsyncAnthropic``: a complete message or a failure, never an exception."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

import anyio

from headway.adapters.anthropic.answer import message_of, read_answer, unreadable
from headway.adapters.anthropic.arguments import arguments_of, prepared
from headway.adapters.anthropic.connect import (
    RESERVED_FILES,
    fingerprint,
    open_file_limit,
    pool_is_full,
    pool_size,
    require_async,
    with_scheduler,
)
from headway.adapters.anthropic.counting import TokenCounter
from headway.adapters.anthropic.endpoints import EndpointPace
from headway.adapters.anthropic.failures import rejected, rejection_of
from headway.adapters.anthropic.headers import report_of
from headway.adapters.anthropic.loops import move_to_this_loop
from headway.adapters.anthropic.models import AnthropicModels
from headway.adapters.anthropic.stream_attempt import AnthropicStreamAttempt
from headway.adapters.anthropic.structured import parsed
from headway.adapters.anthropic.token import TokenSource
from headway.core.catalog import BUILT_IN, Catalog
from headway.core.error_kind import ErrorKind, Scope
from headway.core.failure import Failure
from headway.core.limits import NO_REPORT, OnHeaders
from headway.core.model_suggestion import suggest
from headway.core.request import Request
from headway.ports import Rejection, Reply, StreamSource

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic, AsyncAPIResponse
    from anthropic.lib.streaming import AsyncMessageStream
    from anthropic.types import Message

    from headway.adapters.anthropic.batches import AnthropicBatches
    from headway.adapters.anthropic.endpoints import EndpointPace
    from headway.adapters.anthropic.middleware import SchedulerMiddleware

STREAM_FROM: Final = 21_334
"""``max_tokens`` from which an answer may outlast a plain response's ten minutes (SDK 2.12,
``_calculate_nonstreaming_timeout``: 3600 s for 128,000 tokens); such jobs are streamed inside."""
ADVICE_WITHIN: Final = 5.0
"""Seconds that jobs of an unknown model wait for the list of models; after that the built-in table has to do."""


class AnthropicTransport:
    """Sends through a copy of the given client that shares its connections and has no retries of its own."""

    def __init__(
        self, client: AsyncAnthropic, catalog: Catalog = BUILT_IN, *, owned: bool = False, ask: bool = True
    ) -> None:
        require_async(client)
        self._owner = client if owned else None
        self._client = client.with_options(max_retries=0)
        messages = self._client.messages
        self._plain = frozenset(inspect.signature(messages.create).parameters)
        self._streamed = frozenset(inspect.signature(messages.stream).parameters)
        self._account = fingerprint(client)
        self._token = TokenSource(self._client)
        self.models = AnthropicModels(self._client, catalog, ask=ask)
        """What the Models API says, on top of the ``catalog``; nobody is asked unless ``ask``."""
        self._pace = EndpointPace()
        self.count_tokens = TokenCounter(self._client, self._pace, self._move_here).count
        """How many input tokens a request has, by the API's own count; ``None``: it cannot say."""
        self._scouts = _streams_alike(client)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connections = min(pool_size(client), max(8, open_file_limit() - RESERVED_FILES))

    @property
    def client(self) -> AsyncAnthropic:
        """What it sends through."""
        return self._client

    @property
    def account(self) -> str:
        """Base URL and a hash of the credential: names the limits, does not reveal the key."""
        return self._account

    @property
    def connections(self) -> int | None:
        """Size of the client's pool, within the open-file limit."""
        return self._connections

    def prepare(self, request: Request) -> Request:
        """The request with the schema of its ``output_format`` written out."""
        return prepared(request)

    async def send(
        self, request: Request, *, streamed: bool = False, on_headers: OnHeaders | None = None
    ) -> Reply | Rejection:
        """Send one attempt; a scout as a stream, whose headers come before its answer."""
        token = self._token.current
        try:
            await self._move_here()
            request = self.prepare(request)
            if not self._scouts:
                on_headers = None
            if streamed or on_headers is not None or request.max_tokens >= STREAM_FROM:
                result = await self._send_streamed(request, on_headers)
            else:
                result = await self._send_plain(request)
        except Exception as error:  # noqa: BLE001 - every failure becomes a value; cancellation passes
            result = rejection_of(error, request=request, pool_full=pool_is_full(self._client))
        return self._judged(token, result)

    def _judged(self, token: int, result: Reply | Rejection) -> Reply | Rejection:
        """A 401 that a new access token may mend is another failure."""
        if isinstance(result, Reply):
            self._token.accept(token)
            return result
        return replace(result, failure=self._token.judge(token, result.failure))

    async def advise(self, failure: Failure, request: Request) -> Failure:
        """The nearest ids and the newest of the line, where the model is not known to the API."""
        if failure.scope is not Scope.MODEL:
            return failure
        said = suggest(request.model, self.models.catalog)
        with anyio.move_on_after(ADVICE_WITHIN):
            said = await self.models.suggest(request.model)
        return replace(failure, message=f"{failure.message.rstrip('. ')}. {said}")

    async def _send_plain(self, request: Request) -> Reply | Rejection:
        create = cast("Callable[..., Awaitable[object]]", self._client.messages.with_raw_response.create)
        try:
            response = await create(**arguments_of(request, self._plain))
        except ValueError as error:
            if "Streaming is required" in str(error):  # the SDK knows slow models of its own
                return await self._send_streamed(request)
            raise
        if not hasattr(response, "http_response"):  # a middleware of the client answered by itself
            return read_answer(request, response, None, NO_REPORT, None)
        raw = cast("AsyncAPIResponse[Message]", response)
        report = report_of(request, raw.headers)
        try:
            message = cast("object", await raw.parse())
        except Exception as error:  # noqa: BLE001 - whatever breaks here is the fault of the body
            return unreadable(request, error, report, raw.request_id)
        return read_answer(request, message, raw.http_response.text, report, raw.request_id)

    async def _send_streamed(
        self, request: Request, on_headers: OnHeaders | None = None
    ) -> Reply | Rejection:
        """For scouts, and for answers that may take longer than the API holds a plain response open."""
        async with self._client.messages.stream(**arguments_of(request, self._streamed)) as stream:
            headers = stream.response.headers
            report = report_of(request, headers)
            request_id = headers.get("request-id")
            if on_headers is not None:
                on_headers(report)
            complete = False
            try:
                if "json" in headers.get("content-type", ""):
                    # a gateway that does not stream, and the caller did not ask it to
                    text = (await stream.response.aread()).decode(errors="replace")
                    return read_answer(request, message_of(text), text, report, request_id)
                async for event in stream:
                    complete = complete or event.type == "message_stop"
                message = stream.current_message_snapshot if complete else None
                if message is not None and on_headers is not None:  # nobody asked for a stream
                    message = message_of(message.to_json(indent=None, warnings=False))
            except Exception as error:  # noqa: BLE001 - whatever breaks here is the fault of the stream
                return unreadable(request, error, report, request_id)
        if message is None:
            problem = "the stream ended before message_stop"
            return rejected(ErrorKind.STREAM_CUT, problem, report, status=200, request_id=request_id)
        return read_answer(request, message, None, report, request_id)

    async def open_stream(self, request: Request) -> AnthropicStreamAttempt | Rejection:
        """Send one streamed attempt; returns when the headers of a good response have arrived."""
        token = self._token.current
        try:
            await self._move_here()
            request = self.prepare(request)
            create = cast("Callable[..., Awaitable[Any]]", self._client.messages.create)
            attempt = AnthropicStreamAttempt(
                await create(**arguments_of(request, self._plain), stream=True), request
            )
        except Exception as error:  # noqa: BLE001 - every failure becomes a value; cancellation passes
            rejection = rejection_of(error, request=request, pool_full=pool_is_full(self._client))
            return replace(rejection, failure=self._token.judge(token, rejection.failure))
        self._token.accept(token)
        return attempt

    def present(self, source: StreamSource, request: Request) -> AsyncMessageStream[Any]:
        """The SDK's own stream object over ``source``."""
        from headway.adapters.anthropic.message_stream import HeadwayMessageStream

        return HeadwayMessageStream(source, request.output_format)

    async def _move_here(self) -> None:
        if self._loop is not (here := asyncio.get_running_loop()):
            self._loop = here
            await move_to_this_loop(self._client)

    def equipped(self, middleware: SchedulerMiddleware) -> AsyncAnthropic:
        """The client with one more middleware, next to the wire."""
        middleware.token, middleware.pace = self._token, self._pace
        return with_scheduler(self._client, middleware)

    def revive(self, body: str, request: Request) -> Message:
        """The message of a stored body, as the SDK would have given it."""
        message = message_of(body)
        if request.output_format is None:
            return message
        return parsed(message, request.output_format, strict=False)

    def batches(self, pace: EndpointPace | None = None) -> AnthropicBatches:
        """The Message Batches API through the same client; ``pace`` if others keep it too."""
        from headway.adapters.anthropic.batches import AnthropicBatches

        return AnthropicBatches(self._client, pace=pace or self._pace, token=self._token)

    async def aclose(self) -> None:
        """Close the client if it was made for this transport."""
        if self._owner is not None:
            await self._owner.close()


def _streams_alike(client: AsyncAnthropic) -> bool:
    """Whether a plain call may be sent as a stream with nobody noticing. Other clouds want a permission of its own
    for streams, and a middleware of the user's may expect plain answers."""
    from anthropic import AsyncAnthropic

    return type(client) is AsyncAnthropic and not client.middleware
