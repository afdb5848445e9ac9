"""A fault in our own loops must end every job with a reason, not leave it hanging."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from headway.core.error_kind import ErrorKind
from headway.core.failure import Failure, failure_of

log: Final = logging.getLogger("headway")


async def guarded(
    run: Callable[[], Awaitable[None]],
    halt: Callable[[Failure], None],
    resumed: Callable[[], Awaitable[None]],
) -> None:
    """Run a loop for ever; when it fails everything is halted, until it is ``resumed``."""
    while True:
        try:
            await run()
        except Exception as error:
            log.exception("headway stopped because of an internal error")
            halt(failure_of(ErrorKind.INTERNAL, f"{type(error).__name__}: {error}"))
        await resumed()
