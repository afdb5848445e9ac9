"""The architecture is a failing test: import contracts (``.importlinter``) and sizes."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "headway"
FILES = sorted(SOURCE.rglob("*.py"))
FILE_LINES = 300
CLASS_LINES = 250
PUBLIC_METHODS = 12
CONSTRUCTOR_ARGUMENTS = 7
MANY_ARGUMENTS = {"Scheduler"}
"""The front door alone may have more: options are keyword-only and grouped."""
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}
PURE = ("core", "preflight")
IMPURE_MODULES = {
    "aiohttp",
    "anthropic",
    "anyio",
    "asyncio",
    "datetime",
    "httpx2",
    "logging",
    "os",
    "random",
    "time",
}


def test_import_contracts() -> None:
    """In a process of its own: the linter reconfigures logging for everybody in its process."""
    code = (
        "import sys; from importlinter.cli import lint_imports as l; sys.exit(l(no_cache=True, no_logo=True))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_contract_on_the_sdk_names_every_other_module() -> None:
    config = ConfigParser()
    config.read(ROOT / ".importlinter")
    named = set(config["importlinter:contract:sdk"]["source_modules"].split())
    names = {path.stem if path.is_file() else path.name for path in SOURCE.iterdir() if _is_module(path)}
    assert {f"headway.{name}" for name in names - {"__init__", "adapters", "testing"}} == named


def _is_module(path: Path) -> bool:
    return path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))


def test_sizes_and_names() -> None:
    assert len(FILES) > 300, "the sources were not found"
    assert not [f"{path.relative_to(ROOT)}: {fault}" for path in FILES for fault in _faults(path)]


def _faults(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    if (lines := len(text.splitlines())) > FILE_LINES:
        yield f"has {lines} lines"
    if {path.stem, path.parent.name} & EMPTY_NAMES:
        yield "a module is named after what it is about"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            yield from _class_faults(node)


def _class_faults(node: ast.ClassDef) -> Iterator[str]:
    assert node.end_lineno is not None
    if (lines := node.end_lineno - node.lineno + 1) > CLASS_LINES:
        yield f"{node.name} has {lines} lines"
    # A Protocol and its adapters are counted like all others; overloads of one method are one method.
    methods = {m.name: m for m in node.body if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef)}
    public = [name for name in methods if not name.startswith("_")]
    if len(public) > PUBLIC_METHODS:
        yield f"{node.name} has {len(public)} public methods: {', '.join(public)}"
    if (constructor := methods.get("__init__")) and node.name not in MANY_ARGUMENTS:
        names = _arguments(constructor)
        if len(names) > CONSTRUCTOR_ARGUMENTS:
            yield f"{node.name}({', '.join(names)})"


def test_what_is_too_large_is_noticed(tmp_path: Path) -> None:
    many = "\n".join(f"    def m{number}(self): ..." for number in range(PUBLIC_METHODS + 1))
    arguments = ", ".join(f"a{number}" for number in range(CONSTRUCTOR_ARGUMENTS + 1))
    wide = f"class A:\n    def __init__(self, {arguments}): ...\n{many}\n"
    long = "class B:\n    x = 1\n" + "    #\n" * FILE_LINES + "    y = 2\n"
    (path := tmp_path / "utils.py").write_text(wide + long)
    assert [fault.split(" ")[0] for fault in _faults(path)] == [
        "has",
        "a",
        "A",
        f"A({arguments.split()[0]}",
        "B",
    ]


def _arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    return [argument.arg for argument in named[1:]]  # without self


def test_the_core_imports_nothing_impure() -> None:
    """By the syntax tree: import-linter does not look into a package that is not there yet."""
    pure = [path for path in FILES if path.relative_to(SOURCE).parts[0] in PURE]
    assert {path.relative_to(SOURCE).parts[0] for path in pure} == set(PURE)
    imported = {path: set(_imports(ast.parse(path.read_text(encoding="utf-8")))) for path in pure}
    assert not {
        str(path): names & IMPURE_MODULES for path, names in imported.items() if names & IMPURE_MODULES
    }


def _imports(tree: ast.AST) -> Iterator[str]:
    """Top-level packages imported at run time."""
    if isinstance(tree, ast.If) and ast.unparse(tree.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
        return
    if isinstance(tree, ast.expr):
        return  # nothing is imported there, and most of a tree is
    if isinstance(tree, ast.Import):
        yield from (alias.name.split(".")[0] for alias in tree.names)
    elif isinstance(tree, ast.ImportFrom) and tree.module and not tree.level:
        yield tree.module.split(".")[0]
    for child in ast.iter_child_nodes(tree):
        yield from _imports(child)


def test_importing_a_module_late_is_seen_too() -> None:
    source = "if TYPE_CHECKING:\n    import os\ndef f():\n    from time import time\n"
    assert set(_imports(ast.parse(source))) == {"time"}
