"""Runs one scenario with one seed and measures it."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from headway.core.limits import Limits
from simulation.client import Client, Delay, Job
from simulation.engine import Engine
from simulation.scenarios import Load, Scenario
from simulation.server import Rules, Server


@dataclass
class Outcome:
    """What one run came to."""

    efficiency: float
    """Of the physical bound, in %."""
    refused: float
    """429s per 1,000 finished jobs."""
    overloaded: int
    jain: float
    delays: list[Delay]
    """Of interactive jobs."""
    requests_per_job: float
    makespan: float
    asks_per_job: float
    steady: float
    """Long runs: % of the refill used from 120 s on."""
    refusals: list[float]
    taken: list[tuple[float, float]]
    admission: float
    """Finite runs: the bound / the last admission, in %: what the budget alone is to blame for."""
    stuck: bool = False

    @property
    def own_p99(self) -> float:
        """Seconds of our own delay of interactive jobs: see `p99`."""
        return p99([delay.own for delay in self.delays])


def p99(seconds: list[float]) -> float:
    """The 99th percentile; 0 of nothing."""
    ordered = sorted(seconds)
    return ordered[int(0.99 * (len(ordered) - 1))] if ordered else 0.0


def jobs(load: Load, rng: random.Random) -> Iterator[Job]:
    """An endless backlog."""
    while True:
        size = max(1.0, rng.lognormvariate(math.log(load.input), load.input_sigma))
        output = round(rng.lognormvariate(math.log(load.output), load.output_sigma)) if load.output else 0
        error = 1 + rng.uniform(-load.estimate_error, load.estimate_error)
        yield Job(
            input=round(size),
            output=min(max(output, 1 if load.output else 0), load.max_output),
            estimate=round(size) * error,
            max_output=load.max_output,
            speed=rng.uniform(*load.speed),
            first_byte=rng.uniform(*load.first_byte),
        )


def _finite(scenario: Scenario, rng: random.Random) -> tuple[list[Job], float]:
    """Jobs for the wanted work, and the shortest latency among them."""
    rules = scenario.rules
    seconds = scenario.work or 0.0
    room = [limit / 60 * (rules.depth + seconds) for limit in rules.limits]
    made: list[Job] = []
    for job in jobs(scenario.load, rng):
        if min(room) <= 0:
            break
        room[0] -= 1
        room[1] -= job.input
        room[2] -= job.output
        made.append(job)
    low = scenario.network.there[0]
    return made, min(job.first_byte + job.output / job.speed + 2 * low for job in made)


def _part(batch: list[Job], index: int, scenario: Scenario) -> list[Job]:
    """The jobs of one client."""
    if not scenario.uneven:
        return batch[index :: scenario.clients]
    total = scenario.clients * (scenario.clients + 1) // 2
    begin, width = index * (index + 1) // 2, index + 1
    return [job for number, job in enumerate(batch) if begin <= number % total < begin + width]


def bound(rules: Rules, totals: list[float]) -> float:
    """Seconds in which a fluid drains the binding bucket, full at the start: nobody can be faster."""
    left = list(totals)
    depth = (rules.depth, rules.depth, rules.output_depth or rules.depth)
    factor, level = 1.0, [limit / 60 * rules.hidden * d for limit, d in zip(rules.limits, depth, strict=True)]
    now, dt = 0.0, 0.01
    while max(left) > 0 and now < 10_000:
        for at, cut in rules.cuts:
            if at <= now < at + dt:
                factor = cut
        used = sum(f for a, b, f in rules.tenants if a <= now < b)
        shut = any(a <= now < b for a, b in rules.storms)
        for d in range(3):
            rate = rules.limits[d] / 60 * factor * rules.hidden
            level[d] = min(level[d] + rate * (1 - used) * dt, rate * depth[d])
            if not shut:
                drained = min(level[d], max(left[d], 0.0))
                level[d] -= drained
                left[d] -= drained
        now += dt
    return now


def run(scenario: Scenario, seed: int, seconds: float | None = None) -> Outcome:
    """Play the scenario."""
    rng = random.Random(seed)
    engine = Engine()
    server = Server(scenario.rules, rng)
    told = Limits(share=scenario.share)
    if scenario.told is not None:
        requests, size, output = (limit * scenario.told for limit in scenario.rules.limits)
        burst = scenario.rules.depth if scenario.told_burst else None
        told = Limits(requests=requests, input=size, output=output, burst=burst, share=scenario.share)
    finite = scenario.work is not None
    batch, shortest = _finite(scenario, rng) if finite else ([], 0.0)
    clients: list[Client] = []
    for index in range(scenario.clients):
        mine = _part(batch, index, scenario)
        source = iter(mine) if finite else jobs(scenario.load, random.Random(seed * 1000 + index))
        count = len(mine) if finite else None
        clients.append(Client(engine, server, told, source, scenario.network, rng, count=count))
    horizon = 600.0 if finite else (seconds or scenario.seconds)
    _interactive(scenario, engine, clients, rng)
    _endings(engine, clients)
    for client in clients:
        engine.after(rng.uniform(0, 0.01), client.pump)
    engine.run(horizon)
    server.touch(engine.now)
    return _measure(scenario, engine, server, clients, batch, shortest)


def _interactive(scenario: Scenario, engine: Engine, clients: list[Client], rng: random.Random) -> None:
    rate = scenario.load.interactive
    if not rate:
        return
    urgent = jobs(scenario.load, random.Random(rng.random()))

    def arrive() -> None:
        rng.choice(clients).interact(next(urgent))
        engine.after(rng.expovariate(rate), arrive)

    engine.after(rng.expovariate(rate), arrive)


def _endings(engine: Engine, clients: list[Client]) -> None:
    open_clients = set(range(len(clients)))

    def done(index: int) -> None:
        open_clients.discard(index)
        engine.stopped = not open_clients

    for index, client in enumerate(clients):
        client.on_done = lambda index=index: done(index)


def _measure(
    scenario: Scenario,
    engine: Engine,
    server: Server,
    clients: list[Client],
    batch: list[Job],
    shortest: float,
) -> Outcome:
    finished = sum(client.finished for client in clients)
    counts = server.counts
    if batch:
        totals = [
            float(counts.admitted),
            sum(size for client in clients for _, size in client.taken),
            sum(j.output for j in batch) + sum(client.urgent_output for client in clients),
        ]
        efficiency = (bound(scenario.rules, totals) + shortest) / engine.now
    else:
        totals = []
        efficiency = max(
            counts.used[d] / (server.first[d] + counts.refilled[d] - counts.others[d]) for d in range(3)
        )
    each = [float(client.finished) for client in clients]
    taken = sorted(t for client in clients for t in client.taken)
    late = sum(size for t, size in taken if t > 120)
    rate = scenario.rules.limits[1] / 60
    return Outcome(
        efficiency=100 * efficiency,
        refused=1000 * counts.refused / max(finished, 1),
        overloaded=counts.overloaded,
        jain=sum(each) ** 2 / (len(each) * max(sum(x * x for x in each), 1)),
        delays=[delay for client in clients for delay in client.delays],
        requests_per_job=sum(client.sent for client in clients) / max(finished, 1),
        makespan=engine.now,
        asks_per_job=sum(client.asks for client in clients) / max(finished, 1),
        steady=100 * late / max(rate * (engine.now - 120), 1.0),
        refusals=sorted(t for client in clients for t in client.refusals),
        taken=taken,
        admission=100 * (bound(scenario.rules, totals) if batch else 0.0) / max(taken[-1][0], 1e-9),
        stuck=bool(batch) and not engine.stopped,
    )
