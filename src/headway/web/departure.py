"""Clients that leave: what is done for them stops, within a second, queued or running.

A server does not cancel a plain handler when its client leaves: the call would go on, and be paid.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Final, TypeVar

import anyio
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headway.errors import JobCancelledError

T = TypeVar("T")
READ_AHEAD: Final = 16
"""Messages of a request's body that are read before the application wants them (servers make them 64 kB). Behind
more than that a departure is seen only once the application has read on."""


async def until_disconnect(request: Request, work: Awaitable[T]) -> T:
    """Await ``work`` (a `Job`, or anything) as long as the client is there.

    When it leaves, ``work`` is cancelled and `JobCancelledError` raised (`exception_handlers` make it a 499 that
    nobody sees). To be called when the body of the request has been read, as FastAPI has done for a handler.
    """
    results: list[T] = []
    errors: list[Exception] = []
    async with anyio.create_task_group() as group:
        group.start_soon(_leaves, request.receive, group.cancel_scope)
        try:
            results.append(await work)
        except Exception as error:  # noqa: BLE001 - raised below, not inside an ExceptionGroup
            errors.append(error)
        group.cancel_scope.cancel()
    for error in errors:
        raise error
    if not results:
        raise JobCancelledError("the client left before the answer was there")
    return results[0]


async def _leaves(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


class CancelOnDisconnect:
    """ASGI middleware that cancels a handler when its client leaves before the answer is complete.

    ``app.add_middleware(headway.web.CancelOnDisconnect)``, for all paths or those under ``paths``. Work in
    threads (``def`` handlers) is not interrupted, background tasks after the answer are left alone.
    """

    def __init__(self, app: ASGIApp, *, paths: Sequence[str] = ("/",)) -> None:
        if isinstance(paths, str):
            raise TypeError(f"CancelOnDisconnect takes a list of paths: paths=[{paths!r}]")
        self._app = app
        self._paths = tuple(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http" or not self._covers(scope["path"]):
            await self._app(scope, receive, send)
            return
        watch = _Watch(receive, send)
        errors: list[Exception] = []
        async with anyio.create_task_group() as group:
            group.start_soon(watch.run, group.cancel_scope)
            try:
                await self._app(scope, watch.receive, watch.send)
            except Exception as error:  # noqa: BLE001 - raised below, not inside an ExceptionGroup
                errors.append(error)
            group.cancel_scope.cancel()
        watch.close()
        for error in errors:
            raise error

    def _covers(self, path: str) -> bool:
        return any(path == own or path.startswith(own.rstrip("/") + "/") for own in self._paths)


class _Watch:
    """Reads the request a little ahead of the application, so that a departure is seen while it computes."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._complete = False
        self._watching = anyio.CancelScope()
        self._ahead, self._messages = anyio.create_memory_object_stream[Message](READ_AHEAD)

    async def run(self, handler: anyio.CancelScope) -> None:
        """Cancel the handler when the client leaves; until the answer is complete."""
        with self._watching, self._ahead:
            while (message := await self._receive())["type"] != "http.disconnect":
                await self._ahead.send(message)
            if not self._complete:  # servers call the end of an answer a disconnect, too
                handler.cancel()

    async def receive(self) -> Message:
        """What the application reads."""
        try:
            return await self._messages.receive()
        except anyio.EndOfStream:
            return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """What the application answers. After the last of it nobody need be watched any more."""
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._complete = True
            self._watching.cancel()
        await self._send(message)

    def close(self) -> None:
        """The application has returned."""
        self._ahead.close()
        self._messages.close()
