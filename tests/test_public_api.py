"""What users import: quick to load, whole, typed."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import headway

ROOT = Path(__file__).parents[1]
HEAVY = ("anthropic", "httpx2", "pydantic", "aiohttp", "asyncio", "anyio", "sqlite3")
PROBE = """
import json, sys
sys.path.insert(0, {source!r})
import headway
seen = {{"import": [name for name in {heavy!r} if name in sys.modules]}}
from headway import Scheduler, Limits, Flow, Priority, JobFailedError
Scheduler(model="m", max_tokens=5, limits=Limits(requests=50), flow=Flow())
seen["construct"] = [name for name in {heavy!r} if name in sys.modules]
print(json.dumps(seen))
"""


def test_importing_headway_does_not_import_the_sdk() -> None:
    """The SDK takes 1.5 s and more; only opening a scheduler needs it."""
    program = PROBE.format(source=str(ROOT / "src"), heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    seen = json.loads(done.stdout)
    assert seen["import"] == []
    assert not set(seen["construct"]) & {"anthropic", "httpx2", "pydantic", "aiohttp", "sqlite3"}


@pytest.mark.parametrize("name", headway.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    value = getattr(headway, name)
    assert name in dir(headway)
    if name == "JobEvent":  # a union of the events
        return
    assert value.__name__ == name
    assert value.__doc__ and value.__doc__.strip(), f"{name} has no docstring"


def test_all_is_what_is_lazily_loaded_and_what_type_checkers_see() -> None:
    assert headway.__all__ == sorted(headway.__all__)
    assert set(headway.__all__) == set(headway._HOME)
    text = Path(headway.__file__).read_text(encoding="utf-8")
    block = text.split("if TYPE_CHECKING:")[1].split("\n\n")[0]
    seen = set(re.findall(r"(?<=import )[\w, ]+|^ {8}\w+(?=,$)", block, re.MULTILINE))
    seen = {name.strip() for names in seen for name in names.split(",")}
    assert seen == set(headway.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Schedulr'"):
        _ = headway.Schedulr


def test_the_other_front_doors_are_reachable() -> None:
    program = "import headway; print(headway.sync.Scheduler.__name__, headway.web.lifespan.__name__)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "Scheduler lifespan\n"


def test_from_headway_import_star() -> None:
    names: dict[str, object] = {}
    exec("from headway import *", names)
    assert set(headway.__all__) <= set(names)


def test_public_exceptions_are_one_tree() -> None:
    for name in headway.__all__:
        value = getattr(headway, name)
        if isinstance(value, type) and issubclass(value, Exception) and name != "RequestError":
            assert issubclass(value, headway.HeadwayError), name


def test_the_version_is_the_packages() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{headway.__version__}"' in text


def test_py_typed_ships() -> None:
    spec = importlib.util.find_spec("headway")
    assert spec is not None and spec.origin is not None
    assert (Path(spec.origin).parent / "py.typed").is_file()
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'packages = ["src/headway"]' in text, "hatchling ships all files of the package"


@pytest.mark.heavy
def test_types() -> None:
    """``.ci/run`` runs this by itself: pyright takes seconds."""
    pytest.importorskip("pyright")
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "tests/typing/api.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stdout
