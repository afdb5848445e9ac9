"""Compressed inputs, and results in order, compressed or in columns."""

from __future__ import annotations

import csv
import gzip
import json
from typing import TYPE_CHECKING

import pytest

from headway import read_results
from headway.testing.fake_api import FaultKind, FaultRule, RemoteAPI

if TYPE_CHECKING:
    from conftest import Headway


def lines(count: int, bad: tuple[int, ...] = ()) -> str:
    return "".join(
        "not json\n" if n in bad else json.dumps(
            {"custom_id": f"p{n}", "prompt": f"Say {n}", "metadata": {"user_id": f"p{n}"}}
        ) + "\n"
        for n in range(1, count + 1)
    )  # fmt: skip


def order(text: str) -> list[str]:
    return [name if name[0] == "p" else name.split("-")[1] for name in map(key, text.splitlines())]


def key(line: str) -> str:
    return str(json.loads(line)["custom_id"])


def expected(count: int, bad: tuple[int, ...] = ()) -> list[str]:
    return [str(n) if n in bad else f"p{n}" for n in range(1, count + 1)]


def test_a_gz_input_by_its_name(api: RemoteAPI, headway: Headway) -> None:
    packed = gzip.compress(lines(3).encode()) + gzip.compress(b'{"custom_id": "p4", "prompt": "x"}\n')
    headway.write(packed, "p.jsonl.gz")
    ended = headway("run", "p.jsonl.gz")
    assert ended.status == 0, ended.err
    assert "4 succeeded, 0 failed, 0 left" in ended.out
    assert set(headway.results()) == {"p1", "p2", "p3", "p4"}
    headway.write(packed + gzip.compress(b'{"custom_id": "p5", "prompt": "x"}\n'), "p.jsonl.gz")
    assert headway("run", "p.jsonl.gz").status == 0
    assert api.stats().arrivals == 5
    assert headway("check", "p.jsonl.gz").status == 0


def test_a_gz_csv(api: RemoteAPI, headway: Headway) -> None:
    headway.write(gzip.compress(b"review\nfine\nbad\n"), "r.csv.gz")
    assert headway("run", "r.csv.gz", "--prompt", "Classify: {review}").status == 0
    assert len(headway.results("r.results.jsonl")) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"plain text", "not a gzipped file"), (gzip.compress(lines(900).encode())[:-900], "ends too early")],
)
def test_a_gz_that_is_none_or_cut_off(api: RemoteAPI, headway: Headway, content: bytes, said: str) -> None:
    headway.write(content, "p.jsonl.gz")
    ended = headway("run", "p.jsonl.gz")
    assert ended.status == 2
    assert said in ended.err.lower()
    assert "p.jsonl.gz" in ended.err
    assert api.stats().arrivals == 0


