"""``headway run`` with follow-ups and alerts: other models, paused turns, raised caps, and who is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from headway.testing.fake_api import FaultKind, FaultRule, RemoteAPI

if TYPE_CHECKING:
    from conftest import Headway

FIRST, OTHER, SECRET = "claude-opus-5-5", "claude-sonnet-5", "T0K3N-in-the-path"
TOOL = {
    "name": "save",
    "input_schema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
}
SAVE = {"model": OTHER, "tools": [TOOL], "tool_choice": {"type": "tool", "name": "save"}}
GONE = FaultRule(FaultKind.STATUS, status=404, message=f"model: {FIRST}", model=FIRST)


class Hook(HTTPServer):
    """A webhook on this machine."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.bodies: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/{SECRET}"


class _Answer(BaseHTTPRequestHandler):
    server: Hook  # type: ignore[assignment]

    def do_POST(self) -> None:
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Hook() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_another_model_for_one_that_is_gone(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(20)
    api.set_faults((GONE,))
    options = ("--model", FIRST, "--fallback-model", "newest:haiku", "--max-in-flight", 2, "--no-progress")
    ended = headway("run", "p.jsonl", *options, "--fallback-model", OTHER)
    assert ended.status == 0, ended.out
    assert "newest:haiku is claude-haiku-5-5" in ended.err
    found = headway.results().values()
    assert {one["result"]["message"]["model"] for one in found} == {"claude-haiku-5-5"}
    assert all(one["headway"]["repairs"][0]["rule"] == "fallback" for one in found)
    assert api.stats().arrivals <= 22, "it is asked for once"


def test_paused_turns_and_raised_caps_only_when_asked_for(api: RemoteAPI, headway: Headway) -> None:
    headway.prompts(1, metadata={"user_id": "pausing"})
    headway.prompts(1, start=2, max_tokens=2, **SAVE)

    def stops(*options: object) -> list[str]:
        api.reset()
        api.set_faults((FaultRule(FaultKind.STOP, stop_reason="pause_turn", job="pausing", count=2),))
        assert headway("run", "p.jsonl", "--no-progress", "--fresh", *options).status == 0
        return [one["result"]["message"]["stop_reason"] for _, one in sorted(headway.results().items())]

    assert stops() == ["pause_turn", "max_tokens"]
    assert stops("--continue-turns", 1) == ["pause_turn", "max_tokens"]
    assert api.stats().arrivals == 3
    assert stops("--continue-turns", 3) == ["end_turn", "max_tokens"]
    assert stops("--raise-cap") == ["pause_turn", "tool_use"]


@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_run_that_stops_tells_somebody(
    api: RemoteAPI, headway: Headway, hook: Hook, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    headway.prompts(9)
    api.set_faults((FaultRule(FaultKind.STATUS, status=402),))
    options: tuple[object, ...] = ("--alert", hook.url)
    if by == "variable":
        options = ()
        monkeypatch.setenv("HEADWAY_ALERT", hook.url)
    ended = headway("run", "p.jsonl", "--no-progress", "--raise-cap", "--fallback-model", OTHER, *options)
    assert ended.status == 3
    [body] = hook.bodies
    assert (body["kind"], body["scope"], body["status"]) == ("billing", "account", 402)
    assert body["text"].startswith("headway stopped sending: billing (402")
    assert SECRET not in ended.out + ended.err
    assert f"headway run p.jsonl --fallback-model {OTHER} --raise-cap" in ended.out, (
        "the command to run again"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--alert", f"ftp://x/{SECRET}"), "--alert: must be a URL that begins with https://"),
        (("--fallback-model", "claude-sonet-5-5"), "--fallback-model: claude-sonet-5-5 does not exist. Did you mean"),
        (("--fallback-model", "claude-opus-4-1-20250805"), "was retired on 2026-08-05. Move to claude-opus-5-5"),
        (("--fallback-model", "newest:sonet"), "no active model of that line"),
        (("--fallback-model", " "), "--fallback-model: "),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_before_anything_is_sent(
    api: RemoteAPI, headway: Headway, options: tuple[str, ...], said: str
) -> None:
    headway.prompts(1)
    ended = headway("run", "p.jsonl", *options)
    assert ended.status == 2
    assert said in ended.err
    assert SECRET not in ended.err
    assert api.stats().arrivals == 0
