"""A few requests out of many, each as likely as the other, whose number need not be known before."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

from headway.core.request import Request

SIZE: Final = 24
MODELS: Final = 8
"""So many models have a request of their own in it, however rare they are."""
HEAVY: Final = 8 << 20
"""Bytes of a line that is too long to be kept or sent for a sample."""


@dataclass(slots=True)
class Sample:
    """Reservoir sampling (Vitter 1985, algorithm R), with the first request of each model beside it."""

    drawn: list[Request] = field(default_factory=list[Request])
    first: dict[str, Request] = field(default_factory=dict[str, Request])
    seen: int = 0
    _dice: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 - a sample, not a secret

    def add(self, request: Request, size: int) -> None:
        """One more; ``size`` in bytes."""
        if size > HEAVY:
            return
        if request.model not in self.first and len(self.first) < MODELS:
            self.first[request.model] = request
        self.seen += 1
        if len(self.drawn) < SIZE:
            self.drawn.append(request)
        elif (place := self._dice.randrange(self.seen)) < SIZE:
            self.drawn[place] = request

    def requests(self) -> list[Request]:
        """All of them, none twice."""
        rare = [
            request for request in self.first.values() if all(request is not other for other in self.drawn)
        ]
        return [*self.drawn, *rare]
