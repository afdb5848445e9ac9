"""The rules ``size`` and ``files``, and what a request weighs on the wire."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from anthropic._utils._json import openapi_dumps
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.preflight.body_size import MOST_BODY, movable, wire_size
from headway.preflight.check import check
from headway.preflight.facts import facts_for
from headway.preflight.policy import RepairPolicy
from media_samples import body, document, image

RULES = RepairPolicy("off", rules={"size": "repair", "files": "repair"})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def only(request: dict[str, object]):
    (finding,) = check(request, facts_for(request), RULES)
    return finding


@settings(max_examples=50)
@given(JSON)
def test_the_size_is_what_the_sdk_sends(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert wire_size(value) == len(text.encode("utf-8", "surrogatepass"))


@settings(max_examples=50)
@given(JSON)
def test_an_estimate_never_hides_what_is_too_large(value: object) -> None:
    exact = wire_size(value)
    for enough in (0, 10, 100, 10_000):
        assert (wire_size(value, enough) > enough) == (exact > enough)


def test_media_is_measured_without_writing_it_out() -> None:
    request = body(image("A" * 50_000), document("B" * 10_001))
    assert wire_size(request) == len(openapi_dumps(request))
    assert wire_size({"a": Path("x")}) == 6, "what only the SDK can write counts nothing"


def test_a_request_over_32_mb_and_the_parts_that_could_leave_it() -> None:
    half = "A" * (MOST_BODY // 2)
    request = body(image(half), {"type": "tool_result", "content": [document(half + "B" * 2_000_000)]})
    finding = only(request)
    assert finding.tool == "files"
    assert "the body has 35.6 MB, 33.6 MB are accepted" in finding.problem
    assert (
        "messages.0.content.1.content.0 (document, 18.8 MB), messages.0.content.0 (image, 16.8 MB)"
        in finding.problem
    )
    assert [one.size for one in movable(request)] == [18_777_216, 16_777_216]
    assert check(body(image(half)), facts_for(body()), RULES) == []


def test_text_cannot_leave() -> None:
    finding = only(body({"type": "text", "text": "é" * (MOST_BODY // 2)}))
    assert finding.tool is None
    assert "messages.0 (33.6 MB)" in finding.problem
    plain = {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "x" * MOST_BODY},
    }
    assert only(body(plain)).tool == "files", "as a document it can"


def test_number_of_messages() -> None:
    request = body()
    request["messages"] = [{"role": "user", "content": "x"}] * 100_001
    assert "100,001 messages" in only(request).problem


@pytest.mark.parametrize(
    "source", [{"type": "file"}, {"type": "file", "file_id": ""}, {"type": "file", "file_id": 5}]
)
def test_a_reference_to_nothing(source: dict[str, object]) -> None:
    assert only(body({"type": "image", "source": source})).path == "messages.0.content.0"
    named = {"type": "document", "source": {"type": "file", "file_id": "file_1"}}
    assert check(body(named), facts_for(body()), RULES) == []
