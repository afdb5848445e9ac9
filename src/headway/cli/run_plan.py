"""Everything a run needs to know, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from headway.cli.limit_option import AccountOption
from headway.cli.prompt_input import PromptInput
from headway.cli.run_settings import RunSettings
from headway.core.batching import AS_USUAL, Batching
from headway.core.catalog import BUILT_IN, Catalog
from headway.core.follow_up import FollowUp
from headway.core.lane import Lane
from headway.core.limits import Limits
from headway.core.price import Price
from headway.core.spend import SpendCap
from headway.preflight.policy import RepairPolicy

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

    from headway.adapters.alerts import Alerts


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A run that may begin."""

    source: PromptInput
    settings: RunSettings
    output: Path | None
    """``None``: standard output."""
    journal: Path | None
    limits: Limits
    account: AccountOption | None = None
    """Read the limits of every model group from the account, and use ``limits.share`` of them."""
    max_in_flight: int | None = None
    lane: Lane = Lane.LIVE
    deadline: float | None = None
    """Seconds for each job."""
    batching: Batching = AS_USUAL
    fresh: bool = False
    retry_failed: bool = False
    ordered: bool = False
    """Results in the order of the input."""
    repair: RepairPolicy = field(default_factory=RepairPolicy)
    """What to do about requests that the API would refuse."""
    spend_cap: SpendCap | None = None
    prices: Mapping[str, Price] = field(default_factory=dict[str, Price])
    """Of the user's own, by model."""
    follow_up: FollowUp | None = None
    """What to do about answers that are not the end, and models that are gone."""
    catalog: Catalog = BUILT_IN
    """What is known of the models."""
    alerts: Alerts | None = None
    """Who is told when a scope dies."""
    cache: Literal["auto"] | None = None
    """``auto``: breakpoints for the prompt cache are placed where the requests begin to differ."""
    dedupe: bool = False
    """Identical requests are sent once."""
    client: AsyncAnthropic | None = None
    """``None``: made from the environment."""
