"""Rules against the API over real HTTP: as it stands each body is refused, repaired it is answered."""

from __future__ import annotations

from typing import Any

import pytest
from http_house import MODEL, Open

from headway import RequestRejectedError
from headway.preflight.facts import facts_for
from headway.preflight.policy import RepairPolicy
from headway.preflight.repair import repair

pytestmark = pytest.mark.anyio
USER = {"role": "user", "content": "How deep is the bucket?"}
TOOL: dict[str, Any] = {"name": "f", "input_schema": {"type": "object"}}
BREAK = {"type": "ephemeral"}
CITED = {"type": "text", "text": "So.", "citations": [{"type": "char_location", "cited_text": "So."}]}
LONG = {"type": "text", "text": "word " * 2000}

CASES: list[tuple[str, dict[str, Any], str]] = [
    ("model", {"model": "claude-sonet-5-5"}, "model: claude-sonet-5-5"),
    ("model", {"model": "claude-opus-4-1-20250805"}, "model: claude-opus-4-1-20250805"),
    ("max_tokens", {"max_tokens": 200_000}, "maximum allowed number of output tokens"),
    (
        "max_tokens",
        {"model": "claude-haiku-4-5", "thinking": {"type": "enabled", "budget_tokens": 4000}},
        "`max_tokens` must be greater than `thinking.budget_tokens`",
    ),
    ("sampling", {"temperature": 0}, "temperature: Extra inputs are not permitted"),
    (
        "thinking",
        {"thinking": {"type": "disabled"}},
        '"thinking.type.disabled" is not supported for this model.',
    ),
    (
        "tool_choice",
        {"tools": [TOOL], "tool_choice": {"type": "any"}},
        'type "tool" and "any" are not supported',
    ),
    ("tools", {"tools": [TOOL, TOOL]}, "Tool names must be unique"),
    ("tools", {"tools": [{"name": "f", "input_schema": {}}]}, "input_schema.type"),
    ("cache", {"system": [LONG | {"cache_control": BREAK}] * 5}, "A maximum of 4 blocks with cache_control"),
    ("stop_sequences", {"stop_sequences": ["\n"]}, "each stop sequence must contain non-whitespace"),
    (
        "metadata",
        {"metadata": {"user_id": "u", "team": "t"}},
        "metadata.team: Extra inputs are not permitted",
    ),
    ("service_tier", {"service_tier": "priority"}, "service_tier"),
    ("speed", {"speed": "fast"}, "speed"),
    ("api_version", {"messages": [{"role": "user", "content": [CITED]}]}, "citations are not permitted"),
]


async def test_refused_as_it_is_and_answered_when_repaired(house: Open) -> None:
    h = await house()
    async with h.scheduler() as scheduler:
        for rule, change, words in CASES:
            body = {"model": MODEL, "max_tokens": 64, "messages": [USER]} | change
            with pytest.raises(RequestRejectedError) as caught:
                await scheduler.submit(body)
            assert words in str(caught.value), rule
            mended = repair(body, facts_for(body), RepairPolicy(rules={rule: "repair"}))
            assert {change.rule for change in mended.changes} == {rule}
            message = await scheduler.submit(dict(mended.body))
            assert message.stop_reason
    assert h.api.stats.served == len(CASES)
