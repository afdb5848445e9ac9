"""A fault in our own loops must end every job with a reason, not leave it hanging."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from headway.core.failure import Failure
from headway.runtime.fault import internal


async def guarded(
    run: Callable[[], Awaitable[None]],
    halt: Callable[[Failure], None],
    resumed: Callable[[], Awaitable[None]],
) -> None:
    """Run a loop for ever; when it fails everything is halted, until it is ``resumed``."""
    while True:
        try:
            await run()
        except Exception as error:  # noqa: BLE001 - nothing may end a loop without a word
            halt(internal(error, "headway stopped because of an internal error"))
        await resumed()
