"""Telling a fault of somebody's from the wish that we end."""

from __future__ import annotations

import asyncio
import logging
import traceback
from pathlib import PurePath
from typing import Final

from headway.core.error_kind import ErrorKind
from headway.core.failure import Failure, failure_of

log: Final = logging.getLogger("headway")


def is_fault(error: BaseException) -> bool:
    """Whether something we called went wrong; false: this task is to end, and ``error`` is to go on.

    A `CancelledError` that nobody sent to this task comes from a future it waited on (a lookup or a token refresh
    that several calls share, of which one was cancelled). Let through, it would end every task of the scheduler.
    """
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and not task.cancelling()
    return isinstance(error, Exception)


def internal(error: BaseException, doing: str) -> Failure:
    """The failure of what nobody foresaw: its class and its place, in the log with all places on the way.

    What the exception itself says is in the log at debug level only: it may quote a prompt.
    """
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    text = f"{doing}: {type(error).__name__}{where}"
    way = " < ".join(f"{PurePath(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    log.error("%s (%s)", text, way)
    log.debug("%s", text, exc_info=error)
    return failure_of(ErrorKind.INTERNAL, text)
