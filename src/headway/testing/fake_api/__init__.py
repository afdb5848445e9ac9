"""A Claude Messages API on loopback: real HTTP, real limits, injected faults, exact statistics.

``FakeAPI`` serves in the running loop, ``FakeAPI.spawn`` in a process of its own, ``FakeAPI.in_thread``
in a thread. It shares no code with the rest of headway: it is the judge.
"""

from headway.testing.fake_api.bound import Change, Window
from headway.testing.fake_api.config import (
    INSTANT,
    FakeConfig,
    HeaderPolicy,
    Latency,
    OutputLength,
    parse_latency,
)
from headway.testing.fake_api.fault import FaultKind, FaultRule
from headway.testing.fake_api.fault_file import load_faults, parse_faults
from headway.testing.fake_api.fault_presets import PRESETS, preset
from headway.testing.fake_api.limits import FakeLimits, parse_limits
from headway.testing.fake_api.remote import RemoteAPI
from headway.testing.fake_api.server import FakeAPI
from headway.testing.fake_api.serving import serve
from headway.testing.fake_api.stats import (
    BatchStats,
    BilledTokens,
    BucketStats,
    FakeStats,
    GroupStats,
    Second,
)

__all__ = [
    "INSTANT",
    "PRESETS",
    "BatchStats",
    "BilledTokens",
    "BucketStats",
    "Change",
    "FakeAPI",
    "FakeConfig",
    "FakeLimits",
    "FakeStats",
    "FaultKind",
    "FaultRule",
    "GroupStats",
    "HeaderPolicy",
    "Latency",
    "OutputLength",
    "RemoteAPI",
    "Second",
    "Window",
    "load_faults",
    "parse_faults",
    "parse_latency",
    "parse_limits",
    "preset",
    "serve",
]
