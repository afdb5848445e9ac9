"""The figures and numbers of docs/concepts/budgets.md: ``python benchmarks/plots.py``.

Runs the simulator, each run of one fixed seed; draws ``docs/concepts/budgets/*.svg``, writes ``numbers.md`` beside
them and the values of constants into the page. Needs matplotlib. ``--only headers,tail``: these alone. ``--png DIR``:
PNG files there, and nothing else is written. ``--check``: does the page give the constants as the code has them?
``--quick`` is for continuous integration and writes nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parent))

from headway.core import pace
from headway.core.breaker import Circuit
from headway.core.dimension import Dimension
from headway.core.mirror import Mirror
from simulation.film import REPLIES, SHIPPED, Film
from simulation.page import stale, with_constants, with_table
from simulation.run import run
from simulation.scenarios import ALL, S, Scenario, rules
from simulation.sheet import Sheet
from simulation.variants import AS_BUILT, varied

PAGE: Final = Path(__file__).parents[1] / "docs" / "concepts" / "budgets.md"
NUMBERS: Final = PAGE.with_suffix("") / "numbers.md"
INTRODUCTION: Final = """# Numbers of the adaptive budget

Written by `python benchmarks/plots.py`; what they are about: [the adaptive budget](../budgets.md). Each line is one
run of one seed: 300 s of endless work (learner: 600 s), or a short run (`F-`) of about 35 s. "% of the limit" is what
was used of the bucket's first content and its refill; of short runs, how near the last admission comes to the
earliest possible one. Jain's index is 1 when all processes get the same, 1/N when one gets all.
"""
INPUT, OUTPUT = 1, 2
OUTPUTS: Final = replace(S.load, input=400, output_sigma=1.2, max_output=8192)
SECONDS: Final = "level,\nseconds of the limit"
RATE: Final = "admitted,\ntimes the limit"


Drawn = tuple[Sheet, list[str]]


def row(scenario: Scenario, variant: str = AS_BUILT, end: float = 300.0) -> str:
    """One line of a table. Short runs are judged by their last admission."""
    with varied(variant):
        found = run(replace(scenario, network=SHIPPED), 1, end)
    used = found.efficiency if scenario.work is None else found.admission
    return (
        f"| `{scenario.name}` | {scenario.clients} | {variant} | {used:.1f} | {found.refused:.1f} "
        f"| {found.overloaded} | {found.jain:.2f} | {found.own_p99:.2f} |"
    )


def headers() -> Drawn:
    """The rule for headers."""
    heard: list[tuple[float, ...]] = []
    sync, short = Mirror._sync, ALL["F-told"]

    def listen(self: Mirror, remaining: float, mark: Any, now: float) -> None:
        if self.rate == short.rules.limits[INPUT] / 60:
            then, half = mark.level + self.corr - mark.corr, self.unit / 2
            low, high = min(then, self.level) - half, max(then, self.level) + half + mark.late
            heard.append(tuple(value / self.rate for value in (now * self.rate, remaining, low, high)))
        sync(self, remaining, mark, now)

    with patch.object(Mirror, "_sync", listen):
        built = Film(short, 60, step=0.1)
    naive = Film(short, 60, step=0.1, variant="header overwrites level")
    sheet = Sheet(f"as built: {SECONDS}", "overwritten: level,\nseconds", "429s so far")
    some = [heard[int(i * len(heard) / 70)] for i in range(70)]
    sheet.axes[0].vlines(
        [h[0] for h in some],
        [h[2] for h in some],
        [h[3] for h in some],
        color="#bbbbbb",
        lw=3,
        label="may lie here",
    )
    sheet.line(0, built.times, built.series(lambda f: f.belief(INPUT)), "mirror", 0)
    sheet.axes[0].plot(
        [h[0] for h in some], [h[1] for h in some], ".", color="#d55e00", ms=4, label="a header says"
    )
    sheet.line(1, naive.times, naive.series(lambda f: f.belief(INPUT)), "believed", 0)
    sheet.line(1, naive.times, naive.series(lambda f: f.truth(INPUT)), "the server's", 1)
    sheet.line(2, naive.times, naive.series(lambda f: f.server.counts.refused), "overwritten", 1)
    sheet.line(2, built.times, built.series(lambda f: f.server.counts.refused), "as built", 0)
    how = (AS_BUILT, "header overwrites level", "point instead of interval", "no reorder window")
    return sheet, [row(ALL[name], each) for name in ("F-told", "F-tiny", "S8-C1") for each in how]


def others() -> Drawn:
    """A tenant nobody told us of."""
    film = Film(rules(S, "tenant", tenants=((40, 90, 0.6),)), 130, start=20, step=0.5)
    sheet = Sheet(RATE, "use by others,\npart of the limit", SECONDS, "pace,\ntimes the limit")
    sheet.line(0, film.times, film.admitted(2.0), "we", 0)
    sheet.line(0, film.times, [0.4 if 40 <= t < 90 else 1.0 for t in film.times], "left to us", 3)
    sheet.line(
        1, film.times, film.series(lambda f: f.status[0].dimensions[INPUT].others / 2e6), "believed", 0
    )
    sheet.line(1, film.times, [0.6 if 40 <= t < 90 else 0.0 for t in film.times], "true", 3)
    sheet.line(2, film.times, film.series(lambda f: f.belief(INPUT)), "mirror", 0)
    sheet.line(2, film.times, film.series(lambda f: f.truth(INPUT)), "the server's", 1)
    sheet.line(3, film.times, film.series(lambda f: f.status[0].pace), "", 0)
    sheet.axes[0].set_ylim(0, 2.5)
    sheet.band(40, 90, "another client uses 60 %")
    names = ("S3-tenant", "S7-8procs", "S7-8procs-C10")
    return sheet, [row(ALL[name], each) for name in names for each in (AS_BUILT, "no `others`")]


def outputs() -> Drawn:
    """Output as the scarce thing."""
    scarce = rules(
        replace(S, load=OUTPUTS), "outputs of all lengths", limits=(4000, 2_000_000, 240_000), depth=10.0
    )
    how = (AS_BUILT, "mean of ended jobs", "reserve max_tokens")
    sheet = Sheet("output level,\nseconds of the limit", "jobs in flight", "429s so far")
    for variant, style in zip(how, (0, 1, 2), strict=True):
        film = Film(scarce, 100, step=0.5, variant=variant)
        sheet.line(0, film.times, film.series(lambda f: f.truth(OUTPUT)), variant, style)
        sheet.line(1, film.times, film.series(lambda f: f.status[0].in_flight), variant, style)
        sheet.line(2, film.times, film.series(lambda f: f.server.counts.refused), variant, style)
    sheet.axes[0].axhline(0, color="#7f7f7f", lw=0.8)
    return sheet, [row(scarce, each) for each in how]


def price() -> Drawn:
    """Four processes that know nothing of each other."""
    sheet = Sheet(
        "pace,\ntimes the limit",
        "price,\nas it ships",
        "price,\nnothing streamed",
        "switch",
        share=False,
    )
    levels = [i / 100 for i in range(201)]
    prices = [max(pace.SLOWEST, min(pace.FASTEST, level**3)) for level in levels]
    sheet.line(0, levels, prices, "alone", 0)
    for part, style in ((0.25, 2), (0.75, 3)):
        bucket = Mirror(Dimension.INPUT, 0.0)
        bucket.tell(2_000_000, 60.0)
        bucket.others, bucket.company = part * bucket.rate, part
        lane = pace.Lane(bucket)
        lane.aim(1.0)
        sheet.line(0, levels, [min(p, lane.fastest) for p in prices], f"others use {100 * part:.0f} %", style)
    sheet.axes[0].set_xlabel("level / target")
    switch = "switch instead of price"
    for panel, variant, network in ((1, AS_BUILT, SHIPPED), (2, AS_BUILT, REPLIES), (3, switch, SHIPPED)):
        film = Film(replace(S, clients=4), 600, step=10, join=40, variant=variant, network=network)
        shares = [film.admitted(20.0, client) for client in range(4)]
        colors = ("#1a1a1a", "#6d6d6d", "#a8a8a8", "#dddddd")
        names = [f"process {n + 1}" for n in range(4)] if panel == 1 else ()
        axis = sheet.axes[panel]
        axis.stackplot(film.times, shares, colors=colors, labels=names, linewidth=0)
        axis.set_ylim(0, 1.5)
        axis.grid(visible=False)
    together = [row(replace(S, name=f"S, {n}", clients=n), AS_BUILT) for n in (1, 2, 4, 8, 16)]
    together.append(row(replace(S, name="S, 4", clients=4), switch))
    few = replace(S, name="S, 4", clients=4), ALL["F-4procs"]
    divided = [replace(each, name=f"{each.name}, share=1/4", share=0.25) for each in few]
    return sheet, [*together, *(row(each) for each in (few[1], *divided))]


def learner() -> Drawn:
    """No header tells anything."""
    film = Film(rules(S, "no headers", headers=False), 240, step=0.5)
    mean = sum(size for _, size in film.outcome.taken) / len(film.outcome.taken)
    sheet = Sheet("jobs per second", f"the server's {SECONDS}", RATE)
    sheet.line(0, film.times, film.series(lambda f: f.status[0].jobs_per_second), "rate", 0)
    sheet.line(0, film.times, film.series(lambda f: f.budgets[0]._learner.aim), "aim", 2)
    sheet.line(0, film.times, [film.rate / mean for _ in film.times], "the limit", 3)
    sheet.line(1, film.times, film.series(lambda f: f.truth(INPUT)), "", 0)
    sheet.line(2, film.times, film.admitted(2.0), "", 0)
    sheet.axes[0].set_ylim(0, 60)
    for panel in range(3):
        sheet.marks(panel, film.outcome.refusals, "" if panel else "a 429")
    names = ("S2-noheaders", "A-noheaders-C10", "A-noheaders-C1", "A-noheaders-tenant", "A-noheaders-10x")
    return sheet, [row(ALL[name], AS_BUILT, 600) for name in names]


def circuit() -> Drawn:
    """Half a minute of 529."""
    storm = rules(S, "storm", storms=((30, 60),))
    film = Film(storm, 90, start=20, step=0.25)
    bare = Film(storm, 90, start=20, step=0.5, variant="no circuit")
    sheet = Sheet(RATE, "circuit", "ceiling,\ntimes the limit", "529s so far")
    sheet.line(0, film.times, film.admitted(), "", 0)
    sheet.line(1, film.times, film.series(lambda f: list(Circuit).index(f.status[0].circuit)), "", 0)
    sheet.axes[1].set_yticks(range(3), [str(state.value) for state in Circuit])
    sheet.line(2, film.times, film.series(lambda f: f.status[0].ceiling), "", 0)
    sheet.line(3, film.times, film.series(lambda f: f.server.counts.overloaded), AS_BUILT, 0)
    sheet.line(3, bare.times, bare.series(lambda f: f.server.counts.overloaded), "no circuit", 1)
    sheet.axes[3].set_yscale("symlog")
    sheet.band(30, 60, "every request gets 529")
    names = ("S4-storm", "F-storm10s", "F-faults")
    return sheet, [row(ALL[name], each) for name in names for each in (AS_BUILT, "no circuit")]


def tail() -> Drawn:
    """The end of a short run."""
    sheet = Sheet(SECONDS, "pace,\ntimes the limit", "jobs left to send")
    how = (AS_BUILT, "reserve kept to the end")
    for variant, style in zip(how, (0, 1), strict=True):
        film = Film(ALL["F-told"], 60, step=0.2, variant=variant)
        sheet.line(0, film.times, film.series(lambda f: f.truth(INPUT)), variant, style)
        sheet.line(1, film.times, film.series(lambda f: min(f.status[0].pace, 4.0)), variant, style)
        total = len(film.outcome.taken)
        left = [total - sum(t <= at for t, _ in film.outcome.taken) for at in film.times]
        sheet.line(2, film.times, left, variant, style)
    return sheet, [row(ALL[name], each) for name in ("F-told", "F-untold", "F-tiny") for each in how]


def limits() -> Drawn:
    """Wrong told limits, and limits that are cut."""
    sheet = Sheet(
        "limit believed,\ntimes the true one", RATE, "cut: admitted,\ntimes first limit", SECONDS, share=False
    )
    for told, style in ((0.5, 2), (1.0, 0), (2.0, 1)):
        film = Film(replace(S, told=told), 40, step=0.2)
        sheet.line(
            0,
            film.times,
            film.series(lambda f: (f.status[0].dimensions[INPUT].limit or 0) / 2e6),
            f"told {told:g} x",
            style,
        )
        sheet.line(1, film.times, film.admitted(), f"told {told:g} x", style)
    cut = Film(rules(S, "cut", cuts=((60, 0.25), (120, 1.0))), 160, start=30, step=0.5)
    sheet.line(2, cut.times, cut.admitted(2.0), "we", 0)
    sheet.line(2, cut.times, cut.series(lambda f: f.server.factor), "the limit", 3)
    sheet.line(3, cut.times, cut.series(lambda f: f.belief(INPUT)), "mirror", 0)
    sheet.line(3, cut.times, cut.series(lambda f: f.truth(INPUT)), "the server's", 1)
    names = (
        "S1-known",
        "A-told-half",
        "A-told",
        "A-told-double",
        "S5-cut25",
        "A-cut-full",
        "A-ramp3",
        "A-concurrency50",
    )
    return sheet, [row(ALL[name]) for name in names]


FIGURES: Final[tuple[Callable[[], Drawn], ...]]
FIGURES = (headers, others, outputs, price, learner, circuit, tail, limits)
TITLE: Final = (
    "| run | processes | how | % of the limit | 429s per 1,000 | 529s | Jain | own p99, s |\n"
    "|---|---|---|---|---|---|---|---|\n"
)


def main() -> int:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="names of figures, comma-separated")
    parser.add_argument("--png", type=Path, help="a directory for PNG files")
    for name in ("--check", "--quick"):
        parser.add_argument(name, action="store_true")
    options = parser.parse_args()
    text = PAGE.read_text()
    numbers = NUMBERS.read_text() if NUMBERS.exists() and options.only else INTRODUCTION
    if options.quick or options.check:
        print("\n".join(stale(text)) or "the page has the constants of the code")
    if options.check:
        return 1 if stale(text) else 0
    if options.quick:
        print(TITLE + row(ALL["F-told"]))
    if find_spec("matplotlib") is None:
        print("matplotlib is missing: nothing is drawn")
        return 0 if options.quick else 1
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.png or (Path(scratch) if options.quick else PAGE.with_suffix(""))
        folder.mkdir(parents=True, exist_ok=True)
        wanted = "tail" if options.quick else options.only
        for figure in FIGURES:
            if wanted and figure.__name__ not in wanted.split(","):
                continue
            sheet, rows = figure()
            sheet.save(folder / f"{figure.__name__}.{'png' if options.png else 'svg'}")
            table = TITLE + "\n".join(rows)
            print(f"{figure.__name__}\n{table}")
            numbers = with_table(numbers, figure.__name__, figure.__doc__ or "", table)
    if not options.quick and not options.png:
        PAGE.write_text(with_constants(text))
        NUMBERS.write_text(numbers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
