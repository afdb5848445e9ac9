"""The scheduler inside any ``AsyncAnthropic``: every attempt of every Messages call stands in the queue.

SDK middleware runs once per HTTP attempt and may call on as often as it likes
(https://github.com/anthropics/anthropic-sdk-python, ``_middleware.py``). Errors that reach the caller are the
SDK's own: the last response is handed back, and the SDK makes its exception of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import anthropic
import httpx2
from anthropic import Middleware

from headway.adapters.anthropic.endpoints import EndpointPace, generates
from headway.adapters.anthropic.event_frames import MEDIA_TYPE, FrameReader
from headway.adapters.anthropic.failures import refused, rejected, rejection_of
from headway.adapters.anthropic.headers import report_of
from headway.adapters.anthropic.observed import ObservedStream
from headway.adapters.anthropic.readers import (
    BodyReader,
    EventReader,
    Reader,
    json_object,
    usage_of_body,
)
from headway.adapters.anthropic.token import STATIC, TokenSource
from headway.core.error_kind import ErrorKind
from headway.core.request import Request
from headway.core.scopes import NAMING_HEADERS
from headway.core.usage import NO_USAGE, Usage
from headway.errors import HeadwayError, JobFailedError
from headway.ports import Grant, Rejection, Reply, Visit

if TYPE_CHECKING:
    from anthropic import AsyncAPIResponse
    from anthropic._middleware import AsyncCallNext
    from anthropic._request import APIRequest
    from anthropic.types import Message

Admit = Callable[[Request], Visit]


class NotSentError(HeadwayError, anthropic.APIError):
    """headway did not send the call (deadline, shutdown, a dead account): an ``APIError``, so that whoever
    catches the SDK's errors catches it; ``failure`` says why. The SDK does not retry it."""

    def __init__(self, message: str, request: httpx2.Request, error: HeadwayError) -> None:
        anthropic.APIError.__init__(self, message, request, body=None)
        self.failure = error.failure if isinstance(error, JobFailedError) else None


class SchedulerMiddleware(Middleware):
    """Put it last in ``AsyncAnthropic(middleware=[…])``, after those that make requests of their own."""

    def __init__(self, admit: Admit, *, pace: EndpointPace | None = None, retries: bool = True) -> None:
        self._admit = admit
        self.pace = pace or EndpointPace()
        """Of the endpoints that do not generate: one for all who share a client."""
        self._retries = retries
        self.token: TokenSource | None = None
        """Of the client it was put into, where that is known."""

    async def handle_async(self, request: APIRequest, call_next: AsyncCallNext) -> AsyncAPIResponse[Any]:
        """One call of the SDK; with retries of our own, as many attempts as the decisions say."""
        body = request.json
        if not generates(request.method, request.url) or not isinstance(body, Mapping):
            await self.pace.wait(request.method, request.url)
            return await call_next(request)
        asked = Request(dict(cast("Mapping[str, object]", body)), _named(request))
        last: AsyncAPIResponse[Any] | None = None
        try:
            visit = self._admit(asked)
        except HeadwayError as error:
            raise _not_sent(error, request) from None
        while True:
            try:
                grant = await visit.turn()
            except HeadwayError as error:
                if last is not None:
                    return last
                raise _not_sent(error, request) from None
            response, again = await self._attempt(request, asked, call_next, visit, grant)
            if not again:
                return response
            last = response or last

    async def _attempt(
        self, request: APIRequest, asked: Request, call_next: AsyncCallNext, visit: Visit, grant: Grant
    ) -> tuple[Any, bool]:
        """The response and whether another attempt follows; raises what the SDK raised when none does."""
        token = self.token.current if self.token else STATIC
        try:
            response = await _answer(request, call_next)
        except Exception as error:
            if await visit.finish(rejection_of(error, request=asked), last=not self._retries):
                return None, True
            raise
        except BaseException:
            await visit.leave(sent=True)
            raise
        raw: httpx2.Response | None = getattr(response, "http_response", None)
        if raw is None:  # a middleware further in answered by itself: nothing was sent
            await visit.leave()
            return response, False
        try:
            return response, await self._understood(raw, request, asked, visit, grant, token)
        except BaseException:
            await visit.leave(sent=True)
            raise

    async def _understood(
        self,
        raw: httpx2.Response,
        request: APIRequest,
        asked: Request,
        visit: Visit,
        grant: Grant,
        token: int,
    ) -> bool:
        report = report_of(asked, raw.headers)
        request_id = raw.headers.get("request-id")
        if not raw.is_success:
            rejection = refused(raw, json_object(raw.content), asked)
            if self.token is not None:
                rejection = replace(rejection, failure=self.token.judge(token, rejection.failure))
            return await visit.finish(rejection, last=not self._retries)
        if self.token is not None:
            self.token.accept(token)
        if not raw.is_closed:
            grant.observe(report, visit.now())
            reader = _reader(raw, request_id) if request.stream else BodyReader()
            raw.stream = ObservedStream(raw, reader, _settler(visit, reader))
            return False
        if request.stream:  # read already, by a middleware further in
            reader = _reader(raw, request_id)
            with contextlib.suppress(ValueError):
                reader.feed(raw.content)
            if (cut := reader.problem()) is not None:
                broken = Rejection(cut, report, reader.usage)
                return await visit.finish(broken, last=not self._retries)
            return await visit.finish(_reply(reader.usage or NO_USAGE, raw, report))
        usage, problem = usage_of_body(raw.content)
        if usage is None:
            bad = rejected(ErrorKind.MALFORMED, str(problem), report, status=200, request_id=request_id)
            return await visit.finish(bad, last=not self._retries)
        return await visit.finish(_reply(usage, raw, report))


