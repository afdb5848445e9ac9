"""The SDK's public test suite, as its source distribution brings it, with headway in every asynchronous client.

    HEADWAY_SDK_SUITE=quick pytest -m heavy tests/heavy/test_sdk_suite.py      # clients, middleware, streams: minutes
    HEADWAY_SDK_SUITE=all   pytest -m heavy tests/heavy/test_sdk_suite.py      # and everything under lib, tracing: 20

A test that passes with a middleware that only hands on must pass with ``headway.middleware(retry=None)``. (Some
fail with any middleware: they look at the client's list of them, or read responses that the SDK does not retry
through a middleware.) Needs a package index; skipped unless asked for. The tests of ``api_resources`` need a mock
server of the SDK's authors and are left out.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
import venv
from importlib.metadata import version
from pathlib import Path

import pytest

pytestmark = pytest.mark.heavy
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ASKED = os.environ.get("HEADWAY_SDK_SUITE", "")
QUICK = [
    "tests/test_client.py",
    "tests/test_middleware.py",
    "tests/test_streaming.py",
    "tests/test_response.py",
]
ALL = [*QUICK, "tests/lib", "tests/test_open_telemetry.py", "tests/test_tracing.py"]
EXTRAS = "aiohttp,bedrock,vertex,mcp,webhooks"
TOOLS = ("pyright", "ruff")


def test_the_sdk_s_suite_passes_as_with_any_middleware(tmp_path: Path) -> None:
    if ASKED not in ("quick", "all"):
        pytest.skip("set HEADWAY_SDK_SUITE=quick or =all: it downloads the SDK's source and takes minutes")
    suite = unpacked(tmp_path)
    python = environment(tmp_path, suite)
    files = QUICK if ASKED == "quick" else ALL
    usual = failures(python, suite, files, "pass")
    ours = failures(python, suite, files, "headway")
    assert ours <= usual, "\n".join(sorted(ours - usual))


def unpacked(folder: Path) -> Path:
    """The source distribution of the SDK that is installed here."""
    wanted = f"anthropic=={version('anthropic')}"
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "anthropic"]
    done = subprocess.run([*command, "-d", str(folder), wanted], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the SDK's source cannot be downloaded: {done.stderr.strip()[-300:]}")
    with tarfile.open(next(folder.glob("anthropic-*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    return next(path for path in folder.glob("anthropic-*") if path.is_dir())


def environment(folder: Path, suite: Path) -> Path:
    """An interpreter with the SDK, what its tests need, and headway as it stands here."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    groups = tomllib.loads((suite / "pyproject.toml").read_text())["dependency-groups"]
    needs = [need for need in groups["dev"] if isinstance(need, str) and not need.startswith(TOOLS)]
    wanted = [f"anthropic[{EXTRAS}]=={version('anthropic')}", str(ROOT), *needs]
    subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=True)
    return python


def failures(python: Path, suite: Path, files: list[str], mode: str) -> set[str]:
    """The tests that do not pass in a mode; a run that does not come to its end is a failure of its own."""
    settings = {"HEADWAY_SUITE_MODE": mode, "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [python, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", "-p", "sdk_suite_plugin"]
    done = subprocess.run(
        [*command, "-rfE", "--tb=no", *files],
        cwd=suite,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=3600,
    )
    assert done.returncode in (0, 1), done.stdout[-3000:] + done.stderr[-3000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    print(mode, done.stdout.splitlines()[-1])
    return {line.split(" - ")[0].split(" ", 1)[1] for line in lines}
