"""The jobs that wait for one budget, and when to ask it again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from headway.core.budget import BudgetStatus
from headway.core.queue import FairQueue
from headway.ports import BudgetKey
from headway.runtime.handle import Job

if TYPE_CHECKING:
    from anthropic.types import Message


class Lane:
    """The jobs that wait for one budget."""

    __slots__ = ("judged_at", "key", "limits", "news", "queue", "running", "shut_until", "wake_at")

    def __init__(self, key: BudgetKey, weights: Mapping[str, float]) -> None:
        self.key = key
        self.queue: FairQueue[Job[Message]] = FairQueue(weights)
        self.running = 0
        self.wake_at = 0.0
        """Not worth asking the budget before this (loop time)."""
        self.news = 0
        """Grows with every reason to ask at once: an answer to an older question does not count any more."""
        self.shut_until = 0.0
        """Nothing can start before this (loop time)."""
        self.limits: BudgetStatus | None = None
        self.judged_at = -math.inf
        """When ``limits`` was asked for (loop time)."""

    def rouse(self) -> None:
        """Something has changed: ask the budget again."""
        self.wake_at = 0.0
        self.news += 1
