"""Top-level parameters that the Messages API does not know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from headway.core.change import brief
from headway.core.nearest import likeness
from headway.preflight.facts import Body, Facts
from headway.preflight.finding import Finding, Severity
from headway.preflight.rule import Rule
from headway.preflight.rules import sampling

NAME: Final = "parameters"
KNOWN: Final = frozenset(
    {
        "cache_control",
        "container",
        "diagnostics",
        "inference_geo",
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "output_config",
        "service_tier",
        "speed",
        "stop_sequences",
        "stream",
        "system",
        "thinking",
        "tool_choice",
        "tools",
        "user_profile_id",
        "workspace_id",
    }
)
"""Of ``messages.create`` in ``anthropic`` 2.12 (a test compares)."""
BETA: Final = frozenset(
    {
        "anthropic_version",
        "betas",
        "billing_policy",
        "compaction",
        "context_management",
        "fallback_credit_token",
        "fallbacks",
        "mcp_servers",
        "output_format",
        "thread",
        "transformations",
    }
)
"""Of ``beta.messages.create``, and what Bedrock and Vertex want."""
ELSEWHERE: Final = {
    "frequency_penalty": "It has none.",
    "functions": "Use tools.",
    "logprobs": "It has none.",
    "max_completion_tokens": "Use max_tokens.",
    "max_output_tokens": "Use max_tokens.",
    "max_tokens_to_sample": "Use max_tokens.",
    "n": "Send the request as often as you want answers.",
    "parallel_tool_calls": "Use tool_choice.disable_parallel_tool_use.",
    "prefill": "End messages with an assistant turn, on models up to 4.5.",
    "presence_penalty": "It has none.",
    "prompt": "Use messages.",
    "reasoning_effort": "Use output_config.effort.",
    "response_format": "Use output_config.format.",
    "seed": "It has none.",
    "stop": "Use stop_sequences.",
    "user": "Use metadata.user_id.",
}
"""What other APIs call it."""


def _check(body: Body, facts: Facts) -> Iterator[Finding]:
    del facts
    if body.keys() <= KNOWN:
        return
    for name in sorted(body.keys() - KNOWN - BETA - set(sampling.PARAMETERS)):
        problem = "is no parameter of the Messages API, which refuses it unless a beta header allows it"
        yield Finding(NAME, str(brief(name)), problem, _remedy(name), Severity.WARNING)


def _remedy(name: str) -> str:
    if (known := ELSEWHERE.get(name)) is not None:
        return known
    near = max(KNOWN, key=lambda other: (likeness(name, other), other))
    return f"Did you mean {near}?" if likeness(name, near) >= 0.8 else "Leave it out."


RULES = (Rule(NAME, "The Messages API refuses parameters that it does not know.", "", _check, order=40),)
