"""``headway results``: what a journal holds, filtered and in the form that is wanted."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headway.testing.fake_api import FaultKind, FaultRule, RemoteAPI

if TYPE_CHECKING:
    from conftest import Headway


def failing(*ids: str) -> tuple[FaultRule, ...]:
    return tuple(FaultRule(FaultKind.STATUS, status=400, message="no such thing", job=name) for name in ids)


@pytest.fixture
def ran(api: RemoteAPI, headway: Headway) -> Headway:
    """Six jobs, of which two failed."""
    headway.write("".join(
        json.dumps({"custom_id": f"p{n}", "prompt": f"Say {n}", "metadata": {"user_id": f"p{n}"}}) + "\n"
        for n in range(1, 7)
    ))  # fmt: skip
    api.set_faults(failing("p2", "p5"))
    assert headway("run", "p.jsonl", "-q").status == 1
    return headway


def ids(text: str) -> list[str]:
    return [json.loads(line)["custom_id"] for line in text.splitlines()]


def test_everything_as_the_run_wrote_it(ran: Headway) -> None:
    ended = ran("results", "p.results.jsonl.journal")
    assert ended.status == 0
    assert ended.out == (ran.folder / "p.results.jsonl").read_text()
    assert "6 results; in the journal: 4 succeeded, 2 failed" in ended.err
    assert "--retry-failed" in ended.err
    assert ran("results", "p.results.jsonl", "-q").out == ended.out  # the journal beside the results


def test_filters(ran: Headway) -> None:
    assert set(ids(ran("results", "p.results.jsonl", "--state", "failed").out)) == {"p2", "p5"}
    assert set(ids(ran("results", "p.results.jsonl", "--kind", "invalid_request").out)) == {"p2", "p5"}
    assert ran("results", "p.results.jsonl", "--kind", "overloaded").out == ""
    assert ids(ran("results", "p.results.jsonl", "--ordered").out) == [f"p{n}" for n in range(1, 7)]
    ran.write("p6\nnobody\n\np2\n", "ids.txt")
    chosen = ran("results", "p.results.jsonl", "--ids", "ids.txt")
    assert ids(chosen.out) == ["p6", "p2"]
    assert "no result for nobody" in chosen.err


def test_text_and_flat_columns(ran: Headway) -> None:
    rows = list(csv.DictReader(io.StringIO(ran("results", "p.results.jsonl", "--csv", "--ordered").out)))
    assert [row["custom_id"] for row in rows] == [f"p{n}" for n in range(1, 7)]
    message = ran.results()["p1"]["result"]["message"]
    assert rows[0]["text"] == message["content"][0]["text"]
    assert int(rows[0]["output_tokens"]) == message["usage"]["output_tokens"]
    assert (rows[0]["state"], rows[0]["kind"], rows[0]["model"]) == ("succeeded", "", message["model"])
    assert (rows[1]["state"], rows[1]["kind"], rows[1]["status"]) == ("failed", "invalid_request", "400")
    assert rows[1]["error"] == "no such thing"
    assert rows[1]["text"] == ""
    text = ran("results", "p.results.jsonl", "--text", "--ordered").out
    assert text == "".join(f"{row['text']}\n" for row in rows if row["state"] == "succeeded")


@pytest.mark.parametrize("name", ["all.csv", "all.csv.gz", "all.jsonl.gz", "all.txt"])
def test_files_by_their_names(ran: Headway, name: str) -> None:
    option = {"csv": ["--csv"], "txt": ["--text"]}.get(name.split(".")[1], [])
    wanted = ran("results", "p.results.jsonl", *option).out
    ended = ran("results", "p.results.jsonl", "-o", name)
    assert ended.status == 0
    assert ended.out == ""
    content = (ran.folder / name).read_bytes()
    assert (gzip.decompress(content) if name.endswith(".gz") else content).decode() == wanted
    assert not list(ran.folder.glob("*.writing"))


def test_parquet_and_a_data_frame_in_two_lines(ran: Headway) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert ran("results", "p.results.jsonl", "-o", "all.parquet", "--ordered").status == 0
    rows = parquet.read_table(ran.folder / "all.parquet").to_pylist()
    assert [row["custom_id"] for row in rows] == [f"p{n}" for n in range(1, 7)]
    assert (rows[0]["kind"], rows[1]["status"]) == (None, 400)


def test_while_a_run_has_the_journal_open(ran: Headway) -> None:
    from headway.adapters.sqlite.lock import JournalLock

    path = ran.folder / "p.results.jsonl.journal"
    lock = JournalLock(path)
    lock.acquire()
    writer = sqlite3.connect(path, isolation_level=None)
    try:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE progress SET updated = updated + 1")
        assert len(ids(ran("results", path).out)) == 6
        writer.execute("ROLLBACK")
    finally:
        writer.close()
        lock.release()


def test_bad_usage_names_the_remedy(ran: Headway) -> None:
    for arguments, said in (
        (["nothing.jsonl"], "nothing.jsonl does not exist"),
        (["p.jsonl"], "not a journal, and there is no p.jsonl.journal"),
        (["p.results.jsonl", "--state", "suceeded"], "did you mean succeeded?"),
        (["p.results.jsonl", "--kind", "invalid-request"], "did you mean invalid_request?"),
        (["p.results.jsonl", "--ids", "none.txt"], "--ids none.txt cannot be read"),
        (["p.results.jsonl", "-o", "no/where.csv"], "does not exist"),
        (["p.results.jsonl", "-o", "p.results.jsonl.journal"], "is the journal itself"),
        (["p.results.jsonl", "--csv", "--text"], "exclude each other"),
        (["p.results.jsonl", "-o", "x.jsonl.zst"], "use .gz"),
    ):
        ended = ran("results", *arguments)
        assert ended.status == 2, arguments
        assert said in ended.err
    Path(ran.folder / "other.db").unlink(missing_ok=True)
    sqlite3.connect(ran.folder / "other.db").execute("CREATE TABLE t (x)").connection.close()
    assert "not a journal of headway" in ran("results", "other.db").err


def test_a_damaged_answer_is_named_and_leaves_no_file(ran: Headway) -> None:
    path = ran.folder / "p.results.jsonl.journal"
    with sqlite3.connect(path) as database:
        database.execute("UPDATE endings SET body = body || ' ' WHERE key = 'p3'")
    database.close()
    ended = ran("results", path, "-o", "all.jsonl")
    assert ended.status == 2
    assert "damaged" in ended.err
    assert not (ran.folder / "all.jsonl").exists()


def test_the_two_lines_of_the_documentation(ran: Headway) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    assert ran("results", "p.results.jsonl", "-o", "out.parquet").status == 0
    results = pandas.read_parquet("out.parquet")
    assert set(results[results.state == "failed"].custom_id) == {"p2", "p5"}
    assert results.output_tokens.sum() > 0
