"""The commands as they are started: help, version, the missing extra, the demo, the fake API."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import headway as headway_package
from headway.cli import app
from headway.testing.fake_api import RemoteAPI

if TYPE_CHECKING:
    from conftest import Headway

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(headway_package.__file__).parents[1])}


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
    )


def test_help_is_quick_and_does_not_import_the_sdk() -> None:
    begin = time.monotonic()
    ended = python("-X", "importtime", "-m", "headway", "--help")
    assert time.monotonic() - begin < 5.0  # usually 0.2
    assert ended.returncode == 0
    assert all(
        name in ended.stdout for name in ("run", "check", "errors", "doctor", "demo", "fake-api", "--version")
    )
    imported = set(re.findall(r"\| +([\w.]+)$", ended.stderr, re.MULTILINE))
    assert not {"anthropic", "aiohttp", "httpx2", "asyncio", "sqlite3", "rich"} & imported


def test_help_of_run_names_every_option(headway: Headway) -> None:
    text = headway("run", "--help").out
    options = ("--output", "--prompt", "--system", "--model", "--max-tokens", "--limit",
               "--journal", "--fresh", "--retry-failed", "--format", "--quiet", "--no-progress",
               "--repair", "--strict", "--no-check")  # fmt: skip
    assert all(option in text for option in options)


def test_version(headway: Headway) -> None:
    assert headway("--version").out == f"headway {headway_package.__version__}\n"


def test_wrong_options(headway: Headway) -> None:
    assert headway("run").status == 2
    assert headway("run", "x", "--nonsense").status == 2
    assert headway("nonsense").status == 2


def test_the_missing_extra_is_named(headway: Headway, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> ModuleSpec | None:
        return None if name == "typer" else ModuleSpec(name, None)

    monkeypatch.setattr(app, "find_spec", find)
    ended = headway("--help")
    assert ended.status == 2
    assert "pip install 'headway[cli]'" in ended.err


def test_the_defaults_are_said_once(headway: Headway) -> None:
    from headway.cli.run_command import DEFAULT_MAX_TOKENS, DEFAULT_MODEL

    text = " ".join(headway("run", "--help").out.split())
    assert f"[default: {DEFAULT_MODEL}]" in text
    assert f"[default: {DEFAULT_MAX_TOKENS};" in text


def test_the_demo_proves_that_nothing_is_lost(headway: Headway, monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs neither key nor network, and no proxy or other address of the environment disturbs it."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    ended = headway("demo", "--jobs", "30")
    assert ended.status == 0, ended.err
    assert "30 of 30 ids exactly once in the results: nothing lost, nothing twice" in ended.out
    assert "30 succeeded, 0 failed, 0 left" in ended.out
    assert "the least these limits allow" in ended.out
    assert "30/30 done" in ended.err
    assert not list(headway.folder.iterdir())


def test_the_fake_api_announces_itself() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "headway", "fake-api", "--port", "0", "--limits", "requests=60"],
        env=ENVIRONMENT, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        first, second = process.stdout.readline(), process.stdout.readline()
        process.terminate()
        assert process.wait(60) == 0
    assert re.fullmatch(r"fake API ready at http://127\.0\.0\.1:\d+\n", first)
    assert "export ANTHROPIC_BASE_URL=http://127.0.0.1:" in second


def test_the_fake_api_does_not_need_the_sdk(headway: Headway, monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        "import sys, headway.cli.fake_api_command as c;"
        "c.serve = lambda config, *rest: print(config.limits.requests);"
        "c.serve_fake_api(c.FakeOptions(limits='requests=60')); assert 'anthropic' not in sys.modules"
    )
    ended = python("-c", script)
    assert (ended.stdout, ended.returncode) == ("60.0\n", 0), ended.stderr


@pytest.mark.parametrize(
    "arguments", [["--limits", "speed=1"], ["--faults", "nonsense"], ["--latency", "x=1"], ["--burst", "-1"]]
)
def test_fake_api_options_that_are_not_understood(headway: Headway, arguments: list[str]) -> None:
    ended = headway("fake-api", *arguments)
    assert ended.status == 2
    assert ended.err.startswith("headway: fake-api: ")


def test_a_port_that_is_taken(headway: Headway, fake_server: RemoteAPI) -> None:
    ended = headway("fake-api", "--port", fake_server.base_url.rpartition(":")[2])
    assert ended.status == 2
    assert "cannot be used" in ended.err
