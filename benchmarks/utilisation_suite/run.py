"""One run: a fresh fake API in its own process, one or more client processes, and what both sides saw."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Final

import headway
from headway.testing.fake_api import FakeAPI
from utilisation_suite.errand import Account, Errand
from utilisation_suite.figures import Figures, figures_of
from utilisation_suite.workload import Workload

PATHS: Final = (str(Path(__file__).parents[1]), str(Path(headway.__file__).parents[1]))
"""Of this suite, and of the very headway that this process uses."""
GRACE: Final = 60.0
"""Seconds beyond a workload's time limit until a client process is killed."""


async def measure(contender: str, workload: Workload, seed: int) -> Figures:
    """Run a workload once with a contender."""
    with FakeAPI.spawn(workload.config(seed)) as api:
        parts = [
            _Client(Errand(contender, workload.name, seed, api.base_url, part, workload.jobs))
            for part in range(workload.processes)
        ]
        try:
            await asyncio.gather(*(part.start() for part in parts))
            for part in parts:
                part.go()
            accounts = await asyncio.gather(*(part.account(workload.time_limit) for part in parts))
        finally:
            for part in parts:
                part.end()
        stats = api.stats()
    return figures_of(contender, workload, seed, accounts, stats)


class _Client:
    """One client process."""

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._process: asyncio.subprocess.Process | None = None
        self._noise = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process

    async def start(self) -> None:
        """Until it is ready to send."""
        path = os.pathsep.join(filter(None, (*PATHS, os.environ.get("PYTHONPATH"))))
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "ignore", "-m", "utilisation_suite.client"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._noise,
            env=os.environ | {"PYTHONPATH": path, "UTILISATION_CLIENT": "1"},
            limit=2**26,
        )
        self._say(json.dumps(asdict(self._errand)))
        await asyncio.wait_for(self._line(), GRACE)

    def go(self) -> None:
        """Start sending."""
        self._say("go")

    async def account(self, seconds: float) -> Account:
        """What it reports at its end, or that it did not."""
        try:
            line = await asyncio.wait_for(self._line(), seconds + GRACE)
            return Account(**json.loads(line))
        except (TimeoutError, ValueError) as error:
            return Account(timed_out=True, error=f"{type(error).__name__}: {error}; {self._last_words()}")

    def end(self) -> None:
        """Leave nothing behind."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        self._noise.close()

    def _say(self, text: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode() + b"\n")

    async def _line(self) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if line:
            return line
        raise ValueError(f"the client process ended: {self._last_words()}")

    def _last_words(self) -> str:
        self._noise.seek(0)
        return self._noise.read().decode(errors="replace")[-600:]
