"""Events to the logger ``headway``: quiet by default, no prompt and no key in any line."""

from __future__ import annotations

import logging
from typing import Final

from headway.core.alert import Alert
from headway.core.change import PLACED
from headway.core.events import (
    Continued,
    Failed,
    JobEvent,
    Parked,
    Repaired,
    Rerouted,
    RetryScheduled,
    SetAside,
)
from headway.core.job import JobRecord

log: Final = logging.getLogger("headway")


class LogSink:
    """Alerts at ERROR, retries and repairs at INFO, endings without an answer at DEBUG: the outcome itself
    reaches the caller."""

    def alert(self, alert: Alert) -> None:
        """Log an alert."""
        log.error("%s", alert.text)

    def emit(self, record: JobRecord, event: JobEvent) -> None:
        """Log an event."""
        if isinstance(event, RetryScheduled):
            if log.isEnabledFor(logging.INFO):
                log.info(
                    "job %s: %s; again in %.2f s", record.key, event.failure, event.not_before - event.at
                )
        elif isinstance(event, SetAside):
            log.info("job %s: %s; being repaired", record.key, event.failure)
        elif isinstance(event, Repaired | Rerouted | Continued):
            routine = all(
                change.rule == PLACED for change in event.changes
            )  # the same for every job of a run
            if log.isEnabledFor(level := logging.DEBUG if routine else logging.INFO):
                log.log(
                    level, "job %s: sent with changes: %s", record.key, "; ".join(map(str, event.changes))
                )
        elif isinstance(event, Failed | Parked) and log.isEnabledFor(logging.DEBUG):
            log.debug("job %s: %s", record.key, event.failure)
