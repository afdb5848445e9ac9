"""Reading the input: line forms, templates, ids, and errors that name file and line."""

from __future__ import annotations

import json
import typing
from pathlib import Path

import anyio
import pytest

from headway.cli import prompt_input
from headway.cli.exit_status import CommandError
from headway.cli.line_fault import BadLine, Warnings
from headway.cli.prompt_input import HeadCheck, Item, PromptInput
from headway.cli.prompt_template import PromptTemplate
from headway.cli.records import Format
from headway.cli.request_builder import PARAMETERS, RequestBuilder, RequestDefaults
from headway.core.request import Request


class Read:
    """An input that was checked and read whole."""

    def __init__(self, path: Path, form: Format = Format.JSONL, template: str | None = None) -> None:
        self.warnings: list[str] = []
        builder = RequestBuilder(
            RequestDefaults("claude-haiku-4-5", 99, "Be kind."),
            None if template is None else PromptTemplate(template),
            Warnings(self.warnings.append),
        )
        source = PromptInput(path, form, builder)
        self.check: HeadCheck = source.check_head()
        self.fingerprint = source.fingerprint()
        self.items: list[Item] = anyio.run(self._read, source)
        source.close()

    @staticmethod
    async def _read(source: PromptInput) -> list[Item]:
        return [item async for item in source.items()]

    @property
    def requests(self) -> list[Request]:
        assert all(isinstance(item, Request) for item in self.items), self.check.problems
        return [item for item in self.items if isinstance(item, Request)]

    @property
    def prompts(self) -> list[object]:
        return [
            typing.cast("list[dict[str, object]]", r.params["messages"])[0]["content"] for r in self.requests
        ]


def write(folder: Path, content: str | bytes, name: str = "in.jsonl") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def problem(
    folder: Path, content: str | bytes, template: str | None = None, form: Format = Format.JSONL
) -> str:
    """The one problem of an input."""
    read = Read(write(folder, content), form, template)
    assert read.check.faults == 1, read.check
    return read.check.problems[0].removeprefix(f"{folder}/")


def test_the_three_line_forms(tmp_path: Path) -> None:
    read = Read(write(tmp_path, (
        '{"prompt": "one"}\n'
        '{"messages": [{"role": "user", "content": "two"}], "max_tokens": 5, "custom_id": "b"}\n'
        '\n'
        '{"custom_id": "c", "params": {"model": "m", "max_tokens": 7, '
        '"messages": [{"role": "user", "content": "three"}]}}'
    )))  # fmt: skip
    first, second, third = read.requests
    assert read.prompts == ["one", "two", "three"]
    assert (first.model, first.max_tokens, first.params["system"]) == ("claude-haiku-4-5", 99, "Be kind.")
    assert (second.custom_id, second.max_tokens) == ("b", 5)
    assert (third.custom_id, third.model, third.max_tokens) == ("c", "m", 7)
    assert first.custom_id is not None
    assert first.custom_id.startswith("line-1-")
    assert not read.warnings


def test_ids_of_lines_do_not_depend_on_what_follows(tmp_path: Path) -> None:
    short = Read(write(tmp_path, '{"prompt": "a"}\n{"prompt": "a"}\n')).requests
    long = Read(
        write(tmp_path, '{"prompt": "a"}\r\n{"prompt": "a"}\r\n' + '{"prompt": "b"}\n' * 2000)
    ).requests
    assert [r.custom_id for r in short] == [r.custom_id for r in long[:2]]
    assert len({r.custom_id for r in long}) == len(long)


