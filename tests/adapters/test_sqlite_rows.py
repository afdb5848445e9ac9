"""What is stored of a request and an ending, and what never is."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.adapters.sqlite import SQLiteJournal
from headway.adapters.sqlite.rows import (
    RowError,
    checksum,
    ending_columns,
    ending_of_columns,
    job_row,
    request_of,
    storable,
    text_of,
)
from headway.core.error_kind import ROW, ErrorKind
from headway.core.events import Failed, Started
from headway.core.failure import Failure
from headway.core.job import JobRecord, JobState
from headway.core.outcome import Ending
from headway.core.request import Request
from headway.core.usage import Usage
from headway.testing.contracts import play

CANARY = "sk-ant-api03-canary-0123456789"
TEXT = st.text(st.characters(), max_size=30)
"""Lone surrogates and NUL included."""
COUNTS = st.integers(0, 2**53)
SECONDS = st.floats(0, 1e9)
MAYBE = TEXT | st.none()


def failures() -> st.SearchStrategy[Failure]:
    return st.builds(
        lambda kind, *rest: Failure(kind, *rest, ROW[kind].scope),
        st.sampled_from(ErrorKind),
        TEXT,
        st.integers(100, 599) | st.none(),
        MAYBE,
        MAYBE,
        MAYBE,
        SECONDS | st.none(),
    )


ENDINGS = st.builds(
    Ending,
    key=TEXT,
    state=st.sampled_from([state for state in JobState if state.final]),
    body=MAYBE,
    failure=failures() | st.none(),
    usage=st.builds(Usage, *[COUNTS] * len(fields(Usage))),
    stop_reason=MAYBE,
    request_id=MAYBE,
    cost=SECONDS | st.none(),
    sends=COUNTS,
    maybe_billed=COUNTS,
    queued_seconds=SECONDS,
    running_seconds=SECONDS,
    resumable=st.booleans(),
)


def as_read(column: str | bytes | None) -> bytes | None:
    return column.encode() if isinstance(column, str) else column


@given(ENDINGS)
def test_an_ending_comes_back_exactly(ending: Ending) -> None:
    written = ending_columns(ending)
    check = checksum(*written)
    read = [as_read(column) for column in written]
    assert ending_of_columns(*read, check) == ending  # type: ignore[arg-type]
    with pytest.raises(RowError):
        ending_of_columns(*read, check ^ 1)  # type: ignore[arg-type]


@given(TEXT)
def test_any_text_can_be_stored(text: str) -> None:
    stored = as_read(storable(text))
    assert stored is not None
    assert text_of(stored) == text


def test_columns_cannot_be_shifted_into_one_another() -> None:
    assert checksum("ab", "c") != checksum("a", "bc")
    assert checksum("", None) != checksum(None, "")


def test_options_are_kept_as_far_as_they_are_json_and_no_secret() -> None:
    options: dict[str, object] = {
        "timeout": 12.5,
        "extra_body": {"metadata": {"user_id": "u"}},
        "extra_query": {"beta": "true", "key": "k", "access_token": "t"},
        "extra_headers": {
            "anthropic-beta": "context-1m",
            "Idempotency-Key": "kept",
            "Authorization": "Bearer x",
            "X-Api-Key": "k",
            "x-goog-api-key": "k",
            "Cookie": "c",
            "x-note": f"quoted {CANARY}",
        },
    }
    params = {"model": "m", "tools": [{"z": 1, "a": 2}], "max_tokens": 1, "messages": [{"role": "user"}]}
    stored = as_read(job_row(JobRecord(1, "k", Request(params, options, "k"))).request)
    assert stored is not None
    request = request_of(stored)
    assert request.params == params
    assert list(request.params) == list(params), "the order of keys is part of a prompt"
    assert request.options == {
        "timeout": 12.5,
        "extra_body": {"metadata": {"user_id": "u"}},
        "extra_query": {"beta": "true"},
        "extra_headers": {"anthropic-beta": "context-1m", "Idempotency-Key": "kept"},
    }


def test_options_that_json_cannot_hold_are_left_out() -> None:
    options: dict[str, object] = {"timeout": object(), "extra_headers": {"a": object(), "b": "1"}}
    stored = as_read(job_row(JobRecord(1, "k", Request({"model": "m"}, options))).request)
    assert stored is not None
    assert request_of(stored).options == {"extra_headers": {"b": "1"}}


@pytest.mark.anyio
async def test_the_key_is_in_no_file(tmp_path: Path) -> None:
    headers = {
        "x-api-key": CANARY,
        "authorization": f"Bearer {CANARY}",
        "helicone-auth": CANARY,
        "x-trace": "trace-7",
    }
    params = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]}
    record = JobRecord(1, "k", Request(params, {"extra_headers": headers, "extra_query": {"token": CANARY}}))
    seen = b""
    async with SQLiteJournal(tmp_path / "j") as journal:
        await journal.admit([record])
        await play(
            journal, record, Started(1.0), Failed(2.0, Failure(ErrorKind.AUTHENTICATION, "invalid x-api-key"))
        )
        assert CANARY not in repr(journal) + repr(vars(journal))
        # The WAL only: reading the database here would drop SQLite's locks.
        seen += (tmp_path / "j-wal").read_bytes()
    for file in tmp_path.iterdir():
        seen += file.read_bytes()
    assert CANARY.encode() not in seen
    assert b"trace-7" in seen


@settings(max_examples=20, deadline=None)
@given(keys=st.lists(TEXT, unique=True, max_size=8))
def test_any_key_can_be_admitted_and_found(keys: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    import asyncio

    async def run() -> None:
        async with SQLiteJournal(tmp_path_factory.mktemp("keys") / "j") as journal:
            records = [JobRecord(1, key, Request({"model": "m"}, custom_id=key)) for key in keys]
            assert list(await journal.admit(records)) == [None] * len(keys)
            assert list(await journal.known(keys)) == keys
            assert [job[:2] async for job in journal.unfinished()] == [(r.key, r.request) for r in records]

    asyncio.run(run())
