"""What the Message Batches API would refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest
from parameter_bodies import ASK

from headway.preflight import batch
from headway.preflight.batch import check_batch, item_bytes


def item(custom_id: Any = "a", **params: Any) -> dict[str, Any]:
    return {"custom_id": custom_id, "params": ASK | params}


def paths(*requests: Any) -> list[str]:
    return [found.path for found in check_batch(requests)]


def test_a_good_batch() -> None:
    assert paths(item("a"), item("B_9-x"), item("x" * 64, stream=False, speed=None)) == []


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (item(""), "custom_id"),
        (item("a b"), "custom_id"),
        (item("ä"), "custom_id"),
        (item("x" * 65), "custom_id"),
        (item("a\n"), "custom_id"),
        (item(None), "custom_id"),
        (item(7), "custom_id"),
        ({"params": ASK}, "custom_id"),
        ({"custom_id": "a"}, "params"),
        ({"custom_id": "a", "params": []}, "params"),
        (item(stream=True), "params.stream"),
        (item(speed="fast"), "params.speed"),
        (item(speed="standard"), "params.speed"),
        (item(thread={"type": "create"}), "params.thread"),
        (item(max_tokens=0), "params.max_tokens"),
        ("text", ""),
    ],
)
def test_what_is_wrong_with_an_item(request_: Any, path: str) -> None:
    assert paths(item("first"), request_) == [f"requests.1.{path}".rstrip(".")]


def test_ids_must_be_unique() -> None:
    found = list(check_batch([item("a"), item("b"), item("a")]))
    assert [one.path for one in found] == ["requests.2.custom_id"]
    assert "requests.0" in found[0].problem


def test_the_bounds_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (batch.MOST_REQUESTS, batch.MOST_BYTES) == (100_000, 256 * 1024 * 1024)
    monkeypatch.setattr(batch, "MOST_REQUESTS", 3)
    assert paths(*(item(str(n)) for n in range(3))) == []
    assert paths(*(item(str(n)) for n in range(4))) == ["requests"]
    items = [item("a"), item("b")]
    exactly = len(json.dumps({"requests": items}, separators=(",", ":")))
    monkeypatch.setattr(batch, "MOST_BYTES", exactly + 1)  # one comma more is counted than there is
    assert paths(*items) == []
    monkeypatch.setattr(batch, "MOST_BYTES", exactly - 1)
    assert paths(*items) == ["requests"]
    assert paths() == ["requests"]


def test_bytes_are_those_of_utf_8() -> None:
    assert item_bytes({"a": "ä€"}) == len('{"a":"ä€"}'.encode())
    assert item_bytes({"a": "\ud800"}) == 11
    assert item_bytes({"a": object()}) == 0
