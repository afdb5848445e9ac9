"""What one scheduler does about everything that may go wrong with a job."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from headway.core.batching import AS_USUAL, Batching
from headway.core.catalog import BUILT_IN, Catalog
from headway.core.follow_up import FollowUp
from headway.core.request import Request
from headway.core.retry import RetryPolicy
from headway.preflight.policy import RepairPolicy
from headway.preflight.tool import Tool
from headway.runtime.purse import Purse

Count = Callable[[Request], Awaitable[int | None]]
"""The input tokens of a request by the API's own count; ``None``: it cannot say."""


@dataclass(frozen=True, slots=True)
class Policies:
    """What is done about failures, faulty requests and unfinished answers."""

    retry: RetryPolicy
    repair: RepairPolicy
    follow_up: FollowUp | None
    tools: Callable[[str], Tool]
    """A tool by its name; raises `UnrepairableError` when it cannot be had."""
    catalog: Catalog = BUILT_IN
    purse: Purse | None = None
    """``None``: spending has no cap."""
    count: Count | None = None
    """The transport's ``count_tokens``, where it has one."""
    batching: Batching = AS_USUAL
