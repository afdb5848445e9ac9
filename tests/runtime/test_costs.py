"""What was spent, by who and for what."""

from __future__ import annotations

from pathlib import Path

import pytest

from headway import Request, RequestError, Scheduler, job_terms
from headway.core.catalog import cost_of
from headway.core.cost_sheet import MOST, OTHERS, CostLine, CostSheet
from headway.core.error_kind import ErrorKind
from headway.core.usage import Usage
from headway.testing.transport import ScriptedTransport, lost, reply

pytestmark = pytest.mark.anyio
EACH = cost_of("claude-opus-5", Usage(200, 100)) or 0.0


async def test_costs_by_tenant_and_tag(tmp_path: Path) -> None:
    transport = ScriptedTransport(
        lambda sent: (
            lost(ErrorKind.DISCONNECTED)
            if sent.attempt == 1 and sent.text == "lost"
            else reply(usage=Usage(200, 100))
        )
    )
    path = tmp_path / "work.journal"
    async with Scheduler(model="claude-opus-5", max_tokens=100, transport=transport, journal=path) as s:
        await s.submit("a", tenant="acme", tag="search")
        await s.submit("lost", tenant="acme", tag="chat")
        await s.submit(Request({"messages": [{"role": "user", "content": "b"}]}, tag="search"))
        await s.submit("c", model="my-own", tag="chat")
        with job_terms(tag="not for submit"):
            outcome = await s.submit("d").outcome()
        assert outcome.ending.tag == outcome.ending.tenant == ""
        given = {"custom_id": "e", "params": {"messages": [{"role": "user", "content": "e"}]}, "tag": "batch"}
        outcome = await s.submit(given, tenant="umbrella").outcome()
        line = outcome.ending.line()
        assert '"tenant":"umbrella","tag":"batch"' in line
        costs = s.status().costs
        assert {name: round(line.usd / EACH) for name, line in costs.by_tenant.items()} == {
            "acme": 2, "": 2, "umbrella": 1,
        }  # fmt: skip
        tags = costs.by_tag
        assert (tags["search"].answers, tags["search"].usage.output) == (2, 200)
        assert (tags["chat"].answers, tags["chat"].unpriced, tags["chat"].maybe_billed) == (2, 1, 1)
        assert tags["chat"].usd == pytest.approx(EACH)
        assert sum(line.usd for line in tags.values()) == pytest.approx(s.status().cost)
        with pytest.raises(RequestError, match="tag: must be a string, not int"):
            s.submit("x", tag=5)  # type: ignore[arg-type]
    async with Scheduler(model="claude-opus-5", max_tokens=100, transport=transport, journal=path) as s:
        restored = await s.submit(given, tenant="umbrella").outcome()
        assert restored.restored
        assert restored.ending.line() == line, "the journal knows both"
        assert not s.status().costs.by_tag, "what was spent before is not spent again"


def test_a_million_tenants_take_bounded_memory() -> None:
    sheet = CostSheet()
    for number in range(MOST + 500):
        sheet.answer(f"tenant {number}", Usage(1), 0.5)
        sheet.unanswered(f"tenant {number}", 1)
    lines = sheet.lines()
    assert len(lines) == MOST + 1
    assert lines[OTHERS] == CostLine(250.0, 500, Usage(500), 0, 500)
