"""``headway doctor``: what it finds out, and that it neither pays nor tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headway.adapters.anthropic.probe import Probe
from headway.cli import doctor_remote
from headway.cli.diagnosis import Check, Mark
from headway.cli.doctor_local import DEFAULT_URL, address, credential, open_files
from headway.core.listed_model import ListedModel
from headway.testing.fake_api import FaultKind, FaultRule, RemoteAPI

if TYPE_CHECKING:
    from conftest import Headway

CANARY = "sk-ant-canary-0123456789"
"""As in conftest."""


@pytest.fixture(autouse=True)
def no_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path / "none"))
    monkeypatch.delenv("ANTHROPIC_ADMIN_KEY", raising=False)


def checks(text: str) -> dict[str, dict[str, str]]:
    return {row["check"]: row for row in json.loads(text) if row["check"]}


def test_all_is_well_and_nothing_is_sent(api: RemoteAPI, headway: Headway) -> None:
    ended = headway("doctor")
    assert (ended.status, ended.err) == (0, "")
    for name in ("versions", "open files", "base URL", "key", "API", "clock", "model", "models", "counting"):
        assert f"✓ {name:<12} " in ended.out, ended.out
    assert "not known without sending a message" in ended.out
    assert "nothing is broken" in ended.out
    assert api.stats().arrivals == 0
    assert api.stats().other_calls == {"GET /v1/models": 1, "POST /v1/messages/count_tokens": 1}


def test_one_token_shows_the_limits(api: RemoteAPI, headway: Headway) -> None:
    ended = headway("doctor", "--send", "--json")
    found = checks(ended.out)
    assert ended.status == 0
    assert found["message"]["result"] == "fine"
    assert "requests/min" in found["limits"]["text"]
    assert "output tokens/min" in found["limits"]["text"]
    assert api.stats().arrivals == 1
    assert api.stats().output_tokens == 1


def test_an_admin_key_shows_what_the_account_may_use(
    api: RemoteAPI, headway: Headway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", "admin")
    found = checks(headway("doctor", "--model", "claude-opus-4-6", "--json").out)["account"]
    assert found["result"] == "fine"
    assert "requests 10k, input 10M, output 2M a minute, shared by claude-opus-4" in found["text"]
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", CANARY)  # an ordinary key
    ended = headway("doctor", "--json")
    assert ended.status == 0, "nothing needs it"
    assert "must be an Admin key" in checks(ended.out)["account"]["text"]


def test_models_that_end_are_named_with_their_successor(api: RemoteAPI, headway: Headway) -> None:
    ended = headway("doctor", "--model", "claude-sonnet-4-5", "--json")
    found = checks(ended.out)["model"]
    assert found["result"] in {"warning", "broken"}
    assert "2026-11-30" in found["text"]
    assert "claude-sonnet-5-5" in found["remedy"]
    unknown = checks(headway("doctor", "--model", "claude-sonet-5-5", "--json").out)["model"]
    assert unknown["result"] == "warning"
    assert "claude-sonnet-5-5" in unknown["remedy"]


def test_a_refused_key_is_broken(api: RemoteAPI, headway: Headway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "invalid")
    ended = headway("doctor")
    assert ended.status == 1
    assert "✗ key" in ended.out
    assert "401" in ended.out
    assert "broken: key" in ended.out


def test_no_network_is_broken(headway: Headway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
    ended = headway("doctor", "--base-url", "http://127.0.0.1:9")
    assert ended.status == 1
    assert "✗ API" in ended.out
    assert "Check network" in ended.out


def test_an_unpaid_account_is_broken(api: RemoteAPI, headway: Headway) -> None:
    api.set_faults((FaultRule(FaultKind.STATUS, status=402),))
    ended = headway("doctor", "--send")
    assert ended.status == 1
    assert "✗ message" in ended.out
    assert "Add credit" in " ".join(ended.out.split())


def test_without_a_key_nobody_is_asked(
    api: RemoteAPI, headway: Headway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    ended = headway("doctor")
    assert ended.status == 1
    assert "✗ key" in ended.out
    assert "ANTHROPIC_API_KEY" in ended.out
    assert not api.stats().other_calls


def test_ascii_terminals_are_served(
    api: RemoteAPI, headway: Headway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headway.cli.diagnosis._can_write", lambda text: False)
    ended = headway("doctor")
    assert "ok API" in ended.out
    assert "✓" not in ended.out


SECRET = "sk-ant-api03-abcdefghijklmnop"
KEYS = [
    ({"ANTHROPIC_API_KEY": SECRET}, Mark.FINE, "is set"),
    ({"ANTHROPIC_API_KEY": f" '{SECRET}'\n"}, Mark.WARNING, "white space or quotes"),
    ({"ANTHROPIC_API_KEY": "your-api-key"}, Mark.BROKEN, "placeholder"),
    ({"ANTHROPIC_API_KEY": "sk-ant-api03-a\u00e9b"}, Mark.BROKEN, "non-ASCII"),
    ({"ANTHROPIC_API_KEY": "sk-ant-admin01-xyz"}, Mark.BROKEN, "Admin key"),
    ({"ANTHROPIC_API_KEY": "sk-ant-oat01-xyz"}, Mark.WARNING, "OAuth token"),
    ({"ANTHROPIC_API_KEY": "pk-something-else"}, Mark.WARNING, "does not begin with"),
    ({"ANTHROPIC_API_KEY": "  "}, Mark.BROKEN, "ANTHROPIC_API_KEY is empty"),
    ({"ANTHROPIC_AUTH_TOKEN": "sk-ant-oat01-xyz"}, Mark.FINE, "ANTHROPIC_AUTH_TOKEN is set"),
    ({"ANTHROPIC_API_KEY": SECRET, "ANTHROPIC_AUTH_TOKEN": "t"}, Mark.NOTE, "goes before"),
    ({"ANTHROPIC_PROFILE": "work"}, Mark.FINE, "the SDK uses ANTHROPIC_PROFILE"),
    ({}, Mark.BROKEN, "no API key"),
]


@pytest.mark.parametrize(("environment", "worst", "said"), KEYS, ids=[said for _, _, said in KEYS])
def test_keys_are_judged_and_never_shown(
    environment: dict[str, str], worst: Mark, said: str, tmp_path: Path
) -> None:
    found = list(credential({"ANTHROPIC_CONFIG_DIR": str(tmp_path), **environment}, DEFAULT_URL))
    assert any(check.mark is worst and said in check.text for check in found), found
    shown = " ".join(f"{check.text} {check.remedy}" for check in found)
    assert not [value for value in environment.values() if "sk-" in value and value.strip() in shown]


@pytest.mark.parametrize(
    ("url", "mark", "said"),
    [
        (DEFAULT_URL, Mark.FINE, "api.anthropic.com"),
        ("https://gateway.example/claude", Mark.FINE, "not the default"),
        ("https://api.anthropic.com/v1", Mark.BROKEN, "adds /v1/messages itself"),
        ("https://api.anthropic.com/v1/messages", Mark.BROKEN, "adds /v1/messages itself"),
        ("http://gateway.example", Mark.WARNING, "not encrypted"),
        ("http://127.0.0.1:8787", Mark.FINE, "127.0.0.1"),
        ("api.anthropic.com", Mark.BROKEN, "is no address"),
        ("https://user:hidden@gateway.example", Mark.FINE, "gateway.example"),
    ],
)
def test_addresses(url: str, mark: Mark, said: str) -> None:
    (found,) = address(url, {})
    assert found.mark is mark
    assert said in found.text
    assert "hidden" not in found.text + found.remedy


def test_a_proxy_is_named_without_its_password() -> None:
    found = list(address(DEFAULT_URL, {"HTTPS_PROXY": "http://u:hidden@proxy:3128"}))
    assert [check.name for check in found] == ["base URL", "proxy"]
    assert "hidden" not in found[1].text


@pytest.mark.parametrize(("limit", "mark"), [(256, Mark.WARNING), (1024, Mark.WARNING), (65_536, Mark.FINE)])
def test_open_files(limit: int, mark: Mark) -> None:
    assert open_files(limit, 8).mark is mark


@pytest.mark.parametrize(
    ("skew", "mark", "said"),
    [(0.6, Mark.FINE, "agrees"), (-90.0, Mark.WARNING, "ahead of"), (90.0, Mark.WARNING, "behind"),
     (None, Mark.NOTE, "not compared")],
)  # fmt: skip
def test_clocks(skew: float | None, mark: Mark, said: str) -> None:
    found = {check.name: check for check in doctor_remote.reached(Probe(0.1, clock_skew=skew))}
    assert found["clock"].mark is mark
    assert said in found["clock"].text


def listed(model: str, lifecycle: str = "active", retires: str | None = None) -> ListedModel:
    return ListedModel(model, "opus", lifecycle, "2026-01-01", retires, 1_000_000, 128_000)


@pytest.mark.parametrize(
    ("model", "mark", "said"),
    [
        (listed("claude-opus-9"), Mark.FINE, "is active"),
        (listed("claude-opus-9", "active", "2026-12-01"), Mark.WARNING, "in 9 days"),
        (listed("claude-opus-9", "active", "2028-12-01"), Mark.FINE, "is active"),
        (listed("claude-opus-9", "deprecated"), Mark.WARNING, "is deprecated"),
        (listed("claude-opus-9", "deprecated", "2026-10-01"), Mark.WARNING, "overdue"),
        (listed("claude-opus-9", "retired", "2026-10-01"), Mark.BROKEN, "404"),
    ],
)
def test_the_fate_of_a_model(model: ListedModel, mark: Mark, said: str) -> None:
    newest = listed("claude-opus-10")
    first: Check = next(doctor_remote.models_told([newest, model], "claude-opus-9", "2026-11-22"))
    assert first.mark is mark
    assert said in first.text
    assert mark is Mark.FINE or "claude-opus-10" in first.remedy
