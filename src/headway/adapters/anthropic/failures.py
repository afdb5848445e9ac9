"""The one edge where the SDK's exceptions become values.

An SDK exception holds its request, and that holds the API key: none leaves this module, not even as a cause.
What is raised when was observed on SDK 2.12 with both of its HTTP backends (tests/adapters).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, cast

import aiohttp
import anthropic
import httpx2
from anthropic.lib.credentials import WorkloadIdentityError

from headway.adapters.anthropic.foreign import foreign_message
from headway.adapters.anthropic.headers import http_date, report_of, retry_after
from headway.core.body_size import sizes
from headway.core.error_kind import ErrorKind, Scope
from headway.core.failure import ErrorResponse, Failure, classify, failure_of
from headway.core.limits import NO_REPORT, LimitReport
from headway.core.request import Request
from headway.ports import Rejection

LONGEST_MESSAGE: Final = 2000
"""Characters kept of an error message: a proxy may answer with a book."""
MONTHLY_CAP: Final = "enforced_spend_limit_reached"
"""The tier's own cap, which ends with the month (https://platform.claude.com/docs/en/api/rate-limits)."""
SHORTEST_ID: Final = 6
"""A shorter model id may stand in any message by chance."""
_ON_THE_WAY: Final = (
    anthropic.APIConnectionError,
    httpx2.RequestError,
    httpx2.InvalidURL,
    aiohttp.ClientError,
    OSError,
)
_REFUSED_BY_SDK: Final = (TypeError, ValueError, AttributeError, LookupError, Warning)
"""What the SDK raises on parameters that it cannot write down."""
_MEANING: Final[tuple[tuple[tuple[type[BaseException], ...], ErrorKind], ...]] = (
    ((httpx2.LocalProtocolError, httpx2.UnsupportedProtocol, httpx2.InvalidURL), ErrorKind.CLIENT_ERROR),
    ((httpx2.PoolTimeout,), ErrorKind.POOL_TIMEOUT),
    # No connection was made, so nothing was sent. (aiohttp's pool timeout looks the same: hence `pool_full`.)
    (
        (
            httpx2.ConnectTimeout,
            httpx2.ProxyError,
            httpx2.TooManyRedirects,
            aiohttp.ClientConnectorError,
            aiohttp.ConnectionTimeoutError,
            aiohttp.ServerFingerprintMismatch,
        ),
        ErrorKind.CONNECTION,
    ),
    ((httpx2.DecodingError,), ErrorKind.MALFORMED),
    (
        (httpx2.ReadTimeout, httpx2.WriteTimeout, aiohttp.ServerTimeoutError, TimeoutError),
        ErrorKind.ATTEMPT_TIMEOUT,
    ),
    ((httpx2.ConnectError,), ErrorKind.CONNECTION),
    # Everything else that breaks does so after the request, or part of it, was sent.
    ((httpx2.NetworkError, httpx2.RemoteProtocolError, aiohttp.ClientError), ErrorKind.DISCONNECTED),
    # A RuntimeError is a connection of another event loop: written to, but never read.
    ((ConnectionResetError, ConnectionAbortedError, BrokenPipeError, RuntimeError), ErrorKind.DISCONNECTED),
)


def rejection_of(
    error: Exception, *, answering: bool = False, request: Request | None = None, pool_full: bool = False
) -> Rejection:
    """What an exception of the SDK or of its transport means. Never raises.

    ``answering``: it was raised while a 200 was being read, so the request itself was in order.
    ``request``: fast mode and ``standard_only`` have limits of their own. ``pool_full``: all connections of
    the client are in use.
    """
    if isinstance(error, anthropic.APIStatusError):
        return refused(error.response, error.body, request)
    if isinstance(error, anthropic.APIResponseValidationError | json.JSONDecodeError | UnicodeDecodeError):
        return rejected(ErrorKind.MALFORMED, "status 200, but the body is not a message")
    if isinstance(error, _ON_THE_WAY):
        return _of_connection(error, pool_full=pool_full)
    if answering:
        return rejected(ErrorKind.MALFORMED, f"status 200, but the body cannot be read: {_name(error)}")
    if isinstance(error, anthropic.CredentialsError):
        return rejected(ErrorKind.AUTHENTICATION, f"no credential: {_name(error)}")
    if isinstance(error, WorkloadIdentityError):  # it may quote a token
        status = error.status_code
        kind = ErrorKind.UNAVAILABLE if status is not None and status >= 500 else ErrorKind.AUTHENTICATION
        return rejected(kind, f"the token exchange failed: {_name(error)} with status {status}")
    if isinstance(error, TypeError) and "authentication method" in str(error):
        return rejected(ErrorKind.AUTHENTICATION, "the client has no API key and no token")
    if isinstance(error, _REFUSED_BY_SDK):
        return rejected(ErrorKind.INVALID_REQUEST, f"the SDK refused the request: {_words(error)}")
    return rejected(ErrorKind.INTERNAL, f"{_name(error)}: {_words(error)}")


def rejected(
    kind: ErrorKind,
    message: str,
    report: LimitReport = NO_REPORT,
    *,
    status: int | None = None,
    request_id: str | None = None,
) -> Rejection:
    """A rejection that did not come as an error response."""
    return Rejection(replace(failure_of(kind, message), status=status, request_id=request_id), report)


