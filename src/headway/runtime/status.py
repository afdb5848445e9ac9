"""A scheduler at one moment, as a frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from headway.core.budget import BudgetStatus
from headway.core.cost_sheet import Costs
from headway.core.failure import Failure
from headway.core.scopes import DeadScope
from headway.core.spend import SpendStatus
from headway.core.usage import Usage
from headway.runtime.recent_failures import SeenFailure


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """The batch lane at one moment."""

    waiting: int = 0
    """Jobs that wait to be put into a batch; they count as queued too."""
    batches: int = 0
    """Batches under way."""
    requests: int = 0
    """Jobs that wait for a result from them."""
    strays: int = 0
    """Results so far that belong to no job; they are kept."""
    ids: tuple[str, ...] = ()
    """The API's ids of these batches."""


@dataclass(frozen=True, slots=True)
class Status:
    """What ``scheduler.status()`` returns."""

    queued: int
    """Jobs accepted and not running, retries included."""
    waiting: int
    """Of these: jobs whose retry is not due yet."""
    in_flight: int
    max_in_flight: int
    succeeded: int
    failed: int
    cancelled: int
    expired: int
    sends: int
    """Requests sent."""
    retries: int
    refused_429: int
    refused_529: int
    maybe_billed: int
    """Sends that may have been billed although no answer reached us."""
    usage: Usage
    cost: float
    """USD at list price, of the models whose price is known."""
    cost_unknown: int
    """Answers of models whose price is unknown."""
    budgets: Mapping[str, BudgetStatus]
    """By model group; those of a wrapped client with another key end in ``(account 2)`` and so on."""
    halted: Failure | None
    """Why nothing is sent any more; ``None`` while all is well."""
    dead: Mapping[DeadScope, Failure] = field(default_factory=dict[DeadScope, Failure])
    """Models, profiles and workspaces that are not sent to any more while others are, and why."""
    mending: int = 0
    """Of the queued: jobs that wait for a tool (images, files) or are being mended by one."""
    repaired: int = 0
    """Requests that were repaired, before sending or after a refusal."""
    followed_up: int = 0
    """Follow-ups: turns continued, caps raised, models changed."""
    copied: int = 0
    """Jobs that succeeded with the answer to an identical request (``dedupe=True``)."""
    findings: Mapping[str, int] = field(default_factory=dict[str, int])
    """What the rules found in requests, by rule."""
    at: float = 0.0
    """Loop time of this snapshot, seconds."""
    started: float = 0.0
    """Loop time at which the scheduler was opened, seconds."""
    costs: Costs = field(default_factory=Costs)
    """What was spent, by tenant and by tag."""
    spend: SpendStatus | None = None
    """What has been spent under the spend cap; ``None``: there is none."""
    failures: tuple[SeenFailure, ...] = ()
    """The last failures, newest last."""
    unreachable: Failure | None = None
    """Why jobs wait and only single ones are tried: nobody reaches the API. ``None`` while it answers."""
    batch: BatchStatus = BatchStatus()
