"""Every preflight rule, end to end over HTTP: refused by the API as it is, stopped by ``strict``, and answered when
it was mended, with the change told."""

from __future__ import annotations

import inspect
import io
from dataclasses import replace
from typing import Any

import pytest
from handbook_cases import body as api_body
from handbook_rig import KEY, MODEL, Start

from headway import Catalog, ErrorKind, JobState, RequestRejectedError, Scheduler
from headway.core.image_size import pixels
from headway.core.request import RequestError
from headway.preflight.policy import RepairPolicy
from headway.preflight.rules import all_rules
from headway.testing.fake_api.thinking_rules import thinking_seal
from media_samples import b64, image

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        "repair" not in inspect.signature(Scheduler).parameters,
        reason="the scheduler has no repair policy yet",
    ),
]
USER = {"role": "user", "content": "How deep is the bucket?"}
CALL = {"type": "tool_use", "id": "toolu_01", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_01", "content": "seven"}
TOOL: dict[str, Any] = {"name": "f", "input_schema": {"type": "object"}}
LONG = {"type": "text", "text": "word " * 2000, "cache_control": {"type": "ephemeral"}}
OLD = "claude-haiku-4-5"


def says(*turns: dict[str, object]) -> dict[str, object]:
    return {"messages": list(turns)}


def assistant(*blocks: object) -> dict[str, object]:
    return {"role": "assistant", "content": list(blocks)}


def user(*blocks: object) -> dict[str, object]:
    return {"role": "user", "content": list(blocks)}


TEXT = {"type": "text", "text": "Let me see."}
CITED = {"type": "text", "text": "So.", "citations": [{"type": "char_location", "cited_text": "So."}]}
MENDED: list[tuple[str, dict[str, Any]]] = [
    ("max_tokens", {"max_tokens": 200_000}),
    ("max_tokens", {"model": OLD, "thinking": {"type": "enabled", "budget_tokens": 4000}}),
    ("model", {"model": "claude-sonet-5-5"}),
    ("model", {"model": "claude-opus-4-1-20250805"}),
    ("sampling", {"temperature": 0.5}),
    ("thinking", {"thinking": {"type": "disabled"}}),
    ("tool_choice", {"tools": [TOOL], "tool_choice": {"type": "any"}}),
    ("tools", {"tools": [TOOL, TOOL]}),
    ("cache", {"system": [LONG] * 5}),
    ("stop_sequences", {"stop_sequences": ["\n"]}),
    ("metadata", {"metadata": {"user_id": "u", "team": "t"}}),
    ("service_tier", {"service_tier": "priority"}),
    ("speed", {"speed": "fast"}),
    ("api_version", says(user(CITED))),
    ("pairs", {"tools": [TOOL]} | says(USER, assistant(TEXT, CALL), USER)),
    ("pairs", {"tools": [TOOL]} | says(USER, assistant(TEXT), user(RESULT, TEXT))),
    ("text", says(user(TEXT, {"type": "text", "text": "  "}))),
    ("text", {"model": OLD} | says(USER, assistant({"type": "text", "text": "The depth is "}))),
    ("prefill", says(USER, {"role": "assistant", "content": "The depth is"})),
]
"""What the API refuses and the rule mends: (rule, change to a good request)."""
ELSEWHERE = {
    "parameters": "has no repair",
    "roles": "tests/preflight: most of it has no repair",
    "thinking_blocks": "below, and tests/preflight: after a refusal",
    "thinking_start": "tests/preflight",
    "context": "tests/preflight and tests/integration: it needs a large conversation",
    "images": "tests/integration/http/test_media_repair_http.py: it needs Pillow",
    "pdf": "has no repair",
    "size": "tests/integration/http/test_media_repair_http.py: it needs the Files API",
    "files": "tests/integration/http/test_media_repair_http.py: it needs the Files API",
}
KNOWN = {rule.name for rule in all_rules()}
CASES = [(rule, change) for rule, change in MENDED if rule in KNOWN]


@pytest.mark.parametrize(
    ("rule", "change"), CASES, ids=[f"{rule}-{number}" for number, (rule, _) in enumerate(CASES)]
)
async def test_refused_stopped_and_mended(start: Start, rule: str, change: dict[str, Any]) -> None:
    rig = await start()
    body = {"model": MODEL, "max_tokens": 64, "messages": [USER]} | change
    async with rig.open(repair=RepairPolicy("off")) as scheduler:
        with pytest.raises(RequestRejectedError):
            await scheduler.submit(body)
        assert len(rig.wire.sent) == 1

        with pytest.raises(RequestError) as stopped:
            await scheduler.submit(body, repair=RepairPolicy("off", rules={rule: "strict"}))
        assert len(rig.wire.sent) == 1, "strict sends nothing"
        assert KEY not in str(stopped.value)

        outcome = await scheduler.submit(body, repair=RepairPolicy("off", rules={rule: "repair"})).outcome()
        assert outcome.state is JobState.SUCCEEDED
        assert outcome.changes
        assert {changed.rule for changed in outcome.changes} == {rule}
        assert '"repairs":' in outcome.ending.line()
        assert len(rig.wire.sent) == 2
        assert outcome.request.params == body, "the job is known by what the user gave"


def _bound_elsewhere() -> dict[str, Any]:
    """Thinking that belongs to a conversation whose first question was another one."""
    asked: dict[str, Any] = {"model": MODEL, "max_tokens": 64, "messages": [USER]}
    seal = thinking_seal(asked | {"messages": [{"role": "user", "content": "How wide is it?"}]}, 1)
    thought = {"type": "thinking", "thinking": "Seven?", "signature": seal}
    return asked | says(USER, assistant(thought, TEXT), user(TEXT), assistant(thought), USER)


async def test_thinking_that_the_api_refuses_is_taken_out_and_sent_again(start: Start) -> None:
    rig = await start()
    body = _bound_elsewhere()
    async with rig.open() as scheduler:
        with pytest.raises(
            RequestRejectedError, match=r"thinking_refused.*Invalid `signature`.*leave all of them out"
        ):
            await scheduler.submit(body)
        repair = RepairPolicy(rules={"thinking_blocks": "repair"})
        outcome = await scheduler.submit(body, repair=repair).outcome()
    assert outcome.state is JobState.SUCCEEDED
    assert [(c.rule, c.path, c.old, c.new) for c in outcome.changes] == [
        ("thinking_blocks", "messages.1.content", "1 thinking blocks", None),
        ("thinking_blocks", "messages.3.content", "1 thinking blocks", None),
    ]
    assert len(rig.wire.sent) == 3
    assert rig.wire.sent[-1]["messages"] == [USER, assistant(TEXT), user(TEXT), USER]


async def test_a_prompt_near_its_window_is_counted_first(start: Start) -> None:
    """The API says how many tokens it has before it is sent: refused, stopped or mended, not by estimate."""
    rig = await start()
    turns = [{"role": "assistant" if n % 2 else "user", "content": f"{n} {'x' * 105_000}"} for n in range(7)]
    body: dict[str, Any] = {"model": OLD, "max_tokens": 64, "messages": turns}
    async with rig.open() as scheduler:
        reported = await scheduler.submit(body).outcome()
        assert reported.failure is not None
        assert reported.failure.kind is ErrorKind.CONTEXT_OVERFLOW
        [finding] = reported.findings
        counted = finding.problem.split()[3].replace(",", "")
        assert f"prompt is too long: {counted} tokens" in reported.failure.message, (
            "the very number of the API"
        )
        with pytest.raises(RequestRejectedError, match="context_overflow: messages: the prompt has 204,"):
            await scheduler.submit(body, repair=RepairPolicy(rules={"context": "strict"}))
        assert len(rig.wire.sent) == 1, "strict sends nothing"
        mended = await scheduler.submit(body, repair=RepairPolicy(rules={"context": "repair"})).outcome()
        await scheduler.submit(body, repair=RepairPolicy("off")).outcome()
    assert mended.state is JobState.SUCCEEDED
    assert [change.rule for change in mended.changes] == ["context"]
    assert mended.sends == 1, "it was never sent as it was"
    assert rig.api.stats.other_calls["POST /v1/messages/count_tokens"] == 3


async def test_a_cap_is_lowered_to_what_the_api_names(start: Start) -> None:
    """Of a model that nobody knows anything of."""
    rig = await start()
    async with rig.open(catalog=Catalog(models=()), repair=RepairPolicy("repair")) as scheduler:
        outcome = await scheduler.submit("x", max_tokens=200_000).outcome()
    assert outcome.state is JobState.SUCCEEDED
    assert [(change.old, change.new) for change in outcome.changes] == [(200_000, 128_000)]
    assert [body["max_tokens"] for body in rig.wire.sent] == [200_000, 128_000]


async def test_an_image_is_scaled_to_the_side_that_the_api_names(start: Start) -> None:
    """Fewer pixels than the table knows: the refusal's own number counts, not a guess."""
    pillow = pytest.importorskip("PIL.Image")

    def picture(width: int) -> dict[str, object]:
        file = io.BytesIO()
        pillow.new("RGB", (width, 8), (9, 99, 200)).save(file, "PNG")
        return image(b64(file.getvalue()))

    details = {
        "error_code": "image_dimensions_too_large",
        "max_side_length_pixels": 1200,
        "paths": ["messages.0"],
    }
    rig = await start(
        replace(api_body(400, "invalid_request_error", "An image is too large.", **details), count=1)
    )
    body = {"model": MODEL, "max_tokens": 64, "messages": [user(TEXT, picture(1600), picture(1100))]}
    async with rig.open(repair=RepairPolicy("repair")) as scheduler:
        outcome = await scheduler.submit(body).outcome()
    assert outcome.state is JobState.SUCCEEDED
    assert [(change.rule, change.path) for change in outcome.changes] == [("images", "messages.0.content.1")]
    sent = [block["source"]["data"] for block in rig.wire.sent[1]["messages"][0]["content"][1:]]
    assert [pixels(data) for data in sent] == [(1200, 6), (1100, 8)]
    assert len(rig.wire.sent) == 2


async def test_a_report_sends_it_as_it_is(start: Start) -> None:
    rig = await start()
    async with rig.open() as scheduler:
        job = scheduler.submit({"model": MODEL, "max_tokens": 200_000, "messages": [USER]})
        outcome = await job.outcome()
    assert outcome.state is JobState.FAILED
    assert rig.wire.sent[0]["max_tokens"] == 200_000
    assert [finding.rule for finding in outcome.findings] == ["max_tokens"]


def test_every_rule_is_shown() -> None:
    assert {rule for rule, _ in MENDED} | set(ELSEWHERE) >= KNOWN
