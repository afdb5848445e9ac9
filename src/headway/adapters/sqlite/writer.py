"""The thread that owns the database, and its natural group commit.

While one commit waits for the disk the next orders gather; all of them then share one commit. Nothing is ever
delayed in the hope of company, so a lone order costs one sync and a thousand cost a few.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, TypeVar

from headway.adapters.sqlite.database import Database
from headway.adapters.sqlite.fault import fault_of
from headway.adapters.sqlite.rows import RowError
from headway.errors import JournalDamagedError, JournalError

T = TypeVar("T")

GROUP_ROWS: Final = 100
"""Rows after which a group is committed."""
GROUP_SECONDS: Final = 0.05
"""Time after which a group is committed."""


@dataclass(slots=True, eq=False)
class Order(Generic[T]):
    """Something to do within a transaction; its future is resolved after the commit."""

    call: Callable[[Database], T]
    future: asyncio.Future[T] | None
    rows: int = 1
    result: T | None = None
    error: BaseException | None = None


class Writer:
    """Carries out orders in the order they were given. Belongs to the loop that made it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._pid = os.getpid()
        self._queue: SimpleQueue[Order[Any] | None] = SimpleQueue()
        self._failure: JournalError | None = None
        self._unreported = False
        self._stopping = False
        self._ended = False
        # A daemon, so that a forgotten aclose() cannot keep the interpreter from ending; at exit it is stopped
        # in good order, with everything pending committed.
        self._thread = threading.Thread(target=self._main, name=f"headway-journal-{path.name}", daemon=True)
        atexit.register(self._at_exit)
        self._thread.start()

    def order(self, call: Callable[[Database], T], rows: int = 1) -> asyncio.Future[T]:
        """Do it in the thread; the future is resolved when it is committed. Raises `JournalError`."""
        self._check()
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(Order(call, future, rows))
        return future

    def order_silently(self, call: Callable[[Database], object]) -> None:
        """The same without waiting: a failure fails the journal and is raised by the next order."""
        self._check()
        self._queue.put(Order(call, None))

    def stop(self) -> None:
        """Commit what is pending, close, unlock, end; returns at once."""
        if not self._stopping:
            self._stopping = True
            self._queue.put(None)

    def join(self) -> None:
        """Wait until the thread has ended. Raises the failure that nobody was told of."""
        self._thread.join()
        atexit.unregister(self._at_exit)
        if self._unreported and self._failure is not None:
            self._unreported = False
            raise fault_of(self._path, self._failure)

    @property
    def foreign(self) -> bool:
        """This is a forked child: the thread, the lock and the database are the parent's."""
        return os.getpid() != self._pid

    def _check(self) -> None:
        if self.foreign:
            raise JournalError(f"{self._path}: opened in process {self._pid}; open a journal of its own here")
        if asyncio.get_running_loop() is not self._loop:
            raise JournalError(f"{self._path}: opened in another event loop; open a journal of its own here")
        if self._failure is not None:
            self._unreported = False
            raise fault_of(self._path, self._failure)
        if self._stopping:
            raise JournalError(f"{self._path}: the journal is closed")

    def _at_exit(self) -> None:
        if not self.foreign:
            self.stop()
            self._thread.join(timeout=10.0)

    # Everything below runs in the thread.

    def _main(self) -> None:
        database: Database | None = None
        try:
            database = Database(self._path)
            while self._turn(database):
                pass
        except BaseException as error:  # noqa: BLE001 - whatever it is, nobody may be left waiting
            self._fail(error)
        finally:
            if database is not None:
                with suppress(Exception):  # A disk that is full cannot take the WAL in; the next open will.
                    database.close()
        self._refuse_orders()

    def _next(self, *, wait: bool) -> Order[Any] | None:
        """The next order; ``None`` when there is none yet, or will be none any more (``_ended``)."""
        if self._ended:
            return None
        try:
            order = self._queue.get(block=wait)
        except Empty:
            return None
        self._ended = order is None
        return order

    def _turn(self, database: Database) -> bool:
        """One group; ``False`` when it was the last."""
        order = self._next(wait=True)
        if order is None:
            return False
        group = [order]
        try:
            database.begin()
            self._gather(group, database)
            database.commit()
        except BaseException as error:  # noqa: BLE001 - it fails the journal, and every order must hear of it
            # Nothing of the group is stored.
            with suppress(Exception):
                database.rollback()
            self._fail(error)
            self._refuse(group)
            return False
        self._deliver(group)
        return True

    def _gather(self, group: list[Order[Any]], database: Database) -> None:
        """Carry out the first order and what is waiting behind it."""
        rows, until = 0, time.monotonic() + GROUP_SECONDS
        while True:
            _carry_out(group[-1], database)
            rows += group[-1].rows
            if rows >= GROUP_ROWS or time.monotonic() >= until:
                return
            order = self._next(wait=False)
            if order is None:
                return
            group.append(order)

    def _fail(self, error: BaseException) -> None:
        self._unreported = True
        self._failure = fault_of(self._path, error)

    def _refuse(self, group: list[Order[Any]]) -> None:
        assert self._failure is not None
        for order in group:
            order.error = fault_of(self._path, self._failure)
            if order.future is not None:
                self._unreported = False
        self._deliver(group)

    def _refuse_orders(self) -> None:
        """Until told to stop, answer every order with the failure."""
        while (order := self._next(wait=True)) is not None:
            self._refuse([order])

    def _deliver(self, group: list[Order[Any]]) -> None:
        with suppress(RuntimeError):  # The loop was closed: nobody waits any more.
            self._loop.call_soon_threadsafe(_resolve, group)


def _carry_out(order: Order[Any], database: Database) -> None:
    """An order that fails before it changed anything fails alone; any other failure is the journal's."""
    before = database.changes
    try:
        order.result = order.call(database)
    except (sqlite3.Error, RowError, JournalDamagedError, OSError, MemoryError):
        raise
    except Exception as error:
        if database.changes != before or order.future is None:
            raise
        order.error = error


def _resolve(group: list[Order[Any]]) -> None:
    for order in group:
        if order.future is None or order.future.done():
            continue
        if order.error is not None:
            order.future.set_exception(order.error)
            order.future.exception()  # Seen: a waiter cancelled meanwhile is no reason for a log entry.
        else:
            order.future.set_result(order.result)
