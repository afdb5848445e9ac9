"""One HTTP exchange, written to the connection by hand: full speed, and every way to break it."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Final, Literal

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from headway.testing.fake_api.rate_headers import Headers

REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Payload Too Large",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
MAX_BODY: Final = 32 * 1024 * 1024
"""Largest body the Messages API takes, in bytes."""
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class Sent(web.StreamResponse):
    """Tells aiohttp that the answer is on the wire already."""

    def __init__(self, keep_alive: bool) -> None:
        super().__init__()
        self._keep_alive = keep_alive

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Nothing is left to send."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to send."""


class GoneError(ConnectionError):
    """The client has closed the connection."""


class Exchange:
    """A request and the connection its answer goes to."""

    def __init__(self, request: web.BaseRequest, arrived: float, request_id: str) -> None:
        self.request = request
        self.arrived = arrived
        """Loop time at which the head of the request was there."""
        self.request_id = request_id
        self.keep_alive = request.keep_alive
        self._chunked = False

    async def read(self, most: int = MAX_BODY) -> bytes | None:
        """The whole body, or ``None`` if it is larger than the API takes (it is read all the same)."""
        request = self.request
        if request.headers.get("Expect", "").lower() == "100-continue":
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if (request.content_length or 0) <= most and "Transfer-Encoding" not in request.headers:
            return await request.content.read()
        parts: list[bytes] = []
        size = 0
        while part := await request.content.readany():
            size += len(part)
            if size <= most:
                parts.append(part)
        return b"".join(parts) if size <= most else None

    def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer with a Content-Length."""
        self._write(_head(status, headers, f"content-length: {len(body)}", self.keep_alive) + body)

    def half_answer(self, status: int, headers: Headers, body: bytes, sent: int) -> None:
        """The head of a whole answer and only the first ``sent`` bytes of its body."""
        self._write(_head(status, headers, f"content-length: {len(body)}", self.keep_alive) + body[:sent])

    def begin_stream(self, headers: Headers) -> None:
        """The head of a chunked 200."""
        self._write(_head(200, headers, "transfer-encoding: chunked", self.keep_alive))
        self._chunked = True

    def chunk(self, data: bytes) -> None:
        """A piece of a chunked body."""
        self._write(b"%x\r\n%b\r\n" % (len(data), data))

    def end_stream(self) -> None:
        """The clean end of a chunked body."""
        self._write(b"0\r\n\r\n")

    @property
    def unsent(self) -> int:
        """Bytes of the answer that still wait for the client to read."""
        transport = self.request.transport
        return transport.get_write_buffer_size() if isinstance(transport, asyncio.WriteTransport) else 0

    def break_off(self, how: Literal["fin", "rst"]) -> None:
        """End the connection: in order, so that the client misses the rest, or by a reset."""
        self.keep_alive = False
        transport = self.request.transport
        if transport is None:
            return
        if how == "rst":
            connection = transport.get_extra_info("socket")
            if connection is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.close()

    def _write(self, data: bytes) -> None:
        transport = self.request.transport
        if not isinstance(transport, asyncio.WriteTransport) or transport.is_closing():
            raise GoneError
        transport.write(data)


def _head(status: int, headers: Headers, framing: str, keep_alive: bool) -> bytes:
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Error')}", framing]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if not keep_alive:
        lines.append("connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
