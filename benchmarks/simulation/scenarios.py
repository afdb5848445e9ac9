"""The scenarios: long ones (S, 600 s, the study's table; E and L: the same with other moments at which headers are
heard), its attacks (A), short finite runs (F), several processes (P), and the workloads of utilisation.py (Q)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from simulation.client import Network
from simulation.server import Rules


@dataclass(frozen=True)
class Load:
    """What jobs are like: medians and sigmas of lognormals, seconds, tokens per second."""

    input: float = 1500.0
    input_sigma: float = 1.1
    output: float = 300.0
    output_sigma: float = 0.8
    max_output: float = 4096.0
    first_byte: tuple[float, float] = (0.3, 0.8)
    speed: tuple[float, float] = (50.0, 100.0)
    estimate_error: float = 0.0
    interactive: float = 0.5
    """Per second."""


@dataclass(frozen=True)
class Scenario:
    """One experiment."""

    name: str
    rules: Rules = field(default_factory=Rules)
    load: Load = field(default_factory=Load)
    network: Network = field(default_factory=Network)
    clients: int = 1
    told: float | None = None
    """Factor of the true limits; None: nothing told."""
    told_burst: bool = False
    share: float = 1.0
    seconds: float = 600.0
    work: float | None = None
    """A finite run: jobs for so many seconds of the limit, beyond the burst."""
    uneven: bool = False
    """A finite run: clients share the work as 1 : 2 : 3 : ..., so that they end one after another."""
    target: tuple[float, float] | None = None
    """Least efficiency in %, most 429s per 1,000 jobs. Finite: admission in %, requests per job."""


SHORT: Final = Rules(limits=(3000, 600_000, 120_000), depth=6.0)
SMALL: Final = Load(
    input=700, input_sigma=0.5, output=120, output_sigma=0.4, max_output=1024, interactive=0.0
)
FINITE: Final = Scenario("F", rules=SHORT, load=SMALL, work=34.0)
S: Final = Scenario("S")
TIER1: Final = Rules(limits=(50, 40_000, 8_000))
SLOW: Final = replace(S, load=Load(interactive=0.03))


def rules(
    base: Scenario, name: str, target: tuple[float, float] | None = None, **changes: object
) -> Scenario:
    """The same under other rules of the server."""
    return replace(base, name=name, target=target, rules=replace(base.rules, **changes))  # type: ignore


LONG: Final = (
    replace(S, name="S1-known", target=(99.0, 0.5)),
    rules(S, "S2-noheaders", (98.5, 10), headers=False),
    rules(S, "S3-tenant", (99.0, 0.5), tenants=((200, 400, 0.6),)),
    rules(S, "S4-storm", (98.0, 0.5), storms=((200, 260),)),
    rules(S, "S5-cut25", (99.0, 0.5), cuts=((200, 0.25), (400, 1.0))),
    rules(S, "S6-otpm", (98.5, 0.5), limits=(4000, 2_000_000, 240_000)),
    replace(S, name="S7-8procs", clients=8, target=(99.0, 5)),
    replace(rules(S, "S7-8procs-C10", (99.0, 10), depth=10.0), clients=8),
    rules(S, "S8-C1", (98.5, 2), depth=1.0),
    rules(S, "S8-C10", (99.0, 0.5), depth=10.0),
)
EARLY: Final = tuple(
    replace(scenario, name=f"E{scenario.name[1:]}", network=Network(heard="all")) for scenario in LONG
)
"""The same with all headers heard at the first byte: every answer is streamed."""
LATE: Final = tuple(
    replace(scenario, name=f"L{scenario.name[1:]}", network=Network(heard="none"), target=None)
    for scenario in LONG
)
"""The same with all headers heard at the end: no answer is streamed."""
ATTACKS: Final = (
    replace(S, name="A-told", told=1.0, target=(99.0, 0.5)),
    replace(S, name="A-told-half", told=0.5, target=(99.0, 0.5)),
    replace(S, name="A-told-double", told=2.0, target=(99.0, 0.5)),
    replace(S, name="A-overtaking", network=Network(there=(0.03, 0.8)), target=(98.5, 0.5)),
    rules(S, "A-moment-reply", (99.0, 0.5), moment="reply"),
    rules(S, "A-stale2s", (98.5, 5), stale=2.0),
    rules(S, "A-noerrorheaders", (99.0, 0.5), error_headers=False),
    rules(S, "A-retryafter20", (99.0, 0.5), retry_after_least=20.0),
    replace(S, name="A-estimates20", load=Load(estimate_error=0.2), target=(99.0, 0.5)),
    replace(S, name="A-zero-output", load=Load(output=0.0), target=(99.0, 0.5)),
    rules(S, "A-otpm-C1", (98.5, 2), limits=(4000, 2_000_000, 240_000), output_depth=1.0),
    rules(S, "A-cut-full", (97.5, 0.5), cuts=((60, 0.25),)),
    rules(SLOW, "A-tier1", (97.5, 15), limits=TIER1.limits),
    rules(SLOW, "A-tier1-noheaders", None, limits=TIER1.limits, headers=False),
    rules(S, "A-ramp3", None, ramp=3.0),
    rules(S, "A-hidden50", None, hidden=0.5),
    rules(S, "A-random429-1%", (98.5, 14), random_429=0.01),
    rules(S, "A-random529-10%", (98.5, 0.5), random_529=0.1),
    rules(
        S,
        "A-tenant-onoff",
        (98.5, 1),
        tenants=tuple((t, t + 5.0, 0.6) for t in range(100, 500, 10)),
    ),
    replace(S, name="A-32procs", clients=32),
    replace(rules(S, "A-8procs-noheaders", headers=False), clients=8),
    replace(rules(S, "A-8procs-storm", storms=((200, 260),)), clients=8),
    rules(S, "A-noheaders-otpm", limits=(4000, 2_000_000, 240_000), headers=False),
    rules(S, "A-noheaders-C10", (98.5, 10), headers=False, depth=10.0),
    rules(S, "A-noheaders-C1", headers=False, depth=1.0),
    rules(S, "A-noheaders-tenant", headers=False, tenants=((200, 400, 0.6),)),
    rules(S, "A-noheaders-10x", headers=False, limits=(40_000, 20_000_000, 4_000_000)),
    rules(
        replace(S, load=Load(input=5000, input_sigma=0.2, interactive=0.0)),
        "A-tier1-bigjobs",
        limits=TIER1.limits,
        depth=10.0,
    ),
    rules(S, "A-concurrency50", concurrency=50),
    replace(S, name="A-share50", share=0.5),
    rules(S, "A-3-tenants-headers-cut", cuts=((100, 0.5), (200, 1.0), (300, 0.25), (400, 1.0))),
)
SHORTS: Final = (
    replace(FINITE, name="F-told", told=1.0, told_burst=True, target=(98.5, 1.005)),
    replace(FINITE, name="F-told-noburst", told=1.0, target=(98, 1.005)),
    replace(FINITE, name="F-untold", target=(97.5, 1.02)),
    rules(FINITE, "F-noheaders", None, headers=False),
    rules(FINITE, "F-tenant", (95, 1.03), tenants=((6, 16, 0.6),)),
    rules(replace(FINITE, work=20.0), "F-cut25", None, cuts=((10, 0.25),)),
    rules(FINITE, "F-storm10s", (86, 1.06), storms=((6, 16),)),
    replace(rules(FINITE, "F-faults", (97, 1.06), random_529=0.03), told=1.0, told_burst=True),
    replace(
        FINITE,
        name="F-output",
        told=1.0,
        told_burst=True,
        load=replace(SMALL, output=200, input=200, max_output=4096),
        target=(98, 1.01),
    ),
    replace(
        FINITE,
        name="F-output-untold",
        load=replace(SMALL, output=200, input=200, max_output=4096),
        target=(97, 1.02),
    ),
    # 1.07 and 1.08 on the average of many seeds, single ones up to 1.13: a known weakness, watched for getting worse
    replace(FINITE, name="F-4procs", clients=4, target=(85, 1.15)),
    replace(FINITE, name="F-4procs-told", clients=4, told=1.0, told_burst=True, target=(85, 1.15)),
    rules(FINITE, "F-tiny", (97, 1.02), depth=1.0),
    replace(rules(FINITE, "F-tiny-told", (97, 1.02), depth=1.0), told=1.0, told_burst=True),
    replace(FINITE, name="F-requests", load=replace(SMALL, input=200, output=40), told=1.0, told_burst=True),
    replace(FINITE, name="F-interactive", load=replace(SMALL, interactive=2.0), target=(88, 1.03)),
)
QUICK_LOAD: Final = Load(
    input=210,
    input_sigma=0.6,
    output=27,
    output_sigma=0.5,
    max_output=256,
    first_byte=(0.36, 0.44),
    speed=(72, 88),
    interactive=0.0,
)
"""The jobs of benchmarks/utilisation.py: .8 s each, so that nothing is in flight soon after nothing is sent."""
QUICK_NET: Final = Network(there=(0.005, 0.02), rejection=0.05)
OUTPUT_LOAD: Final = replace(
    QUICK_LOAD, input=120, input_sigma=0.4, output=92, output_sigma=0.4, max_output=1200, speed=(180, 220)
)
"""Output binds."""
SLOW_LOAD: Final = replace(QUICK_LOAD, first_byte=(0.6, 1.1))
"""The same on a busy machine: the law of the pace is at the edge of swinging."""
BULK: Final = replace(FINITE, load=QUICK_LOAD, network=QUICK_NET, clients=4, work=28.0)
"""Pure bulk among several processes: nothing brings news while all of them wait."""
PROCESSES: Final = (
    replace(BULK, name="P-4", target=(94, 1.05)),
    replace(BULK, name="P-4-told", told=1.0, target=(94, 1.05)),
    replace(rules(BULK, "P-4-C60", depth=60.0), work=60.0, target=(95, 1.05)),
    replace(rules(BULK, "P-4-C60-told", depth=60.0), work=60.0, told=1.0, target=(95, 1.05)),
    replace(BULK, name="P-4-uneven", uneven=True, target=(93, 1.05)),
    replace(BULK, name="P-4-uneven-told", uneven=True, told=1.0, target=(93, 1.05)),
    replace(rules(BULK, "P-4-uneven-C60", depth=60.0), work=60.0, uneven=True, target=(95, 1.05)),
    replace(BULK, name="P-4-slow-told", load=SLOW_LOAD, told=1.0, target=(92, 1.05)),
    replace(BULK, name="P-4-slow-uneven-told", load=SLOW_LOAD, told=1.0, uneven=True, target=(92, 1.05)),
    replace(BULK, name="P-8", clients=8, target=(93, 1.05)),
    replace(BULK, name="P-8-told", clients=8, told=1.0, target=(93, 1.05)),
    replace(rules(BULK, "P-8-C60", depth=60.0), clients=8, work=60.0, target=(95, 1.05)),
    replace(BULK, name="P-8-uneven-told", clients=8, uneven=True, told=1.0, target=(92, 1.05)),
    replace(rules(BULK, "P-8-uneven-C60", depth=60.0), clients=8, work=60.0, uneven=True, target=(95, 1.05)),
    replace(
        rules(replace(S, load=replace(QUICK_LOAD, input=2000)), "P-4-long"),
        network=QUICK_NET,
        clients=4,
        seconds=300.0,
        target=(99, 5),
    ),
    replace(
        rules(replace(S, load=replace(QUICK_LOAD, input=2000)), "P-4-long-C6", depth=6.0),
        network=QUICK_NET,
        clients=4,
        seconds=300.0,
        target=(99, 10),
    ),
)
ALONE: Final = (
    replace(BULK, name="Q-told", clients=1, told=1.0),
    replace(rules(BULK, "Q-told-tiny", (97, 1.002), depth=1.0), clients=1, told=1.0, work=50.0),
    replace(BULK, name="Q-untold", clients=1),
    replace(rules(BULK, "Q-noheaders", headers=False, retry_after=False), clients=1),
    replace(BULK, name="Q-output", clients=1, told=1.0, work=34.0, load=OUTPUT_LOAD, target=(99, 1.002)),
    rules(replace(BULK, clients=1, told=1.0, work=20.0), "Q-storm", storms=((8, 16),)),
    rules(replace(BULK, clients=1, told=1.0), "Q-tenant", tenants=((8, 20, 0.6),)),
    rules(replace(BULK, clients=1, told=1.0, work=20.0), "Q-cut", cuts=((8, 0.25), (18, 1.0))),
)
"""The workloads of benchmarks/utilisation.py as the model sees them."""
ALL: Final = {
    scenario.name: scenario for scenario in (*LONG, *EARLY, *LATE, *ATTACKS, *SHORTS, *PROCESSES, *ALONE)
}
