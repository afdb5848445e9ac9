"""The request that continues a broken answer."""

from __future__ import annotations

import pytest

from headway.core.partial import Kept
from headway.core.request import Request, build_request
from headway.core.resume import CONTINUE, resumed


def request(**params: object) -> Request:
    return build_request("Tell me.", {"model": "m", "max_tokens": 100}, params)


def test_old_models_continue_a_prefill() -> None:
    again = resumed(request(), Kept(1, True, ("Once upon ",)), 3, prefill=True)
    assert again is not None
    assert again.params["messages"] == [
        {"role": "user", "content": "Tell me."},
        {"role": "assistant", "content": [{"type": "text", "text": "Once upon"}]},
    ]
    assert again.max_tokens == 97


def test_new_models_are_asked() -> None:
    again = resumed(request(), Kept(1, True, ("Once upon ",)), 3, prefill=False)
    assert again is not None
    messages = again.params["messages"]
    assert isinstance(messages, list)
    assert messages[1:] == [
        {"role": "assistant", "content": [{"type": "text", "text": "Once upon"}]},
        {"role": "user", "content": CONTINUE.format(end="Once upon")},
    ]
    assert "Your previous response was interrupted and ended with [Once upon]." in CONTINUE.format(
        end="Once upon"
    )


@pytest.mark.parametrize("content", ["{", [{"type": "text", "text": "{"}]])
def test_a_prefill_of_the_caller_goes_on_without_a_seam(content: object) -> None:
    given = build_request(
        [{"role": "user", "content": "JSON"}, {"role": "assistant", "content": content}],
        {"model": "m", "max_tokens": 10},
        {},
    )
    again = resumed(given, Kept(1, True, ('"a": 1',)), 50, prefill=True)
    assert again is not None
    last = again.params["messages"][-1]["content"]  # type: ignore[index]
    assert last == '{"a": 1' or last == [{"type": "text", "text": '{"a": 1'}]
    assert again.max_tokens == 1


def test_what_cannot_be_resumed() -> None:
    schema = {"format": {"type": "json_schema", "schema": {}}}
    assert resumed(request(output_config=schema), Kept(1, True, ("{",)), 1, prefill=True) is None
    assert resumed(request(), Kept(0, False), 0, prefill=True) is None
    assert resumed(request(), Kept(1, True, (" \n",)), 0, prefill=True) is None
