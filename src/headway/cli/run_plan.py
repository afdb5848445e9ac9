"""Everything a run needs to know, checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headway.cli.prompt_input import PromptInput
from headway.cli.run_settings import RunSettings
from headway.core.limits import Limits

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A run that may begin."""

    source: PromptInput
    settings: RunSettings
    output: Path | None
    """``None``: standard output."""
    journal: Path | None
    limits: Limits
    max_in_flight: int | None = None
    fresh: bool = False
    retry_failed: bool = False
    client: AsyncAnthropic | None = None
    """``None``: made from the environment."""