def test_byte_order_mark_and_unicode_line_separators(tmp_path: Path) -> None:
    read = Read(write(tmp_path, b"\xef\xbb\xbf" + '{"prompt": "a\u2028b\u0085c"}\n'.encode()))
    assert read.prompts == ["a\u2028b\u0085c"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"prompt": "a"}\n{"prompt": }\n', "in.jsonl:2: invalid JSON at column 12: Expecting value"),
        ('{"prompt": "a"} {"prompt": "b"}', "in.jsonl:1: invalid JSON at column 17: Extra data; one object per line"),
        ("what is this", "in.jsonl:1: invalid JSON at column 1: Expecting value; one JSON object per line is expe"),
        (b'{"prompt": "\xff"}', "in.jsonl:1: invalid UTF-8 at byte 13; save the file as UTF-8"),
        ('{"prompt": "a"}'.encode("utf-16"), "in.jsonl:1: UTF-16; save the file as UTF-8"),
        ('["a"]', "in.jsonl:1: is an array; one object per line is expected: jq -c"),
        ("null", "in.jsonl:1: is null, not an object"),
        ("12", "in.jsonl:1: is a number, not an object"),
        ('{"prompt": "a", "top": NaN}', "in.jsonl:1: invalid JSON: NaN is not a JSON number"),
        ('{"messages": [{"role": "user", "content": 1e999}]}', "in.jsonl:1: params: cannot be written as JSON"),
        ('{"prompt": "\\ud83d"}', "in.jsonl:1: half a surrogate pair"),
        ("[" * 100_000, "in.jsonl:1: invalid JSON: nested too deeply"),
        ('{"question": "a"}', 'in.jsonl:1: has none of params, messages and prompt (fields: question); '
         'to make prompts from fields add for example --prompt "{question}"'),
        ('{"prompt": "a", "messages": []}', "in.jsonl:1: has messages and prompt; one of"),
        ('{"prompt": ["a"]}', "in.jsonl:1: prompt: must be text, not list"),
        ('{"prompt": " "}', "in.jsonl:1: prompt: is empty"),
        ('{"messages": []}', "in.jsonl:1: messages: must be a non-empty list"),
        ('{"messages": ["a"]}', "in.jsonl:1: messages.0: must be an object"),
        ('{"params": []}', "in.jsonl:1: params: must be an object"),
        ('{"prompt": "a", "stream": true}', "in.jsonl:1: stream: "),
        ('{"prompt": "a", "max_tokens": "9"}', "in.jsonl:1: max_tokens: "),
        ('{"prompt": "a", "custom_id": 7}', "in.jsonl:1: custom_id: must be a text"),
        ('{"prompt": "a", "custom_id": "x"}\n{"prompt": "b", "custom_id": "x"}',
         "in.jsonl:2: custom_id 'x' was used on an earlier line"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_line(tmp_path: Path, content: str | bytes, expected: str) -> None:
    assert problem(tmp_path, content).startswith(expected)


def test_a_ten_megabyte_line_is_fine(tmp_path: Path) -> None:
    text = "x" * 10_500_000
    assert Read(write(tmp_path, json.dumps({"prompt": text}) + '\n{"prompt": "b"}')).prompts == [text, "b"]


def test_warnings_come_once(tmp_path: Path) -> None:
    lines = [{"prompt": "a", "label": n, "custom_id": f"with space {n}"} for n in range(3)]
    params = {"params": {"messages": [{"role": "user", "content": "b"}], "new_thing": 1}, "label": 9}
    read = Read(write(tmp_path, "\n".join(map(json.dumps, [*lines, params]))))
    assert read.warnings == [
        "1: custom_id 'with space 0' works here, but the Message Batches API wants [a-zA-Z0-9_-]{1,64}",
        "1: field 'label' is not a parameter of the Messages API and is not sent",
        "4: field 'new_thing' is not a parameter that headway knows; it is sent as it is",
    ]
    assert "label" not in read.requests[0].params
    assert read.requests[3].params["new_thing"] == 1


def test_a_file_full_of_unknown_fields_does_not_fill_the_screen(tmp_path: Path) -> None:
    read = Read(write(tmp_path, "\n".join(json.dumps({"prompt": "a", f"f{n}": n}) for n in range(100))))
    assert len(read.warnings) == 21
    assert "left out" in read.warnings[-1]


def test_the_known_parameters_are_those_of_the_sdk() -> None:
    from anthropic.types.message_create_params import MessageCreateParamsNonStreaming

    assert set(typing.get_type_hints(MessageCreateParamsNonStreaming)) <= PARAMETERS


def test_templates_fill_fields_of_objects_rows_and_lines(tmp_path: Path) -> None:
    path = write(tmp_path, '{"a": "x{y}", "n": 3, "custom_id": "q"}')
    read = Read(path, Format.JSONL, "{{{a}}} {n} { a }")
    assert read.prompts == ["{x{y}} 3 x{y}"]
    assert read.requests[0].custom_id == "q"
    rows = Read(write(tmp_path, 'a,n\n"x, ""y""\nz",4\n\nb,5\n'), Format.CSV, "{a}={n}")
    assert rows.prompts == ['x, "y"\nz=4', "b=5"]
    assert [str(r.custom_id).rpartition("-")[0] for r in rows.requests] == ["line-2", "line-5"]
    assert Read(write(tmp_path, "a\tn\nb\t5\n"), Format.TSV, "{a}").prompts == ["b"]
    german = '\ufeff\n"a";n\n"x;\ny, z";1,5\n'  # as spreadsheets write it where commas are decimal
    assert Read(write(tmp_path, german), Format.CSV, "{a} {n}").prompts == ["x;\ny, z 1,5"]
    assert Read(write(tmp_path, "a\tn\nb,c\t5\n"), Format.CSV, "{a}").prompts == ["b,c"]
    assert Read(write(tmp_path, "a;b,n\nx,y\n"), Format.CSV, "{a;b}").prompts == ["x"]
    nested = '{"meta": {"lang": {"code": "fr"}, "n.m": 1}, "meta.n.m": 2}'
    assert Read(write(tmp_path, nested), Format.JSONL, "{meta.lang.code} {meta.n.m} {meta.lang}").prompts == [
        'fr 2 {"code": "fr"}'
    ]
    assert Read(write(tmp_path, " one \r\n\n{two}\n"), Format.TEXT, "<{line}>").prompts == [
        "< one >",
        "<{two}>",
    ]
    assert Read(write(tmp_path, "prompt,custom_id\nhi,z\n"), Format.CSV).requests[0].custom_id == "z"


@pytest.mark.parametrize(
    ("content", "form", "expected"),
    [
        (
            '{"a": 1, "b": 2}',
            Format.JSONL,
            "in.jsonl:1: no field 'review', which --prompt needs; fields here: a, b",
        ),
        ('{"review": null}', Format.JSONL, "in.jsonl:1: field 'review', which --prompt needs, is null"),
        ('{"review": ""}', Format.JSONL, "in.jsonl:1: the prompt is empty"),
        ("review,b\nx,y\nx,y,z\n", Format.CSV, "in.jsonl:3: has 3 columns, the header has 2"),
        ('review,b\nx,y\n"x"y,z\n', Format.CSV, "in.jsonl:3: invalid CSV: "),
        (b"review,b\nx,\xff\nx,y\n", Format.CSV, "in.jsonl:2: invalid UTF-8"),
        ('review,b\nx,y\n"x,y\n', Format.CSV, "in.jsonl:3: invalid CSV: "),
        (
            '{"review": 1}\n[\n',
            Format.JSONL,
            "in.jsonl:2: invalid JSON at column 2: Expecting value; one object per",
        ),
        (
            "{\n",
            Format.JSONL,
            "in.jsonl:1: invalid JSON at column 2: Expecting property name enclosed in double quotes; each object",
        ),
    ],
)
def test_what_is_wrong_with_a_record(
    tmp_path: Path, content: str | bytes, form: Format, expected: str
) -> None:
    assert problem(tmp_path, content, "{review}", form).startswith(expected)


@pytest.mark.parametrize("text", ["no field", "{", "}", "a } b", "{}", "{a", "{{a}}", "{a}{"])
def test_templates_that_are_not_understood(text: str) -> None:
    with pytest.raises(CommandError, match="--prompt"):
        PromptTemplate(text)


@pytest.mark.parametrize("header", ["a,,b", "a,b,a"])
def test_a_bad_header_ends_it(tmp_path: Path, header: str) -> None:
    with pytest.raises(CommandError, match=r"in\.jsonl:1: the header line"):
        Read(write(tmp_path, f"{header}\n1,2,3\n"), Format.CSV, "{a}")


def test_bad_lines_behind_the_head_fail_singly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_input, "CHECKED", 3)
    lines = ['{"prompt": "a"}'] * 3 + [
        "nonsense",
        '{"prompt": "b", "custom_id": "x"}',
        '{"prompt": "b", "custom_id": "x"}',
    ]
    read = Read(write(tmp_path, "\n".join(lines)))
    assert (read.check.count, read.check.faults, read.check.whole) == (3, 0, False)
    kinds = [type(item) for item in read.items]
    assert kinds == [Request] * 3 + [BadLine, Request, BadLine]
    bad = [item for item in read.items if isinstance(item, BadLine)]
    assert [item.number for item in bad] == [4, 6]
    assert bad[1].key.startswith("line-6-")


def test_only_twenty_problems_are_shown_of_all(tmp_path: Path) -> None:
    read = Read(write(tmp_path, "x\n" * 50))
    assert (read.check.faults, len(read.check.problems), read.check.count) == (50, 20, 50)


def test_the_fingerprint_stays_when_lines_are_appended(tmp_path: Path) -> None:
    path = write(tmp_path, '{"prompt": "a"}\n')
    before = Read(path).fingerprint
    with path.open("a") as file:
        file.write('{"prompt": "b"}\n' * 10_000)
    source = PromptInput(path, Format.JSONL, RequestBuilder(RequestDefaults("m", 1), None, Warnings(print)))
    source.check_head()
    source.close()
    assert source.fingerprint(before.size) == before
    assert 60_000 < source.fingerprint().size <= 65_536
