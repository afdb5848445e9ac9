"""The adaptive budget in virtual time: ``python benchmarks/simulate.py --scenario all --seeds 20``.

Server, network and clients are modelled (benchmarks/simulation); the budget is the real one. Headers are heard as
headway hears them: those of scouts at the first byte, all others at the end of the answer (E: all at the first byte;
L: none). "own p99" is what interactive jobs waited while the server would have taken them, from their arrival to
the sending of the attempt that was taken: an omniscient client waits 0. "p99" is all they waited, outages and empty
buckets included.
``--check`` compares with the targets and fails if one is missed; ``--quick`` is for continuous integration.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from simulation.run import Outcome, p99, run
from simulation.scenarios import ALL, Scenario

COLUMNS = (
    f"{'scenario':24}{'eff %':>8}{'min':>7}{'429/k':>8}{'max':>7}{'529':>6}{'Jain':>6}{'req/job':>8}"
    f"{'own p99':>8}{'p99 ms':>8}{'steady':>8}{'admit':>7}{'asks':>6}{'span':>7}{'cpu s':>7}"
)
WINDOW, STEP = 1.0, 0.25
FEW = 5
"""Seeds, below which twice the 429s are let pass."""


def main() -> int:
    """Run, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--scenario", default="all", help="names or prefixes, comma-separated (S, E, L, A, F, S4, ...)"
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=None, help="horizon of the long runs")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--quick", action="store_true", help="the long table and the short runs, two seeds")
    options = parser.parse_args()
    if options.quick:
        options.scenario, options.seeds = "S,F", 2
    prefixes = tuple(options.scenario.split(","))
    wanted = [s for s in ALL.values() if options.scenario == "all" or s.name.startswith(prefixes)]
    print(COLUMNS)
    missed: list[str] = []
    for scenario in wanted:
        started = time.perf_counter()
        outcomes = [run(scenario, options.first_seed + i, options.seconds) for i in range(options.seeds)]
        show(scenario, outcomes, (time.perf_counter() - started) / options.seeds)
        missed += judge(scenario, outcomes)
    for line in missed:
        print("MISSED", line)
    return 1 if options.check and missed else 0


def show(scenario: Scenario, outcomes: list[Outcome], seconds: float) -> None:
    """One line, and one more where something happens at a known moment."""
    mean = statistics.fmean
    print(
        f"{scenario.name:24}"
        f"{mean(o.efficiency for o in outcomes):8.2f}"
        f"{min(o.efficiency for o in outcomes):7.1f}"
        f"{mean(o.refused for o in outcomes):8.2f}"
        f"{max(o.refused for o in outcomes):7.1f}"
        f"{mean(o.overloaded for o in outcomes):6.0f}"
        f"{mean(o.jain for o in outcomes):6.2f}"
        f"{mean(o.requests_per_job for o in outcomes):8.3f}"
        f"{1000 * p99([d.own for o in outcomes for d in o.delays]):8.0f}"
        f"{1000 * p99([d.whole for o in outcomes for d in o.delays]):8.0f}"
        f"{mean(o.steady for o in outcomes):8.2f}"
        f"{mean(o.admission for o in outcomes):7.1f}"
        f"{mean(o.asks_per_job for o in outcomes):6.1f}"
        f"{mean(o.makespan for o in outcomes):7.1f}"
        f"{seconds:7.2f}{' STUCK' if any(o.stuck for o in outcomes) else ''}",
        flush=True,
    )
    if scenario.work is not None:
        return
    rate = scenario.rules.limits[1] / 60 * len(outcomes)
    rules = scenario.rules
    if len(rules.tenants) == 1:
        start, end, _ = rules.tenants[0]
        noticed = first(outcomes, start, lambda used: used < 0.5 * rate)
        back = first(outcomes, end, lambda used: used >= 0.9 * rate)
        print(f"    tenant: half rate after {noticed:.2f} s, room taken back after {back:.2f} s")
    for start, end in rules.storms:
        length = end - start
        probes = mean(o.overloaded for o in outcomes) / length / scenario.clients
        back = first(outcomes, end, lambda used: used >= rate)
        print(f"    storm: {probes:.2f} probes/s each, full rate after {back:.2f} s")


def first(outcomes: list[Outcome], since: float, holds: object) -> float:
    """Seconds after ``since`` until what all seeds admit around a moment fulfils a condition."""
    sizes = [(t, size) for o in outcomes for t, size in o.taken if since - WINDOW <= t < since + 120]
    at = since + WINDOW / 2
    while at < since + 100:
        used = sum(size for t, size in sizes if at - WINDOW / 2 <= t < at + WINDOW / 2) / WINDOW
        if holds(used):  # type: ignore[operator]
            return at - since
        at += STEP
    return float("inf")


def judge(scenario: Scenario, outcomes: list[Outcome]) -> list[str]:
    """What was missed. Short runs are judged by their last admission: the rest is the jobs' own time."""
    if scenario.target is None:
        return []
    least, most = scenario.target
    finite = scenario.work is not None
    efficiency = statistics.fmean(o.admission if finite else o.efficiency for o in outcomes)
    cost = statistics.fmean(o.requests_per_job if finite else o.refused for o in outcomes)
    missed: list[str] = []
    if efficiency < least:
        missed.append(
            f"{scenario.name}: {'admission' if finite else 'efficiency'} {efficiency:.2f} < {least}"
        )
    if len(outcomes) < FEW and not finite:  # a single emptied bucket is several 429s
        most *= 2
    if cost > most:
        missed.append(
            f"{scenario.name}: {'requests per job' if finite else '429 per 1,000'} {cost:.3f} > {most}"
        )
    return missed


if __name__ == "__main__":
    sys.exit(main())
