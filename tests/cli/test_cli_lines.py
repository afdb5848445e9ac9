"""Below the line forms: lines out of bytes, values out of text, templates, formats, limits."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.cli.exit_status import CommandError
from headway.cli.json_object import parse_object
from headway.cli.limit_option import AccountOption, parse_limit, parse_limits
from headway.cli.line_fault import LineFault
from headway.cli.line_reader import LineReader
from headway.cli.prompt_template import PromptTemplate
from headway.cli.record_count import count_records
from headway.cli.records import Format, format_of, read_records
from headway.core.id_set import IdSet
from headway.core.limits import Limits


def write(folder: Path, content: str) -> Path:
    path = folder / "in"
    path.write_text(content)
    return path


def test_a_template_takes_anything_as_a_field_value() -> None:
    @given(st.text(), st.text(min_size=1))
    def check(literal: str, value: str) -> None:
        escaped = literal.replace("{", "{{").replace("}", "}}")
        filled = PromptTemplate(f"{escaped}!{{f}}").fill({"f": value})
        assert filled == f"{literal}!{value}"

    check()


@given(st.binary())
def test_any_line_is_an_object_or_a_fault(content: bytes) -> None:
    try:
        assert isinstance(parse_object(content), dict)
    except LineFault as fault:
        assert str(fault)


@given(st.lists(st.binary(max_size=40).filter(lambda b: b"\n" not in b)), st.integers(1, 50))
def test_lines_survive_any_chunking(lines: list[bytes], size: int) -> None:
    # A byte order mark at the start is left out, which is a change of the first line.
    text = b"\n".join(lines)
    wanted = text.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    wanted = wanted[:-1] if wanted[-1] == b"" else wanted
    reading, writing = os.pipe()
    saved = os.dup(0)
    try:
        os.dup2(reading, 0)
        sender = threading.Thread(target=_send, args=(writing, text, size))
        sender.start()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdin", open(0, closefd=False))  # noqa: SIM115 - descriptor 0 is put back below
            found = [line.content for line in LineReader(None).lines()]
        sender.join()
    finally:
        os.dup2(saved, 0)
        for descriptor in (saved, reading):
            os.close(descriptor)
    assert found == wanted


def _send(descriptor: int, data: bytes, size: int) -> None:
    for start in range(0, len(data), size):
        os.write(descriptor, data[start : start + size])
    os.close(descriptor)


def test_counting_lines(tmp_path: Path) -> None:
    for text, lines, rows in (
        ("", 0, 0),
        ("a", 1, 0),
        ("a\n", 1, 0),
        ("a\n \nb\r\n\r\n", 2, 2),
        ('a,b\n\n1,"x\n\ny"\n2,z', 4, 2),
    ):
        path = write(tmp_path, text)
        assert (count_records(path, Format.JSONL), count_records(path, Format.CSV)) == (lines, rows), text


def test_formats_by_name() -> None:
    names = {
        "a.csv": Format.CSV,
        "a.TSV": Format.TSV,
        "a.txt": Format.TEXT,
        "a.jsonl": Format.JSONL,
        "a": Format.JSONL,
    }
    assert {name: format_of(Path(name)) for name in names} == names
    assert format_of(None) is Format.JSONL


def test_limits() -> None:
    assert parse_limits("requests=3000, input=600k,output=1.5M,burst=6") == Limits(
        3000, 600_000, 1_500_000, 6
    )
    assert parse_limits(None) == Limits()
    for text in (
        "requests",
        "speed=3",
        "requests=x",
        "requests=0",
        "requests=1,requests=2",
        "input=nan",
        "share=2",
    ):
        with pytest.raises(CommandError, match="--limit"):
            parse_limits(text)


def test_limits_of_the_account() -> None:
    assert parse_limit("requests=3") == (Limits(3), None)
    assert parse_limit(None) == (Limits(), None)
    assert parse_limit("account") == (Limits(), AccountOption())
    assert parse_limit(" share=.5, account ") == (Limits(share=0.5), AccountOption())
    assert parse_limit("account,workspace=wrkspc_1") == (Limits(), AccountOption("wrkspc_1"))
    for text in (
        "account,requests=5",
        "account,burst=5",
        "account,share=2",
        "account,workspace=",
        "account,workspace",
        "account,workspace=a,workspace=b",
        "workspace=wrkspc_1",
        "account,accounts",
        "account=5",
    ):
        with pytest.raises(CommandError, match="--limit"):
            parse_limit(text)


@given(st.lists(st.text(max_size=3), max_size=300), st.integers(0, 2000))
def test_an_id_set_is_a_set(keys: list[str], more: int) -> None:
    ids, model = IdSet(), set[str]()
    for key in [*keys, *(f"id {number}" for number in range(more)), *keys]:
        assert ids.add(key) is (key not in model)
        model.add(key)
    assert len(ids) == len(model)
    ids.clear()
    assert len(ids) == 0
    assert ids.add("a")


@given(st.text(alphabet='a,;"\n \r\ufeff', max_size=30))
def test_records_are_counted_as_they_are_read(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), text)
        for form in (Format.JSONL, Format.TEXT, Format.CSV):
            reader = LineReader(path)
            try:
                read = len(list(read_records(reader.lines(), form)))
            except CommandError:
                continue  # a header that is refused
            finally:
                reader.close()
            assert count_records(path, form) == read, form
