"""Tools to test programs that call Claude.

``headway.testing.fake_api`` is a whole Messages API on a loopback port. Nothing is imported before it
is used: ``from headway.testing import FakeAPI`` works and ``import headway.testing`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headway.testing.fake_api import FakeAPI, FakeConfig, FakeLimits, FakeStats, FaultKind, FaultRule

__all__ = ["FakeAPI", "FakeConfig", "FakeLimits", "FakeStats", "FaultKind", "FaultRule"]


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(import_module("headway.testing.fake_api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
