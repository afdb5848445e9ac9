"""How much of the rate limits becomes finished jobs? Over real HTTP, against the fake API in its own process.

    python benchmarks/utilisation.py [--only told,storm] [--against sdk,async-batch-llm] [--repeat 3] [--check]

Every run has a fresh server and a fresh client process; `docs/benchmarks.md` says what is measured and how.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from utilisation_suite import report
from utilisation_suite.contenders import CONTENDERS, missing_packages
from utilisation_suite.figures import Figures
from utilisation_suite.run import measure
from utilisation_suite.workloads import QUICK, WORKLOADS


def main() -> None:
    """Run, print, and say with the exit status whether headway is good enough."""
    options = _options()
    workloads = list(QUICK) if options.quick else [WORKLOADS[name] for name in options.only]
    contenders = ([] if options.without_headway else ["headway"]) + _present(options.against)
    print(report.LEGEND, report.HEAD, sep="\n\n")
    runs: list[Figures] = []
    missed: list[str] = []
    for workload in workloads:
        for contender in contenders:
            found = []
            for seed in range(options.seed, options.seed + options.repeat):
                found.append(asyncio.run(measure(contender, workload, seed)))
                print(report.line(found[-1]), flush=True)
                if options.series:
                    print(*report.series(found[-1]), sep="\n")
            middle = report.medians(found)
            if len(found) > 1:
                print(report.line(middle) + "  = median", flush=True)
            if contender == "headway":
                missed += report.misses(middle, workload)
            runs += found
    if options.json:
        rows = [
            asdict(run) | {"efficiency": run.efficiency, "requests_per_job": run.requests_per_job}
            for run in runs
        ]
        options.json.write_text(json.dumps(rows, indent=1))
    if options.markdown:
        print(report.table(runs))
    for text in missed:
        print(f"missed: {text}")
    if options.check or options.quick:
        sys.exit(1 if missed else 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--only",
        type=_names(WORKLOADS),
        default=list(WORKLOADS),
        metavar="WORKLOADS",
        help=", ".join(WORKLOADS),
    )
    add("--against", type=_names(CONTENDERS), default=[], metavar="CONTENDERS", help=", ".join(CONTENDERS))
    add("--without-headway", action="store_true", help="only the contenders of --against")
    add("--repeat", type=int, default=1, help="runs of each, with seeds of their own; the median counts")
    add("--seed", type=int, default=1, help="of the first run")
    add("--json", type=Path, metavar="FILE", help="all figures, with what the server saw in every second")
    add("--series", action="store_true", help="print what the server saw in every second")
    add(
        "--markdown", action="store_true", help="a table of efficiency / requests per finished job at the end"
    )
    add("--check", action="store_true", help="exit with 1 if headway misses one of its targets")
    add("--quick", action="store_true", help="two short workloads, for CI: exit with 1 if a job is lost")
    return parser.parse_args()


def _names(known: Iterable[str]) -> object:
    def parse(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",") if name.strip()]
        if wrong := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(wrong)}; known: {', '.join(known)}")
        return names

    return parse


def _present(names: list[str]) -> list[str]:
    """Contenders whose packages are here; the others are reported."""
    found = []
    for name in names:
        if missing := missing_packages(name):
            print(f"{name}: left out, not installed: {', '.join(missing)}")
        elif name != "headway":
            found.append(name)
    return found


if __name__ == "__main__":
    main()
