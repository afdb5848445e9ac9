"""Running the same command again: nothing finished is sent, nothing is lost, changes are refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headway.testing.fake_api import FaultKind, FaultRule, RemoteAPI

if TYPE_CHECKING:
    from conftest import Headway

BAD_REQUEST = FaultRule(FaultKind.STATUS, status=400, message="no such thing", job="*")


def failing(*ids: str) -> tuple[FaultRule, ...]:
    return tuple(FaultRule(FaultKind.STATUS, status=400, message="no such thing", job=name) for name in ids)


def test_a_second_run_sends_nothing_and_changes_nothing(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(20)
    first = headway("run", "p.jsonl")
    assert first.status == 0, first.err
    before = (headway.folder / "p.results.jsonl").read_bytes()
    assert api.stats().arrivals == 20
    second = headway("run", "p.jsonl")
    assert second.status == 0
    assert api.stats().arrivals == 20
    assert (headway.folder / "p.results.jsonl").read_bytes() == before
    assert "20 of them were finished before" in second.out


def test_appended_lines_are_new_jobs(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(5)
    assert headway("run", "p.jsonl").status == 0
    headway.prompts(3, start=6)
    assert headway("run", "p.jsonl").status == 0
    assert api.stats().arrivals == 8
    assert set(headway.results()) == {f"p{n}" for n in range(1, 9)}


def test_lines_appended_to_a_file_without_a_final_line_break(api: RemoteAPI, headway: Headway) -> None:
    path = headway.write('{"prompt": "one"}')
    assert headway("run", "p.jsonl").status == 0
    with path.open("a") as file:
        file.write('\n{"prompt": "two"}')
    assert headway("run", "p.jsonl").status == 0
    assert api.stats().arrivals == 2


def test_changed_settings_are_refused(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(2)
    assert headway("run", "p.jsonl").status == 0
    before = (headway.folder / "p.results.jsonl").read_bytes()
    for options, named in (
        (["--max-tokens", "7"], "--max-tokens: 1024 before, 7 now"),
        (["--system", "Be brief."], "--system: none before, 'Be brief.' now"),
        (["--prompt", "Say {prompt}"], "--prompt: none before, 'Say {prompt}' now"),
        (["--model", "claude-haiku-4-5"], "--model: 'claude-sonnet-5-5' before, 'claude-haiku-4-5' now"),
    ):
        ended = headway("run", "p.jsonl", *options)
        assert ended.status == 2
        assert named in ended.err
        assert "--fresh" in ended.err
    assert (headway.folder / "p.results.jsonl").read_bytes() == before
    assert api.stats().arrivals == 2
    assert headway("run", "p.jsonl", "--model", "claude-haiku-4-5", "--fresh").status == 0
    assert api.stats().arrivals == 4
    assert len(headway.results()) == 2


def test_a_journal_of_another_input_is_refused(api: RemoteAPI, headway: Headway) -> None:
    path = headway.prompts(3)
    assert headway("run", "p.jsonl").status == 0
    path.write_text('{"prompt": "another"}\n' + path.read_text())
    ended = headway("run", "p.jsonl")
    assert ended.status == 2
    assert "belongs to another input" in ended.err
    assert "--fresh" in ended.err
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:2]))  # and a shortened one
    assert headway("run", "p.jsonl").status == 2


def test_failed_jobs_are_tried_again_only_when_asked(api: RemoteAPI, headway: Headway) -> None:
    headway.write("".join(
        json.dumps({"custom_id": f"p{n}", "prompt": f"Say {n}", "metadata": {"user_id": f"p{n}"}}) + "\n"
        for n in range(1, 7)
    ))  # fmt: skip
    api.set_faults(failing("p2", "p5"))
    first = headway("run", "p.jsonl")
    assert first.status == 1
    assert "2 invalid_request" in first.out
    assert "--retry-failed" in first.out
    assert api.stats().arrivals == 6  # a 400 is sent once
    api.set_faults(())
    again = headway("run", "p.jsonl")
    assert again.status == 1
    assert api.stats().arrivals == 6
    retried = headway("run", "p.jsonl", "--retry-failed")
    assert retried.status == 0, retried.err
    assert api.stats().arrivals == 8
    assert {value["result"]["type"] for value in headway.results().values()} == {"succeeded"}
    assert len(headway.results()) == 6


def test_jobs_that_fail_again_keep_one_line(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(3)
    api.set_faults((BAD_REQUEST,))
    assert headway("run", "p.jsonl").status == 1
    assert headway("run", "p.jsonl", "--retry-failed").status == 1
    assert len(headway.results()) == 3
    assert api.stats().arrivals == 6


@pytest.mark.parametrize("damage", ["missing", "torn"])
def test_a_damaged_output_is_mended_from_the_journal(api: RemoteAPI, headway: Headway, damage: str) -> None:
    headway.prompts(12)
    assert headway("run", "p.jsonl").status == 0
    path = headway.folder / "p.results.jsonl"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(b"".join(lines[:7]) + lines[7][:40])
    headway.prompts(2, start=13)
    assert headway("run", "p.jsonl").status == 0
    assert api.stats().arrivals == 14
    assert path.read_bytes().startswith(whole)
    assert len(headway.results()) == 14
    assert not list(headway.folder.glob("*.rebuilding"))


def test_results_without_a_journal_are_not_touched(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(2)
    path = headway.write("precious\n", "p.results.jsonl")
    ended = headway("run", "p.jsonl")
    assert ended.status == 2
    assert "there is no journal for it" in ended.err
    assert path.read_text() == "precious\n"
    assert not (headway.folder / "p.results.jsonl.journal").exists()
    assert headway("run", "p.jsonl").status == 2  # and it stays so
    assert headway("run", "p.jsonl", "--fresh").status == 0
    assert len(headway.results()) == 2


def test_two_runs_on_one_journal(api: RemoteAPI, headway: Headway) -> None:
    from headway.adapters.sqlite.lock import JournalLock

    headway.prompts(1)
    lock = JournalLock(headway.folder / "p.results.jsonl.journal")
    lock.acquire()
    try:
        ended = headway("run", "p.jsonl")
    finally:
        lock.release()
    assert ended.status == 2
    assert "in use by process" in ended.err
    assert api.stats().arrivals == 0


def test_fresh_does_not_delete_a_journal_in_use(api: RemoteAPI, headway: Headway) -> None:
    from headway.adapters.sqlite.lock import JournalLock

    headway.prompts(1)
    assert headway("run", "p.jsonl").status == 0
    lock = JournalLock(headway.folder / "p.results.jsonl.journal")
    lock.acquire()
    try:
        assert headway("run", "p.jsonl", "--fresh").status == 2
    finally:
        lock.release()
    assert len(headway.results()) == 1
    assert (headway.folder / "p.results.jsonl.journal").exists()


def test_a_damaged_journal_is_refused_and_fresh_replaces_it(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(3)
    assert headway("run", "p.jsonl").status == 0
    headway.write(b"not a database at all" * 500, "p.results.jsonl.journal")
    for companion in headway.folder.glob("*.journal-*"):
        companion.unlink()
    ended = headway("run", "p.jsonl")
    assert ended.status == 2
    assert "journal" in ended.err
    assert api.stats().arrivals == 3
    assert headway("run", "p.jsonl", "--fresh").status == 0


def test_another_address_is_only_a_warning(
    api: RemoteAPI, headway: Headway, monkeypatch: pytest.MonkeyPatch
) -> None:
    headway.prompts(1)
    assert headway("run", "p.jsonl").status == 0
    monkeypatch.setenv("ANTHROPIC_BASE_URL", api.base_url.replace("127.0.0.1", "localhost"))
    ended = headway("run", "p.jsonl")
    assert ended.status == 0
    assert "warning: earlier results came from" in ended.err


def test_an_id_whose_request_changed_fails_and_keeps_its_result(api: RemoteAPI, headway: Headway) -> None:
    filler = "".join(json.dumps({"custom_id": f"f{n}", "prompt": "x" * 9000}) + "\n" for n in range(8))
    headway.write(filler + '{"custom_id": "last", "prompt": "one"}\n')
    assert headway("run", "p.jsonl").status == 0
    headway.write(filler + '{"custom_id": "last", "prompt": "two"}\n')
    ended = headway("run", "p.jsonl")
    assert ended.status == 1
    assert "stands for another request" in ended.out
    assert len(headway.results()) == 9
    assert api.stats().arrivals == 9


def test_the_key_is_in_no_file(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(2)
    assert headway("run", "p.jsonl").status == 0
    for path in headway.folder.rglob("*"):
        assert b"canary" not in path.read_bytes(), path


def test_the_next_command_is_shown_as_it_must_be_typed(api: RemoteAPI, headway: Headway) -> None:
    path: Path = headway.write('{"review": "fine"}\n')
    api.set_faults((BAD_REQUEST,))
    ended = headway("run", path.name, "--prompt", "Classify: {review}", "--max-tokens", "9")
    assert ended.status == 1
    wanted = "headway run p.jsonl --max-tokens 9 --prompt 'Classify: {review}' --retry-failed"
    assert re.search(rf"^next +{re.escape(wanted)}", ended.out, re.MULTILINE)
