"""Where jobs wait for an identical one: queued as before, without a turn of their own."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING

from headway.ports import BudgetKey
from headway.runtime.budget_lane import Lane
from headway.runtime.clock import loop_time
from headway.runtime.handle import Job

if TYPE_CHECKING:
    from anthropic.types import Message


class Shelf:
    """The shelves of all lanes. What waits there can be cancelled and expire, and ends when everything stops."""

    def __init__(
        self,
        lanes: Mapping[BudgetKey, Lane],
        lane_of: Callable[[Job[Message]], Lane],
        wake: Callable[[], None],
    ) -> None:
        self._lanes = lanes
        self._lane_of = lane_of
        self._wake = wake

    def put(self, job: Job[Message], name: Hashable) -> None:
        """Queue a job that has to wait for another one."""
        self._lane_of(job).queue.push(job.entry, loop_time(), name)
        self._wake()  # its deadline may be the next event

    def empty(self, name: Hashable) -> list[Job[Message]]:
        """Take out the jobs that wait under this name."""
        taken = [(lane, entry) for lane in self._lanes.values() for entry in lane.queue.unshelve(name)]
        return [entry.item for lane, entry in taken if lane.queue.discard(entry)]
