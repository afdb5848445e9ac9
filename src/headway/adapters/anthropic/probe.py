"""Harmless requests that tell whether an account can be used: what ``headway doctor`` asks."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from headway.adapters.anthropic.failures import rejection_of
from headway.adapters.anthropic.headers import http_date, limit_report
from headway.adapters.anthropic.models import listed
from headway.core.failure import Failure
from headway.core.limits import NO_REPORT, LimitReport
from headway.core.listed_model import ListedModel

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

PAGE: Final = 1000
"""Models on one page at most: all there are."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What one request told."""

    seconds: float
    """From sending to the answer."""
    failure: Failure | None = None
    clock_skew: float | None = None
    """Seconds by which the server's clock is ahead of ours, to about a second; ``None``: no ``Date``."""
    organization: str | None = None
    report: LimitReport = NO_REPORT


async def probe_models(client: AsyncAnthropic) -> tuple[Probe, tuple[ListedModel, ...]]:
    """Ask for the list of models, the newest first. Costs nothing. Never raises."""
    began, wall = time.monotonic(), time.time()
    try:
        raw = await client.models.with_raw_response.list(limit=PAGE)
        page = await raw.parse()
        probe = _probe(raw.headers, began, wall)
        return probe, tuple(listed(model) for model in page.data)
    except Exception as error:  # noqa: BLE001 - every failure becomes a value
        return Probe(time.monotonic() - began, rejection_of(error).failure), ()


async def probe_counting(client: AsyncAnthropic, model: str) -> Probe:
    """Count the tokens of one word: free, and it shows whether the model can be asked. Never raises."""
    began, wall = time.monotonic(), time.time()
    try:
        raw = await client.messages.with_raw_response.count_tokens(
            model=model, messages=[{"role": "user", "content": "Hello"}]
        )
        return _probe(raw.headers, began, wall)
    except Exception as error:  # noqa: BLE001 - every failure becomes a value
        return Probe(time.monotonic() - began, rejection_of(error).failure)


def _probe(headers: Mapping[str, str], began: float, wall: float) -> Probe:
    seconds = time.monotonic() - began
    date = http_date(headers.get("date"))
    # The header has whole seconds, cut off; it was written between sending and arrival.
    skew = None if date is None else date.timestamp() + 0.5 - (wall + seconds / 2)
    organization = headers.get("anthropic-organization-id")
    return Probe(seconds, None, skew, organization, limit_report(headers))
