"""``headway run`` over real HTTP: output, exit status, early stops, what is refused before anything is sent."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headway.cli import prompt_input
from headway.testing.fake_api import FaultKind, FaultRule, RemoteAPI

if TYPE_CHECKING:
    from conftest import Headway


def status_fault(status: int, **more: object) -> tuple[FaultRule, ...]:
    return (FaultRule(FaultKind.STATUS, status=status, **more),)  # type: ignore[arg-type]


def test_every_prompt_becomes_one_result(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(30)
    ended = headway("run", "p.jsonl", "--limit", "requests=3000,input=600k,burst=6")
    assert ended.status == 0, ended.err
    found = headway.results()
    assert set(found) == {f"p{n}" for n in range(1, 31)}
    one = found["p7"]
    assert one["result"]["type"] == "succeeded"
    assert one["result"]["message"]["type"] == "message"
    assert one["headway"]["attempts"] == 1
    assert "30 succeeded, 0 failed, 0 left" in ended.out
    assert "30 sent (1.00 per job)" in ended.out
    assert "the least these limits allow" in ended.out
    assert "p.results.jsonl" in ended.out
    assert "30/30 done" in ended.err
    assert api.stats().arrivals == 30


def test_faults_are_survived_and_counted(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(25)
    api.set_faults((
        FaultRule(FaultKind.STATUS, status=529, probability=0.1, attempts="first"),
        FaultRule(FaultKind.RESET, probability=0.1, attempts="first", after_work=True),
    ))  # fmt: skip
    ended = headway("run", "p.jsonl", "--no-progress")
    assert ended.status == 0, ended.out
    assert len(headway.results()) == 25
    assert "may be billed without an answer" in ended.out
    assert ended.err == ""


def test_a_template_over_a_csv(api: RemoteAPI, headway: Headway) -> None:
    headway.write('review,stars\n"good, really",5\nbad,1\n', "reviews.csv")
    ended = headway("run", "reviews.csv", "--prompt", "Classify: {review}", "-o", "out.jsonl")
    assert ended.status == 0, ended.err
    assert len(headway.results("out.jsonl")) == 2


def test_quiet_says_nothing(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(1)
    ended = headway("run", "p.jsonl", "--quiet")
    assert (ended.status, ended.out, ended.err) == (0, "", "")


def test_results_on_standard_output(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(8)
    ended = headway("run", "p.jsonl", "-o", "-")
    assert ended.status == 0
    assert {json.loads(line)["custom_id"] for line in ended.out.splitlines()} == {
        f"p{n}" for n in range(1, 9)
    }
    assert "8 succeeded" in ended.err
    assert list(headway.folder.iterdir()) == [headway.folder / "p.jsonl"]
    assert headway("run", "p.jsonl", "-o", "-", "--journal", "j").status == 0
    again = headway("run", "p.jsonl", "-o", "-", "--journal", "j")
    assert len(again.out.splitlines()) == 8
    assert api.stats().arrivals == 16


def test_failures_are_summed_up_with_a_remedy(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(6)
    api.set_faults(status_fault(413))
    ended = headway("run", "p.jsonl")
    assert ended.status == 1
    assert "6 request_too_large, for example p" in ended.out
    assert "Send large files through the Files API" in ended.out
    errored = headway.results()["p1"]
    assert errored["result"]["error"]["error"]["type"] == "request_too_large"
    assert errored["headway"]["kind"] == "request_too_large"
    assert api.stats().arrivals == 6


def test_a_key_that_is_refused_stops_the_run(
    api: RemoteAPI, headway: Headway, monkeypatch: pytest.MonkeyPatch
) -> None:
    headway.prompts(60)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "invalid")
    ended = headway("run", "p.jsonl", "--max-in-flight", "4")
    assert ended.status == 3
    assert ended.err.count("Check ANTHROPIC_API_KEY") == 1
    assert api.stats().arrivals <= 8
    monkeypatch.setenv("ANTHROPIC_API_KEY", "good")
    assert headway("run", "p.jsonl").status == 0  # nothing has failed for good
    assert len(headway.results()) == 60


def test_a_model_that_is_forbidden_stops_the_run(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(60)
    api.set_faults(status_fault(403))
    ended = headway("run", "p.jsonl", "--max-in-flight", "4")
    assert ended.status == 3
    assert ended.err.count("the first job was refused") == 1
    assert api.stats().arrivals <= 12
    api.set_faults(())
    assert headway("run", "p.jsonl", "--retry-failed").status == 0
    assert len(headway.results()) == 60


def test_an_empty_account_stops_the_run(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(30)
    api.set_faults(status_fault(400, message="Your credit balance is too low to access the Anthropic API."))
    ended = headway("run", "p.jsonl", "--max-in-flight", "2")
    assert ended.status == 3
    assert "Add credit" in ended.err
    assert "0 failed" in ended.out


def test_a_bad_line_further_down_fails_singly(
    api: RemoteAPI, headway: Headway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_input, "CHECKED", 4)
    headway.prompts(5)
    with (headway.folder / "p.jsonl").open("ab") as file:
        file.write(b'{"prompt": \n{"prompt": "\xff"}\n{"prompt": "x", "custom_id": "p1"}\n')
    headway.prompts(2, start=6)
    for _ in range(2):  # and a second run reports them again, without writing them twice
        ended = headway("run", "p.jsonl")
        assert ended.status == 1
        assert "7 succeeded, 3 failed, 0 left" in ended.out
        found = headway.results()
        assert len(found) == 10
        bad = [value for name, value in found.items() if name.startswith("line-")]
        messages = sorted(value["result"]["error"]["error"]["message"] for value in bad)
        assert [message.partition(": ")[0] for message in messages] == ["p.jsonl:6", "p.jsonl:7", "p.jsonl:8"]
        assert {value["headway"]["kind"] for value in bad} == {"invalid_request"}
    assert api.stats().arrivals == 7


def test_a_bad_head_sends_nothing(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(3)
    with (headway.folder / "p.jsonl").open("a") as file:
        file.write("{\n" * 25)
    ended = headway("run", "p.jsonl")
    assert ended.status == 2
    assert ended.err.splitlines()[0].startswith("headway: p.jsonl:4: invalid JSON at column 2")
    assert "… and 5 more" in ended.err
    assert "Nothing was sent." in ended.err
    assert api.stats().arrivals == 0
    assert not (headway.folder / "p.results.jsonl.journal").exists()


def test_limits_from_the_account(api: RemoteAPI, headway: Headway, monkeypatch: pytest.MonkeyPatch) -> None:
    headway.prompts(3)
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", "admin")
    ended = headway("run", "p.jsonl", "--limit", "account,share=0.5")
    assert ended.status == 0, ended.err
    assert "limit 10k" in ended.out and "3 succeeded" in ended.out


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", "set ANTHROPIC_ADMIN_KEY"),
        ("sk-ant-canary-0123456789", "--limit account: the key was not accepted"),
    ],
)
def test_without_a_good_admin_key_nothing_is_sent(
    api: RemoteAPI, headway: Headway, monkeypatch: pytest.MonkeyPatch, key: str, words: str
) -> None:
    headway.prompts(3)
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", key)
    ended = headway("run", "p.jsonl", "--limit", "account")
    assert ended.status == 2
    assert words in ended.err
    assert api.stats().arrivals == 0
    assert {path.name for path in headway.folder.iterdir()} == {"p.jsonl"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["missing.jsonl"], "missing.jsonl does not exist"),
        (["."], ". is a folder"),
        (["empty.jsonl"], "empty.jsonl is empty"),
        (["p.jsonl", "-o", "no/where.jsonl"], "the folder no does not exist"),
        (["p.jsonl", "-o", "."], ". is a folder"),
        (["p.jsonl", "-o", "p.jsonl"], "p.jsonl is the input"),
        (["p.jsonl", "--journal", "p.jsonl"], "is the input or the output"),
        (["p.jsonl", "-o", "-", "--retry-failed"], "need a journal"),
        (["-"], "name the results file with -o"),
        (["p.txt"], '--prompt "{line}"'),
        (["p.jsonl", "--prompt", "same for all"], "names no field"),
        (["p.jsonl", "--limit", "speed=1"], "--limit: 'speed=1' is not understood"),
    ],
)
def test_what_is_refused_before_anything_is_sent(
    headway: Headway, monkeypatch: pytest.MonkeyPatch, arguments: list[str], expected: str
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "x")
    headway.prompts(1)
    headway.write(" \n\n", "empty.jsonl")
    headway.write("text", "p.txt")
    ended = headway("run", *arguments)
    assert ended.status == 2
    assert expected in ended.err
    assert {path.name for path in headway.folder.iterdir()} == {"p.jsonl", "empty.jsonl", "p.txt"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(headway: Headway) -> None:
    headway.prompts(1)
    headway.folder.chmod(0o500)
    try:
        ended = headway("run", "p.jsonl")
    finally:
        headway.folder.chmod(0o700)
    assert ended.status == 2
    assert "cannot be written" in ended.err


def test_no_credential_at_all(headway: Headway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    headway.prompts(1)
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path / "none"))
    ended = headway("run", "p.jsonl")
    assert ended.status == 2
    assert "no API key: set ANTHROPIC_API_KEY" in ended.err
    monkeypatch.setenv("ANTHROPIC_API_KEY", " \n")
    assert "ANTHROPIC_API_KEY is empty" in headway("run", "p.jsonl").err
    assert [path.name for path in headway.folder.iterdir()] == ["p.jsonl"]


def test_white_space_around_the_key_is_left_out(
    api: RemoteAPI, headway: Headway, monkeypatch: pytest.MonkeyPatch
) -> None:
    headway.prompts(1)
    monkeypatch.setenv("ANTHROPIC_API_KEY", ' "sk-ant-canary-0123456789"\n')
    ended = headway("run", "p.jsonl")
    assert ended.status == 0
    assert "warning: ANTHROPIC_API_KEY has white space or quotes around it" in ended.err
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-canary 0123456789")
    ended = headway("run", "p.jsonl", "--fresh")
    assert ended.status == 2
    assert "white space" in ended.err


def test_unknown_fields_are_a_warning(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(3, label=1)
    ended = headway("run", "p.jsonl")
    assert ended.status == 0
    assert ended.err.count("field 'label' is not a parameter") == 1


def test_a_full_disk_stops_the_run(api: RemoteAPI, headway: Headway, monkeypatch: pytest.MonkeyPatch) -> None:
    from headway.cli.output_file import OutputFile

    def fail(self: OutputFile, lines: list[str]) -> None:
        if lines:
            raise OSError(28, "No space left on device")

    headway.prompts(20)
    with monkeypatch.context() as patch:
        patch.setattr(OutputFile, "write", fail)
        ended = headway("run", "p.jsonl")
    assert ended.status == 3
    assert "No space left on device" in ended.err
    assert headway("run", "p.jsonl").status == 0
    assert len(headway.results()) == 20
    assert api.stats().arrivals == 20


def test_pipes_for_input_and_output(api: RemoteAPI, headway: Headway) -> None:
    """A named pipe cannot be read twice, nor looked at again."""
    content = headway.prompts(5).read_bytes()
    os.mkfifo(headway.folder / "in")
    os.mkfifo(headway.folder / "out")
    received: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: (headway.folder / "in").write_bytes(content)),
        threading.Thread(target=lambda: received.append((headway.folder / "out").read_bytes())),
    ]
    for thread in threads:
        thread.start()
    ended = headway("run", "in", "-o", "out", "--journal", "j")
    for thread in threads:
        thread.join()
    assert ended.status == 0, ended.err
    assert {json.loads(line)["custom_id"] for line in received[0].splitlines()} == {
        f"p{n}" for n in range(1, 6)
    }


def test_a_reader_that_goes_away_stops_the_run(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(50)
    os.mkfifo(headway.folder / "out")
    with Path(headway.folder / "p.jsonl").open("rb"):
        thread = threading.Thread(target=lambda: (headway.folder / "out").open("rb").close())
        thread.start()
        ended = headway("run", "p.jsonl", "-o", "out")
        thread.join()
    assert ended.status == 3
    assert "results cannot be written to out" in ended.err
