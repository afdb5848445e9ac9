"""Telling a fault of somebody's from the wish that we end."""

from __future__ import annotations

import asyncio


def is_fault(error: BaseException) -> bool:
    """Whether something we called went wrong; false: this task is to end, and ``error`` is to go on.

    A `CancelledError` that nobody sent to this task comes from a future it waited on (a lookup or a token refresh
    that several calls share, of which one was cancelled). Let through, it would end every task of the scheduler.
    """
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and not task.cancelling()
    return isinstance(error, Exception)