def refused(response: httpx2.Response, body: object, request: Request | None) -> Rejection:
    """What a response with an error status means; ``body`` is its JSON, or whatever came in its place."""
    headers = response.headers
    report = report_of(request, headers)
    error = _mapping(_mapping(body).get("error"))
    message = _text(error.get("message")) or foreign_message(body)
    if not message:
        kind = headers.get("content-type", "no content type").split(";")[0]
        message = f"HTTP status {response.status_code} with a body of {kind} in place of an API error"
    answer = ErrorResponse(
        status=response.status_code,
        type=_text(error.get("type")),
        error_code=_text(_mapping(error.get("details")).get("error_code")),
        message=message,
        request_id=headers.get("request-id") or _text(_mapping(body).get("request_id")),
        retry_after=retry_after(headers, datetime.now(UTC)),
        report=report,
        side_limit=_side_limit(body),
    )
    return Rejection(_completed(classify(answer), response, request), report)


def _completed(failure: Failure, response: httpx2.Response, request: Request | None) -> Failure:
    """The failure with what only the exchange itself tells."""
    if failure.error_code == MONTHLY_CAP and failure.resumes_at is None:
        now = http_date(response.headers.get("date")) or datetime.now(UTC)
        until = start_of_next_month(now)
        return replace(
            failure,
            resumes_at=until.strftime("%Y-%m-%dT%H:%M:%SZ"),
            message=f"{failure.message.rstrip('.')}. It ends on {until:%Y-%m-%d} at 00:00 UTC.",
        )
    if failure.kind is ErrorKind.REQUEST_TOO_LARGE and request is not None:
        length = _length_of(response)
        return replace(failure, message=f"{failure.message} {sizes(request.params, length)}".rstrip())
    unnamed = failure.kind is ErrorKind.NOT_FOUND and failure.error_code is None
    if (
        unnamed
        and request is not None
        and len(request.model) >= SHORTEST_ID
        and request.model in failure.message
    ):
        return replace(failure, scope=Scope.MODEL)  # other platforms have words of their own
    return failure


def start_of_next_month(now: datetime) -> datetime:
    """When a tier's monthly spend cap ends: the 1st of the next month, 00:00 UTC."""
    year, month = divmod(now.year * 12 + now.month, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)


def _length_of(response: httpx2.Response) -> int | None:
    try:
        text = response.request.headers.get("content-length", "")
    except RuntimeError:  # a response that a middleware made has no request
        return None
    return int(text) if text.isdigit() else None


def _text(value: object) -> str | None:
    """A field of an error body, which may hold anything when it is not the API that answers."""
    return value[:LONGEST_MESSAGE] if isinstance(value, str) else None


def _mapping(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def _side_limit(body: object) -> int | None:
    """``error.details.max_side_length_pixels`` of a body. (The SDK's ``details`` may be of an unrelated class.)"""
    for name in ("error", "details", "max_side_length_pixels"):
        body = cast("dict[str, object]", body).get(name) if isinstance(body, dict) else None
    return body if isinstance(body, int) and not isinstance(body, bool) and body > 0 else None


def _of_connection(error: Exception, *, pool_full: bool) -> Rejection:
    for cause in _chain(error):
        if pool_full and isinstance(cause, httpx2.ConnectTimeout | aiohttp.ConnectionTimeoutError):
            return rejected(ErrorKind.POOL_TIMEOUT, "all connections of the client were in use for too long")
        if isinstance(cause, RuntimeError) and "closed" in str(cause) and "loop" not in str(cause):
            return rejected(ErrorKind.STOPPED, "the client was closed while jobs still needed it")
        if kind := _meaning(cause):
            return rejected(kind, f"{_name(cause)}: {_words_of_transport(cause)}")
    timeout = isinstance(error, anthropic.APITimeoutError)
    kind = ErrorKind.ATTEMPT_TIMEOUT if timeout else ErrorKind.CONNECTION
    return rejected(kind, " from ".join(_name(cause) for cause in _chain(error)))


def _meaning(cause: BaseException) -> ErrorKind | None:
    # The bridge to aiohttp turns every loss of a connection into a ConnectError, sent or not: look at its cause.
    if isinstance(cause, httpx2.ConnectError) and isinstance(cause.__cause__, aiohttp.ClientError):
        return None
    # aiohttp has no class of its own for this: the pool is gone, nothing was sent.
    if type(cause) is aiohttp.ClientConnectionError and "Connector is closed" in str(cause):
        return ErrorKind.CONNECTION
    for classes, kind in _MEANING:
        if isinstance(cause, classes):
            return kind
    if isinstance(cause, TypeError | AttributeError):  # a timeout that is not a number, for one
        return ErrorKind.INVALID_REQUEST
    # A request that cannot be written at all: usually white space inside the key's header.
    return ErrorKind.CLIENT_ERROR if isinstance(cause, ValueError) else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and its causes, outermost first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _name(error: BaseException) -> str:
    return type(error).__name__


def _words(error: BaseException) -> str:
    """An exception's text; pydantic's errors quote what they were given, which may be a prompt."""
    if callable(getattr(error, "errors", None)):
        return f"{_name(error)} in the parameters"
    return _text(str(error)) or _name(error)


def _words_of_transport(cause: BaseException) -> str:
    """Text of a transport error; a header that could not be written may quote the key, so it is left out."""
    if isinstance(cause, ValueError | httpx2.LocalProtocolError):
        return "a header cannot be written as HTTP; look for white space in the API key or extra_headers"
    if isinstance(cause, RuntimeError):
        return "the connection belongs to another event loop"
    return _text(str(cause)) or "no further details"
