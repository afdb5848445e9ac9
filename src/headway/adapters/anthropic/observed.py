"""The body of a response on its way to the caller: read along for usage, delayed by nothing, changed in nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import cast

import anyio
import httpx2

from headway.adapters.anthropic.readers import Reader


class ObservedStream(httpx2.AsyncByteStream):
    """Hands on the bytes of a response and tells its end exactly once: read to the end, broken, or closed."""

    def __init__(
        self,
        response: httpx2.Response,
        reader: Reader,
        ended: Callable[[Exception | None, bool], Awaitable[None]],
    ) -> None:
        """``ended`` is told the exception that broke the body, if any, and whether it was read to its end."""
        self._inner = cast("httpx2.AsyncByteStream", response.stream)
        self._reader = reader
        # The decoders are httpx2's own, so what the caller can read can be read along; a response of our own
        # makes them, because they keep state and the caller's response needs its own.
        twin = httpx2.Response(200, headers=response.headers)
        self._decoder = twin._get_content_decoder()  # pyright: ignore[reportPrivateUsage]
        self._readable = True
        self._ended: Callable[[Exception | None, bool], Awaitable[None]] | None = ended
        self._loop = asyncio.get_running_loop()

    @property
    def elapsed(self) -> timedelta | None:
        """What ``httpx2.Response.elapsed`` reads from the stream that it finds."""
        return getattr(self._inner, "elapsed", None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        parts = aiter(self._inner)
        try:
            try:
                async for data in parts:
                    self._feed(data)
                    yield data
            finally:
                if isinstance(parts, AsyncGenerator):
                    await parts.aclose()
        except Exception as error:
            await self._end(error, False)
            raise
        await self._end(None, True)

    def _feed(self, data: bytes) -> None:
        if not self._readable:
            return
        try:
            for decoded in self._decoder.decode(data):
                self._reader.feed(decoded)
        except Exception:  # noqa: BLE001 - what we cannot read is the caller's all the same
            self._readable = False

    async def aclose(self) -> None:
        """The caller is done with it."""
        try:
            await self._inner.aclose()
        finally:
            await self._end(None, False)

    async def _end(self, error: Exception | None, whole: bool) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            with anyio.CancelScope(shield=True):
                await ended(error, whole)

    def __del__(self) -> None:
        # A response that was dropped unread: its budget must come back all the same.
        if self._ended is not None and not self._loop.is_closed():
            ended, self._ended = self._ended, None
            self._loop.call_soon_threadsafe(lambda: self._loop.create_task(_run(ended)))


async def _run(ended: Callable[[Exception | None, bool], Awaitable[None]]) -> None:
    await ended(None, False)
