"""What is finished is passed over as bytes: places in an input, bookmarks, and what makes them worthless."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.cli.bookmark import META, bookmark_of
from headway.cli.line_reader import LineReader, Prefix
from headway.cli.request_builder import RequestBuilder
from headway.testing.fake_api import FaultKind, FaultRule, RemoteAPI

if TYPE_CHECKING:
    from conftest import Headway

LINES = st.lists(st.binary(max_size=40).map(lambda text: text.replace(b"\n", b" ")), min_size=1, max_size=30)


@given(LINES, st.data())
def test_any_place_in_any_input_is_found_again(lines: list[bytes], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("headway.cli.line_reader.CHUNK", data.draw(st.integers(1, 50)))
        path = Path(folder) / "in"
        path.write_bytes(
            b"".join(line + b"\n" for line in lines) + data.draw(st.sampled_from([b"", b"tail"]))
        )
        first = LineReader(path)
        stream = first.lines()
        read = [next(stream) for _ in range(data.draw(st.integers(0, len(lines))))]
        place = first.prefix()
        rest = list(stream)
        first.close()
        wanted = [line for line in read if data.draw(st.booleans())]
        again = LineReader(path)
        found = again.pass_over(place, [(line.start, line.number) for line in wanted])
        assert found == wanted
        assert list(again.lines()) == rest
        again.close()
        if place.size:
            other = LineReader(path)
            changed = Prefix(place.size, place.lines, "0" * 64)
            assert other.pass_over(changed, []) is None
            other.close()


class Parsed:
    """Counts the lines that are parsed."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.lines: list[int] = []
        build = RequestBuilder.build

        def counted(builder: RequestBuilder, record: object) -> object:
            self.lines.append(record.number)  # type: ignore[attr-defined]
            return build(builder, record)  # type: ignore[arg-type]

        patch.setattr(RequestBuilder, "build", counted)
        patch.setattr("headway.cli.prompt_input.CHECKED", 1)  # the head is parsed twice


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Parsed:
    return Parsed(monkeypatch)


def place_of(headway: Headway) -> str | None:
    with sqlite3.connect(headway.folder / "p.results.jsonl.journal") as journal:
        row = journal.execute("SELECT value FROM meta WHERE name = ?", (META,)).fetchone()
    journal.close()
    return row and row[0]


def named(headway: Headway, count: int) -> None:
    """Lines that the fake API can tell apart, with blank ones between them."""
    headway.write("".join(
        json.dumps({"custom_id": f"p{n}", "prompt": f"Say {n}", "metadata": {"user_id": f"p{n}"}}) + "\n\n"
        for n in range(1, count + 1)
    ))  # fmt: skip


def test_a_finished_input_is_not_parsed_again(api: RemoteAPI, headway: Headway, parsed: Parsed) -> None:
    headway.prompts(40)
    first = headway("run", "p.jsonl")
    assert first.status == 0
    parsed.lines.clear()
    headway.prompts(2, start=41)
    second = headway("run", "p.jsonl")
    assert second.status == 0
    assert parsed.lines == [1, 41, 42]
    assert api.stats().arrivals == 42
    assert "42 succeeded, 0 failed, 0 left" in second.out
    assert "40 of them were finished before" in second.out
    assert len(headway.results()) == 42


def test_only_unfinished_and_new_lines_are_parsed(api: RemoteAPI, headway: Headway, parsed: Parsed) -> None:
    named(headway, 30)
    api.set_faults((FaultRule(FaultKind.STATUS, status=402, error_type="billing_error", job="p7"),))
    first = headway("run", "p.jsonl", "--max-in-flight", "2")
    assert first.status == 3
    done = set(headway.results())
    assert done
    assert f"{len(done)} succeeded, 0 failed, {30 - len(done)} left" in first.out
    api.set_faults(())
    parsed.lines.clear()
    before = api.stats().arrivals
    second = headway("run", "p.jsonl")
    assert second.status == 0, second.err
    assert [number for number in parsed.lines if f"p{number // 2 + 1}" in done] == [1]
    assert api.stats().arrivals - before == 30 - len(done)
    assert set(headway.results()) == {f"p{n}" for n in range(1, 31)}
    assert "30 succeeded, 0 failed, 0 left" in second.out


def test_failures_of_the_passed_lines_are_still_told(
    api: RemoteAPI, headway: Headway, parsed: Parsed
) -> None:
    named(headway, 9)
    api.set_faults((FaultRule(FaultKind.STATUS, status=400, message="no such thing", job="p4"),))
    assert headway("run", "p.jsonl").status == 1
    api.set_faults(())
    parsed.lines.clear()
    again = headway("run", "p.jsonl")
    assert again.status == 1
    assert parsed.lines == [1]
    assert "8 succeeded, 1 failed, 0 left" in again.out
    assert "1 invalid_request, for example p4: no such thing" in again.out
    retried = headway("run", "p.jsonl", "--retry-failed")
    assert retried.status == 0
    assert api.stats().arrivals == 10
    parsed.lines.clear()
    assert "9 succeeded, 0 failed, 0 left" in headway("run", "p.jsonl").out
    assert parsed.lines == [1]


def test_a_changed_line_is_noticed(api: RemoteAPI, headway: Headway) -> None:
    filler = "".join(json.dumps({"custom_id": f"f{n}", "prompt": "x" * 9000}) + "\n" for n in range(8))
    headway.write(filler + '{"custom_id": "last", "prompt": "one"}\n')
    assert headway("run", "p.jsonl").status == 0
    headway.write(filler + '{"custom_id": "last", "prompt": "two"}\n')
    ended = headway("run", "p.jsonl")
    assert ended.status == 1
    assert "8 of them were finished before" in ended.out
    assert "stands for another request" in ended.out


def test_reopening_a_job_forgets_the_bookmark(api: RemoteAPI, headway: Headway) -> None:
    import anyio

    from headway import Scheduler

    named(headway, 3)
    api.set_faults((FaultRule(FaultKind.STATUS, status=400, message="no", job="p2"),))
    assert headway("run", "p.jsonl").status == 1
    text = place_of(headway)
    assert text is not None
    mark = bookmark_of(text)
    assert mark is not None
    assert (mark.records, mark.pending, mark.tally.succeeded, mark.tally.failed) == (3, (), 2, 1)

    async def again() -> None:
        line = json.loads((headway.folder / "p.jsonl").read_text().splitlines()[2])
        defaults = {"model": "claude-sonnet-5-5", "max_tokens": 1024}
        async with Scheduler(journal=headway.folder / "p.results.jsonl.journal", **defaults) as scheduler:
            request = {
                "custom_id": line["custom_id"],
                "params": {
                    **defaults,
                    "messages": [{"role": "user", "content": line["prompt"]}],
                    "metadata": line["metadata"],
                },
            }
            async for outcome in scheduler.map([request], retry_failed=True):
                assert outcome.state == "failed"

    anyio.run(again)
    assert place_of(headway) is None


@pytest.mark.parametrize("damage", [{"records": 4}, {"pending": [[0, 1]]}])
def test_a_bookmark_whose_sums_do_not_agree_is_ignored(
    api: RemoteAPI, headway: Headway, damage: dict[str, object]
) -> None:
    named(headway, 3)
    assert headway("run", "p.jsonl").status == 0
    text = place_of(headway)
    assert text is not None
    assert bookmark_of(json.dumps(json.loads(text) | damage)) is None
