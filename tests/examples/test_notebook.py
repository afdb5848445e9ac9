"""The notebook, cell by cell as a kernel runs it: one namespace, one loop, every cell a task of its own."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
from pathlib import Path

import pytest

from headway.testing.fake_api import INSTANT, FakeAPI, FakeConfig

NOTEBOOK = Path(__file__).parents[2] / "docs" / "examples" / "notebook.ipynb"


def test_the_notebook_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert not any(cell.get("outputs") for cell in cells), "outputs are not kept in the repository"
    namespace: dict[str, object] = {}
    with FakeAPI.in_thread(FakeConfig(latency=INSTANT)) as api, asyncio.Runner() as runner:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", api.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "any")

        async def cell(source: str) -> None:
            result = eval(compile(source, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), namespace)
            if inspect.isawaitable(result):
                await result

        for source in sources:
            runner.run(cell(source))
    printed = capsys.readouterr().out
    assert "102 answered with 102 requests" in printed