def test_results_in_the_order_of_the_input(
    api: RemoteAPI, headway: Headway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headway.cli.prompt_input.CHECKED", 2)
    bad = (5, 6, 11, 30)
    headway.write(lines(30, bad))
    api.set_faults((
        FaultRule(FaultKind.STATUS, status=529, error_type="overloaded_error", job="p3", count=1),
        FaultRule(FaultKind.STATUS, status=400, job="p9"),
    ))  # fmt: skip
    ended = headway("run", "p.jsonl", "--ordered")
    assert ended.status == 1, ended.err
    path = headway.folder / "p.results.jsonl"
    assert order(path.read_text()) == expected(30, bad)
    before = path.stat().st_mtime_ns
    assert headway("run", "p.jsonl", "--ordered").status == 1
    assert path.stat().st_mtime_ns == before  # nothing new, nothing written
    api.set_faults(())
    with (headway.folder / "p.jsonl").open("a") as file:
        file.write('{"custom_id": "p31", "prompt": "x"}\n')
    assert headway("run", "p.jsonl", "--ordered", "--retry-failed").status == 1
    assert order(path.read_text()) == expected(31, bad)
    assert json.loads(path.read_text().splitlines()[8])["result"]["type"] == "succeeded"
    path.unlink()
    assert headway("run", "p.jsonl", "--ordered").status == 1
    assert order(path.read_text()) == expected(31, bad)


def test_ordered_to_standard_output_without_a_journal(
    api: RemoteAPI, headway: Headway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headway.cli.prompt_input.CHECKED", 2)
    bad = (4, 8, 9)
    headway.write(lines(12, bad))
    api.set_faults(
        (FaultRule(FaultKind.STATUS, status=529, error_type="overloaded_error", job="p2", count=1),)
    )
    ended = headway("run", "p.jsonl", "--ordered", "-o", "-", "-q")
    assert ended.status == 1
    assert order(ended.out) == expected(12, bad)


def test_an_interrupted_ordered_run_goes_on(api: RemoteAPI, headway: Headway) -> None:
    headway.write(lines(20))
    api.set_faults((FaultRule(FaultKind.STATUS, status=402, error_type="billing_error", job="p7"),))
    assert headway("run", "p.jsonl", "--ordered", "--max-in-flight", "3").status == 3
    so_far = order((headway.folder / "p.results.jsonl").read_text())
    assert so_far == sorted(so_far, key=lambda name: int(name[1:]))
    assert "p7" not in so_far
    api.set_faults(())
    assert headway("run", "p.jsonl", "--ordered").status == 0
    assert order((headway.folder / "p.results.jsonl").read_text()) == expected(20)


def test_compressed_results_and_tables_by_name(api: RemoteAPI, headway: Headway) -> None:
    headway.write(lines(6))
    assert headway("run", "p.jsonl", "-o", "out.jsonl.gz").status == 0
    assert set(order(gzip.decompress((headway.folder / "out.jsonl.gz").read_bytes()).decode())) == set(
        expected(6)
    )
    assert headway("run", "p.jsonl", "-o", "out.csv", "--ordered").status == 0
    with (headway.folder / "out.csv").open() as file:
        assert [row["custom_id"] for row in csv.DictReader(file)] == expected(6)


def test_forms_that_cannot_be_written_are_refused_first(api: RemoteAPI, headway: Headway) -> None:
    headway.write(lines(1))
    assert "use .gz" in headway("run", "p.jsonl", "-o", "out.jsonl.zst").err
    assert api.stats().arrivals == 0


def test_parquet_in_and_out(api: RemoteAPI, headway: Headway) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [{"custom_id": f"p{n}", "review": f"Say {n}", "stars": n} for n in range(1, 8)]
    table = arrow.Table.from_pylist([*rows, {"custom_id": "p8", "review": None, "stars": 3}])
    parquet.write_table(table, headway.folder / "r.parquet", row_group_size=3)
    arguments = ("run", "r.parquet", "--prompt", "{stars}: {review}", "-o", "out.parquet", "--ordered")
    refused = headway(*arguments)
    assert refused.status == 2
    assert "r.parquet:8: field 'review', which --prompt needs, is null" in refused.err
    parquet.write_table(table.slice(0, 7), headway.folder / "r.parquet", row_group_size=3)
    ended = headway(*arguments)
    assert ended.status == 0, ended.err
    assert "7 succeeded, 0 failed, 0 left" in ended.out
    found = parquet.read_table(headway.folder / "out.parquet").to_pylist()
    assert [row["custom_id"] for row in found] == expected(7)
    assert headway(*arguments).status == 0
    assert api.stats().arrivals == 7
    headway.write("no parquet", "x.parquet")
    assert "not a Parquet file" in headway("run", "x.parquet", "--prompt", "{a}").err


def test_parquet_without_pyarrow_names_the_extra(
    api: RemoteAPI, headway: Headway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    headway.write("anything", "x.parquet")
    ended = headway("run", "x.parquet", "--prompt", "{a}")
    assert ended.status == 2
    assert ended.err.startswith("headway: x.parquet: Parquet needs pyarrow: pip install 'headway[parquet]'")


def test_a_field_of_the_users_own_names_the_results(api: RemoteAPI, headway: Headway) -> None:
    headway.write("sku;text\nA-1;good\n17;bad\n", "t.csv")
    asked = ("run", "t.csv", "--prompt", "{text}", "-q")
    assert headway(*asked, "--id", "sku").status == 0
    assert set(headway.results("t.results.jsonl")) == {"A-1", "17"}
    changed = headway(*asked)
    assert changed.status == 2 and "--id: 'sku' before, none now" in changed.err
    headway.write('{"prompt": "x", "nr": 5}\n{"prompt": "y", "n": 6}\n')
    faulty = headway("run", "p.jsonl", "--id", "nr")
    assert "p.jsonl:2: no field 'nr', which --id needs; did you mean {n}?" in faulty.err
    headway.write('{"prompt": "x", "nr": 5}\n{"prompt": "y", "nr": 5}\n')
    assert (
        "p.jsonl:2: custom_id '5' was used on an earlier line" in headway("run", "p.jsonl", "--id", "nr").err
    )


def test_the_system_prompt_is_a_template_beside_a_prompt(api: RemoteAPI, headway: Headway) -> None:
    import sqlite3

    headway.write("text,language\nHello,French\nGood bye,Dutch\n", "t.csv")
    arguments = ("run", "t.csv", "--prompt", "Translate: {text}", "--system")
    mistyped = headway(*arguments, "Into {langauge}.")
    assert mistyped.status == 2
    assert "t.csv:2: no field 'langauge', which --system needs; did you mean {language}?" in mistyped.err
    assert "--system: '}' at position 2 has no partner" in headway(*arguments, "a}").err
    assert headway(*arguments, "Into {language}, as {{}}.").status == 0
    with sqlite3.connect(headway.folder / "t.results.jsonl.journal") as journal:
        rows = journal.execute("SELECT request FROM jobs ORDER BY id").fetchall()
    journal.close()
    assert [json.loads(row[0])["params"]["system"] for row in rows] == [
        "Into French, as {}.",
        "Into Dutch, as {}.",
    ]


def test_the_system_prompt_stands_as_it_is_without_one(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(1)
    assert headway("run", "p.jsonl", "--system", 'Answer as {"a": 1}').status == 0


def test_answers_that_follow_a_schema(api: RemoteAPI, headway: Headway) -> None:
    names = [f"a_field_with_a_long_name_{n}" for n in range(40)]
    schema = {"type": "object", "properties": {name: {"type": "string", "minLength": 2} for name in names}}
    headway.write(json.dumps(schema), "s.json")
    own = {
        "format": {
            "type": "json_schema",
            "schema": {"type": "object", "properties": {"own": {"type": "boolean"}}},
        }
    }
    lines = [{"custom_id": "a", "prompt": "x"}, {"custom_id": "b", "prompt": "y", "output_config": own}]
    headway.write("".join(json.dumps(line) + "\n" for line in lines))
    asked = ("run", "p.jsonl", "--schema", "s.json", "--max-tokens", "50", "--no-progress")
    cut = headway(*asked)
    assert cut.status == 0 and "1 answer of them cut off by max_tokens" in cut.out
    whole = headway(*asked, "--raise-cap", "--fresh")
    assert "cut off" not in whole.out
    texts = {row["custom_id"]: json.loads(row["text"]) for row in read_results("p.results.jsonl")}  # type: ignore[arg-type]
    assert set(texts["a"]) == set(names) and texts["b"] == {"own": True}
    headway.write('{"type": "object", "properties": {}}', "s.json")
    changed = headway(*asked)
    assert changed.status == 2 and "--schema: " in changed.err
    for content, said in (
        ("x", "is not JSON"),
        ("[]", "must be a JSON schema"),
        ('{"type": 3}', "is no JSON schema that"),
    ):
        headway.write(content, "s.json")
        assert said in headway(*asked).err
    assert "cannot be read" in headway("run", "p.jsonl", "--schema", "none.json").err