async def _answer(request: APIRequest, call_next: AsyncCallNext) -> AsyncAPIResponse[Any]:
    """The response; an error's has been read to its end, for its body says what it means."""
    response = await call_next(request)
    raw: httpx2.Response | None = getattr(response, "http_response", None)
    if raw is not None and not raw.is_success and not raw.is_closed:
        try:
            await raw.aread()
        except httpx2.TimeoutException as error:
            raise anthropic.APITimeoutError(raw.request) from error
        except httpx2.RequestError as error:
            raise anthropic.APIConnectionError(request=raw.request) from error
    return response


def _named(request: APIRequest) -> dict[str, object]:
    """The headers that say on whose behalf a call is made: a failure may concern that one only."""
    found = {name: value for name, value in request.headers.items() if name.lower() in NAMING_HEADERS}
    return {"extra_headers": found} if found else {}


def _reader(raw: httpx2.Response, request_id: str | None) -> Reader:
    events = EventReader(raw.status_code, request_id)
    framed = raw.headers.get("content-type", "").startswith(MEDIA_TYPE)
    return FrameReader(events, raw.status_code, request_id) if framed else events


def _settler(visit: Visit, reader: Reader) -> Callable[[Exception | None, bool], Any]:
    """What to do when an observed body has ended. It cannot be retried: the caller has read of it."""

    async def ended(error: Exception | None, whole: bool) -> None:
        problem = reader.problem()
        if problem is None:
            await visit.finish(_reply(reader.usage or NO_USAGE, None, None))
        elif error is not None:
            broken = rejection_of(error, answering=True)
            await visit.finish(Rejection(broken.failure, usage=reader.usage), last=True)
        elif whole:
            await visit.finish(Rejection(problem, usage=reader.usage), last=True)
        else:
            await visit.leave(reader.usage, sent=True)

    return ended


def _reply(usage: Usage, raw: httpx2.Response | None, report: Any) -> Reply:
    """What the scheduler needs to know; the message itself is the caller's business."""
    request_id = None if raw is None else raw.headers.get("request-id")
    given = {} if report is None else {"report": report}
    return Reply(cast("Message", None), "", usage, request_id=request_id, **given)


def _not_sent(error: HeadwayError, request: APIRequest) -> NotSentError:
    stand_in = httpx2.Request(request.method.upper(), "https://headway.invalid" + request.url)
    return NotSentError(f"not sent by headway: {error}", stand_in, error)
