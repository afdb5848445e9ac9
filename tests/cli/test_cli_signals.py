"""Ctrl-C and SIGTERM: the first drains, the second stops at once, everything can be resumed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import headway as headway_package
from headway.testing.fake_api import FaultKind, FaultRule, RemoteAPI

if TYPE_CHECKING:
    from conftest import Headway

PATIENCE = 60.0
"""Seconds: a bound on what usually takes one."""
LONG = 1.0
"""Seconds that a request takes: the signal must come before the first ends, however busy the machine."""


def slow(seconds: float) -> tuple[FaultRule, ...]:
    return (FaultRule(FaultKind.SLOW_HEADERS, seconds=seconds),)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


class Killer:
    """Sends signals to this process once the fake API has seen so many requests."""

    def __init__(self, api: RemoteAPI, arrivals: int, *numbers: signal.Signals) -> None:
        self._thread = threading.Thread(target=self._run, args=(api, arrivals, numbers))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._thread.join()

    @staticmethod
    def _run(api: RemoteAPI, arrivals: int, numbers: tuple[signal.Signals, ...]) -> None:
        wait_for(lambda: api.stats().arrivals >= arrivals)
        for number in numbers:
            os.kill(os.getpid(), number)
            time.sleep(0.05)  # two signals at the same moment are one


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_drains(
    api: RemoteAPI, headway: Headway, number: signal.Signals, status: int
) -> None:
    headway.prompts(20)
    api.set_faults(slow(LONG))
    with Killer(api, 3, number):
        ended = headway("run", "p.jsonl", "--max-in-flight", "3")
    assert ended.status == status
    assert "stopping: nothing new is sent, 3 requests in flight may finish" in ended.err
    assert len(headway.results()) == 3
    assert api.stats().arrivals == 3
    assert "3 succeeded, 0 failed, 17 left" in ended.out
    assert "next      headway run p.jsonl --max-in-flight 3 " in ended.out
    api.set_faults(())
    again = headway("run", "p.jsonl")
    assert again.status == 0
    assert "may be billed" not in again.out
    assert len(headway.results()) == 20
    assert api.stats().arrivals == 20


def test_a_signal_at_the_last_jobs_is_a_normal_end(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(3)
    api.set_faults(slow(LONG))
    with Killer(api, 3, signal.SIGTERM):
        ended = headway("run", "p.jsonl")
    assert ended.status == 0
    assert len(headway.results()) == 3


def test_the_second_signal_stops_at_once(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(10)
    api.set_faults(slow(PATIENCE))
    begin = time.monotonic()
    with Killer(api, 4, signal.SIGTERM, signal.SIGINT):
        ended = headway("run", "p.jsonl", "--max-in-flight", "4")
    assert time.monotonic() - begin < PATIENCE / 2
    assert ended.status == 130
    assert "0 succeeded, 0 failed, 10 left" in ended.out
    api.set_faults(())
    again = headway("run", "p.jsonl")
    assert again.status == 0
    assert "4 requests may be billed without an answer" in again.out
    assert len(headway.results()) == 10


def start(*arguments: str) -> subprocess.Popen[bytes]:
    source = str(Path(headway_package.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-m", "headway", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": source},
    )


@pytest.mark.heavy
def test_a_process_of_its_own(api: RemoteAPI, headway: Headway, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM to a process that reads standard input, and a second run that resumes what it left."""
    path = headway.prompts(6)
    api.set_faults(slow(LONG))
    arguments = ("run", "-", "-o", "out.jsonl", "--max-in-flight", "2")
    with start(*arguments) as run:
        assert run.stdin is not None
        run.stdin.write(path.read_bytes())
        run.stdin.close()
        wait_for(lambda: api.stats().arrivals >= 2 or run.poll() is not None)
        run.send_signal(signal.SIGTERM)
        assert run.wait(PATIENCE) == 143
        assert run.stderr is not None
        assert b"Traceback" not in run.stderr.read()
    api.set_faults(())
    with path.open() as file:
        monkeypatch.setattr("sys.stdin", file)
        assert headway(*arguments).status == 0
    assert len(headway.results("out.jsonl")) == 6
    assert api.stats().arrivals == 6


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_ctrl_c_before_anything_is_sent(headway: Headway) -> None:
    """While standard input is silent nothing has begun: no traceback, 130."""
    with start("run", "-", "-o", "out.jsonl") as run:
        wait_for(lambda: _waits(run.pid) or run.poll() is not None)
        run.send_signal(signal.SIGINT)
        assert run.wait(PATIENCE) == 130
        assert run.stderr is not None
        assert b"Traceback" not in run.stderr.read()
    assert not list(headway.folder.iterdir())


def _waits(pid: int) -> bool:
    """The process sleeps in select (Linux tells it in /proc)."""
    process = Path("/proc", str(pid))
    try:
        where = (process / "wchan").read_text()
        state = (process / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "S" and ("select" in where or "poll" in where or where == "0")
