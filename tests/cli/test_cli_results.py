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

from headway import read_results
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
    assert set(ids(ran("results", "p.results.jsonl", "--failed").out)) == {"p2", "p5"}
    assert ran("results", "p.results.jsonl", "--kind", "overloaded").out == ""
    assert len(ids(ran("results", "p.results.jsonl", "--tag", "", "--tag", "none").out)) == 6
    assert ran("results", "p.results.jsonl", "--tenant", "acme").out == ""
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


def test_a_file_of_results_as_flat_rows_and_a_data_frame_in_two_lines(ran: Headway) -> None:
    """The same columns from the file as from the journal, and from what the Message Batches API writes."""
    rows = list(read_results("p.results.jsonl"))
    table = list(csv.DictReader(io.StringIO(ran("results", "p.results.jsonl", "--csv").out)))
    shown = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    missing = {"request_id"}  # of answers it stands in the journal only
    assert [drop(row, missing) for row in shown] == [drop(row, missing) for row in table]
    assert list(rows[0]) == list(table[0])
    content = (ran.folder / "p.results.jsonl").read_bytes()
    bare = [
        {name: row[name] for name in ("custom_id", "result")} for row in map(json.loads, content.splitlines())
    ]
    torn = (
        "\n".join(map(json.dumps, [*bare, {"custom_id": "x", "result": {"type": "canceled"}}])) + '\n{"custom'
    )
    (ran.folder / "batch.jsonl.gz").write_bytes(gzip.compress(torn.encode()))
    batch = list(read_results(ran.folder / "batch.jsonl.gz"))
    assert [row["text"] for row in batch[:-1]] == [row["text"] for row in rows]
    assert (batch[0]["cost_usd"], batch[-1]["state"]) == (None, "cancelled")
    with pytest.raises(ValueError, match="is a journal; headway results"):
        list(read_results("p.results.jsonl.journal"))
    with pytest.raises(ValueError, match=r"p\.jsonl:1: not a result"):
        list(read_results("p.jsonl"))
    pandas = pytest.importorskip("pandas")
    results = pandas.DataFrame(read_results("p.results.jsonl"))
    assert set(results[results.state == "failed"].custom_id) == {"p2", "p5"}
    assert results.output_tokens.sum() > 0


def drop(row: dict[str, str], names: set[str]) -> dict[str, str]:
    return {name: value for name, value in row.items() if name not in names}


def test_costs_of_all_runs_by_what_they_are_for(api: RemoteAPI, headway: Headway) -> None:
    headway.write("tag,text\nblue,sky\nred,fire\nblue,sea\n,fog\n", "t.csv")
    asked = ("run", "t.csv", "--prompt", "{text}", "-q", "-o", "o.jsonl")
    assert headway(*asked).status == 0
    with (headway.folder / "t.csv").open("a") as file:
        file.write("total,wood\n")
    assert headway(*asked).status == 0
    rows = [json.loads(line) for line in headway("costs", "o.jsonl", "--json").out.splitlines()]
    found = {row["tag"]: row for row in rows}
    assert {tag: row["answers"] for tag, row in found.items()} == {"blue": 2, "red": 1, "": 1, "total": 1}
    assert [row["usd"] for row in rows] == sorted((row["usd"] for row in rows), reverse=True)
    paid = sum(row["headway"]["cost_usd"] for row in headway.results("o.jsonl").values())
    assert sum(row["usd"] for row in rows) == pytest.approx(paid)
    table = headway("costs", "o.jsonl.journal").out.splitlines()
    assert table[0].split() == ["by", "tag", "answers", "input", "from", "cache", "output", "USD"]
    assert any(line.startswith("(none)") for line in table)
    assert table[-1].split()[:2] == ["total", "5"] and table[-1].endswith(f"${paid:.4f}")
    assert headway("costs", "o.jsonl", "--by", "lane").out.splitlines()[1].split()[:2] == ["live", "5"]
    assert "there are tag, tenant, model, lane" in headway("costs", "o.jsonl", "--by", "day").err
