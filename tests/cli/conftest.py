"""The command line in this process, against a fake API in a thread of it."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headway.cli.app import main
from headway.testing.fake_api import INSTANT, FakeAPI, FakeConfig, RemoteAPI

CANARY = "sk-ant-canary-0123456789"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


class Headway:
    """Runs commands in a folder of its own."""

    def __init__(self, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self._patch = patch
        self._capsys = capsys
        self.folder = folder

    def __call__(self, *arguments: object) -> Ended:
        self._patch.setattr("sys.argv", ["headway", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        shown = self._capsys.readouterr()
        code = end.value.code
        assert CANARY not in shown.out + shown.err
        return Ended(code if isinstance(code, int) else 0, shown.out, shown.err)

    def prompts(self, count: int, start: int = 1, name: str = "p.jsonl", **more: object) -> Path:
        """A JSON Lines input with ids ``p1`` …; lines are appended when the file exists."""
        path = self.folder / name
        with path.open("a") as file:
            for number in range(start, start + count):
                file.write(json.dumps({"custom_id": f"p{number}", "prompt": f"Say {number}", **more}) + "\n")
        return path

    def write(self, text: str | bytes, name: str = "p.jsonl") -> Path:
        """A file with this content."""
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def results(self, name: str = "p.results.jsonl") -> dict[str, dict[str, Any]]:
        """Results by id; each id must be there once."""
        lines = (self.folder / name).read_text().splitlines()
        found = {value["custom_id"]: value for value in map(json.loads, lines)}
        assert len(found) == len(lines), "an id was written twice"
        return found


@pytest.fixture(scope="session", autouse=True)
def commands_built_once() -> Iterator[None]:
    """Typer makes the commands anew at every call, 10 ms; a process of headway makes one call."""
    import typer.main

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", functools.cache(typer.main.get_command))
        yield


@pytest.fixture(scope="session")
def fake_server() -> Iterator[RemoteAPI]:
    import httpx2

    with pytest.MonkeyPatch.context() as patch:
        # Every client loads the machine's certificates, 45 ms; here none is needed.
        patch.setattr(httpx2, "create_ssl_context", functools.cache(httpx2.create_ssl_context))
        with FakeAPI.in_thread(FakeConfig(latency=INSTANT)) as api:
            yield api


@pytest.fixture
def api(fake_server: RemoteAPI, monkeypatch: pytest.MonkeyPatch) -> RemoteAPI:
    """A fresh fake API that the environment points to."""
    fake_server.set_faults(())
    fake_server.reset()
    monkeypatch.setenv("ANTHROPIC_BASE_URL", fake_server.base_url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
    return fake_server


@pytest.fixture
def headway(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Headway:
    monkeypatch.chdir(tmp_path)
    return Headway(monkeypatch, capsys, tmp_path)
