"""Who hears what happens."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from headway.core.alert import Alert
from headway.core.events import JobEvent
from headway.core.job import JobRecord


@runtime_checkable
class EventSink(Protocol):
    """Sees every event after it is decided; must not block and must not raise."""

    def emit(self, record: JobRecord, event: JobEvent) -> None:
        """``record`` is the job after the event."""
        ...


@runtime_checkable
class AlertSink(Protocol):
    """Hears what stops more than one job; must not block and must not raise. A sink may be both."""

    def alert(self, alert: Alert) -> None:
        """A scope has died: once, until ``scheduler.resume()``."""
        ...
