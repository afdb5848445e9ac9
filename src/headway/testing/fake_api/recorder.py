"""Counts what happens, second by second and job by job."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import astuple, dataclass, field

from headway.testing.fake_api.bound import Window
from headway.testing.fake_api.stats import BilledTokens, FakeStats, GroupStats, Second


@dataclass(slots=True)
class _Tally:
    """A ``Second`` in the making."""

    arrivals: int = 0
    successes: int = 0
    refused_429: int = 0
    overloaded_529: int = 0
    input_tokens: float = 0.0
    output_tokens: float = 0.0
    levels: dict[str, tuple[float | None, ...]] = field(default_factory=dict[str, tuple[float | None, ...]])


class Recorder:
    """All counters of a server; times are the loop's, the wall clock is read once."""

    def __init__(self) -> None:
        self.arrivals = 0
        self.statuses: Counter[int] = Counter()
        self.error_types: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.other_calls: Counter[str] = Counter()
        self.attempts: Counter[str] = Counter()
        self.successes: Counter[str] = Counter()
        self.billed: Counter[str] = Counter()
        self.tokens: dict[str, BilledTokens] = {}
        self.batch_calls: Counter[tuple[str, str]] = Counter()
        """By endpoint and batch."""
        self.batch_attempts: Counter[str] = Counter()
        self.batch_billed: Counter[str] = Counter()
        self.batch_input_tokens = 0.0
        self.batch_output_tokens = 0.0
        self.client_disconnects = 0
        self.in_flight = 0
        self.in_flight_max = 0
        self.input_tokens = 0.0
        self.output_tokens = 0.0
        self.cache_read_tokens = 0
        self.cache_write_tokens = 0
        self.first_arrival: float | None = None
        self._first_wall = 0.0
        self._last_arrival = 0.0
        self._last_success: float | None = None
        self._shortest: float | None = None
        self._seconds: defaultdict[int, _Tally] = defaultdict(_Tally)

    def arrived(self, now: float) -> None:
        """A request has come in."""
        if self.first_arrival is None:
            self.first_arrival = now
            self._first_wall = time.time()
        self.arrivals += 1
        self._last_arrival = now
        self.second(now).arrivals += 1
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight_max, self.in_flight)

    def left(self) -> None:
        """A request is over, however."""
        self.in_flight -= 1

    def second(self, now: float) -> _Tally:
        """The tally of the second in which ``now`` lies."""
        return self._seconds[int(now - (now if self.first_arrival is None else self.first_arrival))]

    def answered(self, now: float, status: int, error_type: str | None = None) -> None:
        """An answer has been sent; status 0 is none."""
        self.statuses[status] += 1
        if error_type is not None:
            self.error_types[error_type] += 1
        if status == 429:
            self.second(now).refused_429 += 1
        elif status == 529:
            self.second(now).overloaded_529 += 1

    def admitted(self, now: float, job: str, model: str, tokens: BilledTokens) -> None:
        """A request has been admitted; it will be billed."""
        self.billed[job] += 1
        before = self.tokens.get(model, BilledTokens())
        self.tokens[model] = BilledTokens(*map(sum, zip(astuple(before), astuple(tokens), strict=True)))
        tally = self.second(now)
        tally.input_tokens += tokens.input + tokens.cache_write + tokens.cache_write_1h
        tally.output_tokens += tokens.output

    def billed_in_batch(self, job: str, input_tokens: float, output_tokens: float) -> None:
        """A request of a batch has been answered; it is billed, at half the price."""
        self.billed[job] += 1
        self.batch_billed[job] += 1
        self.batch_input_tokens += input_tokens
        self.batch_output_tokens += output_tokens

    def succeeded(self, now: float, job: str, tokens: tuple[int, int], arrived: float) -> None:
        """A whole good reply has been sent; ``tokens`` are (input, output)."""
        self.successes[job] += 1
        self.input_tokens += tokens[0]
        self.output_tokens += tokens[1]
        self._last_success = now
        latency = now - arrived
        self._shortest = latency if self._shortest is None else min(self._shortest, latency)
        self.second(now).successes += 1

    def cached(self, read: int, written: int) -> None:
        """What of a good reply's input was read from the prompt cache, and what was written to it."""
        self.cache_read_tokens += read
        self.cache_write_tokens += written

    def snapshot(self, groups: dict[str, GroupStats], outages: tuple[Window, ...]) -> FakeStats:
        """Everything so far."""
        origin = 0.0 if self.first_arrival is None else self.first_arrival

        def wall(at: float | None) -> float | None:
            return None if at is None else self._first_wall + at - origin

        return FakeStats(
            arrivals=self.arrivals,
            statuses=dict(self.statuses),
            error_types=dict(self.error_types),
            refused=dict(self.refused),
            faults=dict(self.faults),
            other_calls=dict(self.other_calls),
            attempts=dict(self.attempts),
            successes=dict(self.successes),
            billed=dict(self.billed),
            tokens=dict(self.tokens),
            batch_billed=dict(self.batch_billed),
            batch_input_tokens=self.batch_input_tokens,
            batch_output_tokens=self.batch_output_tokens,
            client_disconnects=self.client_disconnects,
            in_flight_max=self.in_flight_max,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cache_read_tokens=self.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens,
            first_arrival=wall(self.first_arrival),
            last_arrival=wall(self._last_arrival) if self.first_arrival is not None else None,
            last_success=wall(self._last_success),
            shortest_latency=self._shortest,
            series=tuple(_second(at, tally) for at, tally in sorted(self._seconds.items())),
            groups=groups,
            outages=outages,
        )


def _second(at: int, tally: _Tally) -> Second:
    return Second(
        at=at,
        arrivals=tally.arrivals,
        successes=tally.successes,
        refused_429=tally.refused_429,
        overloaded_529=tally.overloaded_529,
        input_tokens=tally.input_tokens,
        output_tokens=tally.output_tokens,
        levels=dict(tally.levels),
    )
