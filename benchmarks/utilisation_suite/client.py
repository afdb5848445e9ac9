"""The client process of one run: ``python -m utilisation_suite.client``, told what to do on stdin.

It says ``ready`` when everything is imported and open, waits for ``go``, and ends with its account as one line
of JSON. A process of its own per run: CPU time and memory are the contender's alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import asdict
from typing import TextIO

from utilisation_suite.contenders import Contender, Setup, load
from utilisation_suite.errand import Account, Errand
from utilisation_suite.job import Job
from utilisation_suite.workload import Workload
from utilisation_suite.workloads import WORKLOADS


async def run(errand: Errand, workload: Workload, pipe: TextIO) -> Account:
    """The whole errand."""
    setup = Setup.of(errand.base_url, workload)
    account = Account()
    jobs = workload.bulk(errand.seed, errand.part)
    urgent = workload.interactive(errand.seed)

    def done(name: str, failure: str | None) -> None:
        if failure is None:
            account.finished.append(name)
        else:
            account.failures[name] = failure

    async with load(errand.contender)(setup) as contender:
        print("ready", file=pipe, flush=True)
        if not await asyncio.to_thread(sys.stdin.readline):
            os._exit(1)
        threading.Thread(target=_end_with_parent, daemon=True).start()
        account.base_mib = _peak_mib()
        cpu, wall = time.process_time(), time.perf_counter()
        bulk = asyncio.create_task(contender.bulk(jobs, done))
        ticking = asyncio.create_task(_tick(account))
        visitors = asyncio.create_task(_visit(contender, urgent, workload, errand.seed, account))
        _, late = await asyncio.wait({bulk}, timeout=workload.time_limit)
        account.timed_out = bool(late)
        await _call_off(visitors)
        await _call_off(ticking)
        account.seconds = time.perf_counter() - wall
        account.cpu_seconds = time.process_time() - cpu
        account.peak_mib = _peak_mib()
        heard = {*account.finished, *account.failures}
        account.missing = sum(1 for job in jobs if job.name not in heard)
        if late:
            print(json.dumps(asdict(account)), file=pipe, flush=True)
            os._exit(0)  # leaving might wait for what never ends
        bulk.result()
    return account


async def _visit(
    contender: Contender, urgent: list[Job], workload: Workload, seed: int, account: Account
) -> None:
    """Interactive jobs at random moments, until cancelled; those under way are waited for."""
    chance = random.Random(f"{seed}|arrivals")
    visits: set[asyncio.Task[None]] = set()

    async def visit(job: Job) -> None:
        begin = time.perf_counter()
        try:
            tokens = await contender.interactive(job)
        except Exception as error:  # noqa: BLE001 - whatever a contender ends with is its failure
            account.failures[job.name] = f"{type(error).__name__}: {error}"[:200]
        else:
            account.waits.append((time.perf_counter() - begin, tokens))
            account.finished.append(job.name)

    try:
        for job in urgent:
            mean = workload.interactive_every or 1.0
            await asyncio.sleep(chance.uniform(0.5 * mean, 1.5 * mean))
            visits.add(asyncio.create_task(visit(job)))
    except asyncio.CancelledError:
        if visits:
            await asyncio.wait(visits, timeout=30)
        raise


async def _tick(account: Account) -> None:
    """Notice when the event loop comes late."""
    while True:
        begin = time.perf_counter()
        await asyncio.sleep(0.1)
        account.stall = max(account.stall, time.perf_counter() - begin - 0.1)


async def _call_off(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.wait({task}, timeout=40)


def _end_with_parent() -> None:
    """Stdin ends when whoever started us has gone."""
    sys.stdin.read()
    os._exit(1)


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Read the errand, run it, report."""
    pipe = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # contenders that print progress must not disturb the report
    errand = Errand(**json.loads(sys.stdin.readline()))
    workload = WORKLOADS[errand.workload]
    if errand.jobs is not None:
        workload = workload.shortened(errand.jobs)
    try:
        account = asyncio.run(run(errand, workload, pipe))
    except Exception as error:  # noqa: BLE001 - reported to the parent
        traceback.print_exc()
        account = Account(error=f"{type(error).__name__}: {error}"[:300])
    print(json.dumps(asdict(account)), file=pipe, flush=True)
    os._exit(0)  # a contender that cannot end must not hold up the run


if __name__ == "__main__":
    main()
