"""The fake API in a thread with its own event loop."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Protocol, Self

from headway.testing.fake_api.remote import RemoteAPI


class Server(Protocol):
    """What is run in the thread: a `FakeAPI` that has not been started."""

    @property
    def base_url(self) -> str:
        """Its address, once started."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class ThreadedAPI(RemoteAPI):
    """``with FakeAPI.in_thread(config) as api: api.base_url``; leaving ends thread and connections."""

    def __init__(self, server: Server, host: str, port: int) -> None:
        super().__init__(host, port)
        self._server = server
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="headway-fake-api", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for us
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with self._server as api:
            self._port = int(api.base_url.rpartition(":")[2])
            self._ready.set()
            await self._stop.wait()
