"""The fake API in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import headway.testing.fake_api as package
from headway.testing.fake_api.config import FakeConfig
from headway.testing.fake_api.plain import to_plain
from headway.testing.fake_api.remote import RemoteAPI

READY: Final = "fake API ready at "
"""What the process prints first, followed by its base URL."""


class SpawnedAPI(RemoteAPI):
    """``with FakeAPI.spawn(config) as api: api.base_url``; leaving ends the process."""

    def __init__(self, config: FakeConfig, host: str, port: int) -> None:
        super().__init__(host, port)
        self._config = config
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        """Process id, for tests that kill or stop the server."""
        if self._process is None:
            raise RuntimeError("the fake API is not running: use it inside `with`")
        return self._process.pid

    def __enter__(self) -> Self:
        source = str(Path(package.__file__).parents[3])
        path = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
        command = [
            *(sys.executable, "-m", "headway.testing.fake_api", "--config", "-"),
            *("--host", self._host, "--port", str(self._port), "--stop-with-stdin"),
        ]
        self._process = process = subprocess.Popen(  # noqa: S603 - our own module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C is meant for the program under test; the server ends with its stdin
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(to_plain(self._config)) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line.startswith(READY):
            self._end(process)
            raise RuntimeError(f"the fake API did not start: {line!r} (see its stderr)")
        self._port = int(line.strip().rpartition(":")[2])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._end(self._process)

    @staticmethod
    def _end(process: subprocess.Popen[str]) -> None:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
