"""The budget with one of its ideas taken out: what that idea is there for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest.mock import patch

from headway.core import breaker, buckets, budget, mirror, pace
from headway.core.mirror import Mark, Mirror
from headway.core.outputs import Outputs

AS_BUILT: Final = "as built"
_sync = Mirror._sync


def _overwrite(self: Mirror, remaining: float, _mark: Mark, _now: float) -> None:
    self.level = min(self.cap, remaining)


def _point(self: Mirror, remaining: float, mark: Mark, now: float) -> None:
    """As if a header described the moment of sending, exactly: the interval shrinks to a point."""
    then = mark.level + self.corr - mark.corr
    held, self.level = self.level, then
    late, mark.late = mark.late, 0.0
    _sync(self, remaining, mark, now)
    error = self.level - then
    mark.late = late
    self.level = min(self.cap, held + error)


def _alone(self: Mirror, *told: Any) -> None:
    _sync(self, *told)
    self.others = 0.0


class MeanOfEnded(Outputs):
    """The mean of what has ended, in place of Little's law."""

    __slots__ = ("_ended",)

    def __init__(self, now: float) -> None:
        super().__init__(now)
        self._ended = 3.0

    def finish(self, tokens: float, seconds: float) -> None:
        super().finish(tokens, seconds)
        self._ended = self._ended * 0.99 + 1

    @property
    def mean(self) -> float:
        return self._tokens / self._ended


class MaxTokens(Outputs):
    """Every running job holds its ``max_tokens`` until it ends."""

    __slots__ = ()

    def need(self, refill: float, max_output: float) -> float:
        return max_output * (self.running + 1)

    def expected(self, max_output: float) -> float:
        return max_output


def _switch(self: pace.Lane, dt: float) -> float:
    """Full speed above a floor of one feedback delay, nothing below: a level, but no price."""
    return pace.FASTEST * dt if self.mirror.level > self.reserve / pace.RESERVE_LAGS else 0.0


def _switch_seconds(self: pace.Lane, debt: float) -> float:
    floor = self.reserve / pace.RESERVE_LAGS
    return max(
        debt / pace.FASTEST, (floor - self.mirror.level) / max(self.mirror.net, 1e-3 * self.mirror.rate)
    )


VARIANTS: Final[dict[str, tuple[tuple[object, str, object], ...]]] = {
    AS_BUILT: (),
    "header overwrites level": ((Mirror, "_sync", _overwrite),),
    "point instead of interval": ((Mirror, "_sync", _point),),
    "no `others`": ((Mirror, "_sync", _alone),),
    "no reorder window": ((mirror, "REORDER_WINDOW", 0.0),),
    "mean of ended jobs": ((budget, "Outputs", MeanOfEnded),),
    "reserve max_tokens": ((budget, "Outputs", MaxTokens),),
    "switch instead of price": ((pace.Lane, "paid", _switch), (pace.Lane, "seconds", _switch_seconds)),
    "reserve kept to the end": ((buckets, "GIVE_UP", math.inf),),
    "no circuit": ((breaker.Breaker, "overload", lambda *_told, **_named: None),),
}


@contextmanager
def varied(name: str) -> Iterator[None]:
    """Within it, budgets are of this variant."""
    with ExitStack() as stack:
        for target, attribute, value in VARIANTS[name]:
            stack.enter_context(patch.object(target, attribute, value))
        yield
