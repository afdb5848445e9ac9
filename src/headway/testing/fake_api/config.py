"""Everything that can be set on a fake API, as frozen values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from headway.testing.fake_api.catalog import Model
from headway.testing.fake_api.fault import FaultRule
from headway.testing.fake_api.limits import SCALE_TIER, FakeLimits, parse_pairs


@dataclass(frozen=True, slots=True)
class Latency:
    """How long things take, in seconds."""

    ttft: float = 0.05
    """From admission to the first token."""
    speed: float = 2000.0
    """Output tokens per second of one reply; ``inf`` for at once."""
    jitter: float = 0.1
    """Relative spread: both figures are multiplied by 1 ± jitter, decided by the request's hash."""
    refusal: float = 0.05
    """Time a 429 or an injected error takes."""

    def __post_init__(self) -> None:
        if not self.speed > 0:
            raise ValueError(f"Latency.speed must be above 0 tokens/s, not {self.speed!r}")
        if not (self.ttft >= 0 and self.refusal >= 0 and 0 <= self.jitter < 1):
            raise ValueError("Latency: ttft and refusal must be at least 0, jitter in [0, 1)")


INSTANT = Latency(ttft=0.0, speed=math.inf, jitter=0.0, refusal=0.0)


@dataclass(frozen=True, slots=True)
class OutputLength:
    """The lognormal distribution of a reply's length."""

    mean: float = 50.0
    """Mean of the distribution, in tokens (not of its logarithm)."""
    sigma: float = 0.6
    """Standard deviation of the logarithm; 0 makes every reply ``mean`` tokens long."""

    def __post_init__(self) -> None:
        if not (self.mean >= 1 and self.sigma >= 0):
            raise ValueError("OutputLength: mean must be at least 1 token, sigma at least 0")


@dataclass(frozen=True, slots=True)
class HeaderPolicy:
    """What the ``anthropic-ratelimit-*``, ``retry-after`` and ``Date`` headers say."""

    describe: Literal["admission", "end"] = "admission"
    """The moment the levels are those of: when the request was admitted, or when its reply was done
    (for a stream: when its first byte is sent)."""
    omit: Literal["never", "errors", "always"] = "never"
    """Leave the rate-limit headers out on errors or altogether (``retry-after`` stays)."""
    retry_after: bool = True
    """Whether a 429 of the buckets carries ``retry-after``."""
    stale: float = 0.0
    """Levels are those of this many seconds ago."""
    clock_skew: float = 0.0
    """Seconds by which the server's clock runs ahead (``Date``, resets)."""


@dataclass(frozen=True, slots=True)
class FakeConfig:
    """One fake API. Every default suits a test-suite: the limits of the Scale tier, no faults,
    about 75 ms a reply."""

    limits: FakeLimits = SCALE_TIER
    """Limits of every model group that ``group_limits`` does not name."""
    group_limits: Mapping[str, FakeLimits] = field(default_factory=dict[str, FakeLimits])
    """Limits by group (``opus-4.x``, ``sonnet-4.x``, ``fable-5.x``, otherwise the model id)."""
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Models by the group whose limits they share, where that differs from the usual."""
    workspace_limits: Mapping[str, Mapping[str, FakeLimits]] = field(
        default_factory=dict[str, Mapping[str, FakeLimits]]
    )
    """Own limits of workspaces, by workspace id and group: listed, not enforced (no key belongs to one here)."""
    admin_keys: frozenset[str] = frozenset({"admin"})
    """Keys that may read the Admin API's listings; no other may."""
    latency: Latency = field(default_factory=Latency)
    output: OutputLength = field(default_factory=OutputLength)
    headers: HeaderPolicy = field(default_factory=HeaderPolicy)
    faults: tuple[FaultRule, ...] = ()
    seed: int = 0
    """Same seed and same request: same reply, same latency, same faults, whatever the order of arrival."""
    accepted_keys: frozenset[str] | None = None
    """Keys that are let in; ``None`` accepts every key that is not empty."""
    rejected_keys: frozenset[str] = frozenset({"invalid"})
    """Keys that get a 401."""
    refused_count_requests: bool = False
    """Whether a request refused with 429 still takes one from the requests bucket."""
    count_tokens_per_minute: float | None = None
    """Limit of ``count_tokens`` calls, independent of the message limits; ``None``: unlimited."""
    files_per_minute: float | None = None
    """Limit of Files API calls (the real one has about 500); ``None``: unlimited."""
    file_quota: int = 1_000_000_000_000
    """Bytes that all files together may have."""
    batch_seconds: float = 1.0
    """How long a batch is processed, by the server's clock. Its requests are done one after another within that
    time: what a cancellation or the end of the 24 hours finds undone is canceled or expired."""
    batch_time_scale: float = 1.0
    """Seconds that pass for batches (processing, expiry, archiving, their time stamps) in one second of the loop."""
    batches_per_minute: float | None = None
    """Limit of calls of the Batches API (the real one has 1,000 and more); ``None``: unlimited."""
    batch_queue: int | None = None
    """Requests that may be waiting in batches altogether (the real one has 200,000 and more); ``None``: unlimited."""
    too_large_as_page: bool = False
    """A body over 32 MB is refused by the gateway's HTML page instead of the API's JSON."""
    max_in_flight: int | None = None
    """More requests than this at the same time get 429 "number of concurrent connections", without any
    rate-limit header."""
    chunk_tokens: int = 16
    """Output tokens per streamed delta (at most 256 deltas a reply)."""
    calls_tools: bool = False
    """Whether a request with tools and a free choice is answered with a call of the first one, until its last
    turn brings a result: for agents in a loop. A ``tool_choice`` that forces a tool is always obeyed."""
    organization_id: str = "org-fake"

    def __post_init__(self) -> None:
        if not (self.batch_seconds >= 0 and self.batch_time_scale > 0):
            raise ValueError("FakeConfig: batch_seconds must be at least 0, batch_time_scale above 0")

    def group_of(self, model: Model) -> str:
        """Whose limits a model counts against."""
        names = {model.id, model.alias_of}
        return next((group for group, ids in self.groups.items() if names.intersection(ids)), model.group)

    def limits_of(self, group: str) -> FakeLimits:
        """The usual limits of a group."""
        return self.group_limits.get(group, self.limits)


def parse_latency(text: str) -> Latency:
    """Read ``ttft=0.5,speed=80,jitter=0.2,refusal=0.05``, or ``instant``."""
    if text.strip() == "instant":
        return INSTANT
    return Latency(**parse_pairs(text, ("ttft", "speed", "jitter", "refusal"), "latency"))
