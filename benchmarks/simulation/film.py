"""A run of the simulator that is looked at while it goes."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any, Final
from unittest.mock import patch

import simulation.run as simulator
from simulation.client import Client, Network
from simulation.scenarios import Scenario
from simulation.server import Server
from simulation.variants import AS_BUILT, varied

SHIPPED: Final = Network()
"""As the library works: scouts bring headers at the first byte, all others when the whole answer is there."""
REPLIES: Final = Network(heard="none")
"""As a client works that streams none."""


class Frame:
    """One moment: copies, so that looking changes nothing."""

    def __init__(self, now: float, server: Server, clients: list[Client]) -> None:
        self.at = now
        self.server = deepcopy(server, {id(server.rng): server.rng})
        self.server.touch(now)
        self.budgets = [deepcopy(client.budget) for client in clients]
        self.status = [budget.status(now) for budget in self.budgets]

    def truth(self, d: int) -> float:
        """What the server's bucket holds, in seconds of the limit."""
        return self.server.level[d] / (self.server.limit(d) / 60)

    def belief(self, d: int) -> float | None:
        """What the first client's mirror holds, in seconds of the server's limit."""
        level = self.status[0].dimensions[d].level
        return None if level is None else level / (self.server.limit(d) / 60)


class Film:
    """One run; ``frames`` are ``step`` seconds apart. Process n begins after n times ``join`` seconds."""

    def __init__(
        self,
        scenario: Scenario,
        end: float,
        *,
        start: float = 0.0,
        step: float = 0.25,
        variant: str = AS_BUILT,
        join: float = 0.0,
        network: Network = SHIPPED,
        seed: int = 1,
    ) -> None:
        self.frames: list[Frame] = []
        self.clients: list[Client] = []
        self.rate = scenario.rules.limits[1] / 60
        self._start, self._step, self._join = start, step, join
        with varied(variant), patch.multiple(simulator, Server=self._serve, Client=self._enter):
            self.outcome = simulator.run(replace(scenario, network=network), seed, end)

    @property
    def times(self) -> list[float]:
        """Of the frames."""
        return [frame.at for frame in self.frames]

    def series(self, look: Callable[[Frame], float | None]) -> list[float]:
        """A value of every frame; None leaves a gap."""
        return [math.nan if (value := look(frame)) is None else value for frame in self.frames]

    def admitted(self, window: float = 1.0, client: int | None = None) -> list[float]:
        """Input tokens admitted around every frame, in multiples of the first limit."""
        who = self.clients if client is None else [self.clients[client]]
        taken = [one for each in who for one in each.taken]
        half, end = window / 2, self.outcome.makespan
        return [
            math.nan
            if at + half > end
            else sum(size for t, size in taken if at - half <= t < at + half) / window / self.rate
            for at in self.times
        ]

    def _serve(self, *told: Any) -> Server:
        self.server = Server(*told)
        return self.server

    def _enter(self, engine: Any, *told: Any, **named: Any) -> Client:
        client = Client(engine, *told, **named)
        pump, since = client.pump, self._join * len(self.clients)
        if since:
            client.pump = lambda: pump() if engine.now >= since else None  # type: ignore[method-assign]
            engine.after(since, pump)
        if not self.clients:
            engine.after(self._start, self._look, engine)
        self.clients.append(client)
        return client

    def _look(self, engine: Any) -> None:
        self.frames.append(Frame(engine.now, self.server, self.clients))
        engine.after(self._step, self._look, engine)
