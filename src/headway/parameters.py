"""What may be said of a request and of its job, for type checkers and completion only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    import httpx2
    from anthropic.types import (
        MetadataParam,
        OutputConfigParam,
        TextBlockParam,
        ThinkingConfigParam,
        ToolChoiceParam,
        ToolUnionParam,
    )

    from headway.core.follow_up import FollowUp
    from headway.core.job import Priority
    from headway.preflight.policy import RepairPolicy

LaneName = Literal["live", "batch", "auto"]
"""By itself, in a message batch (half the price, within a day), or whichever does in time."""


class MessageParams(TypedDict, total=False):
    """Parameters of ``AsyncAnthropic.messages.create`` (SDK 2.12), all optional here."""

    model: str
    max_tokens: int
    system: str | Iterable[TextBlockParam]
    metadata: MetadataParam
    output_config: OutputConfigParam
    service_tier: Literal["auto", "standard_only"]
    speed: Literal["standard", "fast"] | None
    stop_sequences: list[str]
    thinking: ThinkingConfigParam
    tool_choice: ToolChoiceParam
    tools: Iterable[ToolUnionParam]
    cache_control: Mapping[str, object] | None
    container: str | Mapping[str, object] | None
    diagnostics: Mapping[str, object] | None
    inference_geo: str | None
    user_profile_id: str
    workspace_id: str
    betas: list[str]
    extra_headers: Mapping[str, str]
    extra_query: Mapping[str, object]
    extra_body: object
    timeout: float | httpx2.Timeout | None


class JobOptions(MessageParams, total=False):
    """Of every job, however it is sent."""

    priority: Priority
    tenant: str
    tag: str
    deadline: float | None


class StreamOptions(JobOptions, total=False):
    """Of `Scheduler.stream`."""

    resume: bool


class WholeOptions(JobOptions, total=False):
    """Of jobs whose answer comes as a whole."""

    repair: RepairPolicy | None
    follow_up: FollowUp | None
    lane: LaneName
    cache: Literal["auto"] | None
    dedupe: bool


class SubmitOptions(WholeOptions, total=False):
    """Of `Scheduler.submit`."""

    key: str | None


class MapOptions(WholeOptions, total=False):
    """Of `Scheduler.map`."""

    ordered: bool
    retry_failed: bool
