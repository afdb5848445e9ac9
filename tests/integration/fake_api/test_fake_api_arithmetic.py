"""Buckets, generation, fault decisions and the bound: arithmetic, no clock."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.testing.fake_api import (
    Change,
    FakeConfig,
    FakeLimits,
    FakeStats,
    FaultKind,
    FaultRule,
    OutputLength,
    Window,
    load_faults,
    parse_faults,
    parse_limits,
    preset,
)
from headway.testing.fake_api.account import Account
from headway.testing.fake_api.bound import Supply, seconds_needed
from headway.testing.fake_api.bucket import Bucket
from headway.testing.fake_api.fault_plan import Asked, FaultPlan
from headway.testing.fake_api.generation import OutputMeter
from headway.testing.fake_api.ledger import Ledger
from headway.testing.fake_api.plain import from_plain, to_plain
from headway.testing.fake_api.rate_headers import http_date, nearest_thousand, rate_headers, rfc3339
from headway.testing.fake_api.reply import compose, digest_of
from headway.testing.fake_api.sample import sample


def test_a_bucket_refills_continuously_up_to_its_depth():
    bucket = Bucket(limit=600, burst=2, now=0)  # 10 a second, 20 deep
    bucket.take(20)
    bucket.touch(0.25)
    assert bucket.level == pytest.approx(2.5)
    assert bucket.wait_for(5) == pytest.approx(0.25)
    assert bucket.wait_for(1e9) == pytest.approx(1.75)  # no more than the brim
    bucket.touch(100)
    assert bucket.level == 20
    bucket.change(300, 2)
    assert (bucket.level, bucket.depth) == (10, 10)


def test_output_is_charged_evenly_and_exactly():
    bucket = Bucket(limit=6000, burst=60, now=0)  # 100 a second
    meter = OutputMeter(bucket)
    meter.begin(start=1, tokens=400, speed=200)  # 1 s to 3 s
    meter.begin(start=2, tokens=400, speed=200)  # 2 s to 4 s
    meter.touch(1)
    assert bucket.consumed == 0
    meter.touch(2.5)
    assert bucket.consumed == pytest.approx(400)
    meter.touch(10)
    assert bucket.consumed == pytest.approx(800)
    assert meter.drain == 0
    assert bucket.level == 6000


def test_a_cut_generation_charges_no_further():
    bucket = Bucket(limit=None, burst=60, now=0)
    meter = OutputMeter(bucket)
    cut, other = meter.begin(0, 100, 10), meter.begin(0, 100, 10)
    meter.cut(cut, 4)
    meter.touch(100)
    assert bucket.consumed == pytest.approx(140)
    early = meter.begin(200, 100, 10)
    meter.cut(early, 150)
    meter.touch(1000)
    assert bucket.consumed == pytest.approx(140)
    assert other.state == 2


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 20), st.integers(1, 500), st.floats(1, 1000)), max_size=20))
def test_generation_charges_every_token(replies: list[tuple[float, int, float]]):
    bucket = Bucket(None, 60, 0)
    meter = OutputMeter(bucket)
    for start, tokens, speed in sorted(replies):
        meter.touch(start)
        meter.begin(start, tokens, speed)
    meter.touch(1e6)
    assert bucket.consumed == pytest.approx(sum(tokens for _, tokens, _ in replies), abs=1e-3)
    assert meter.drain == 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 2000)), max_size=60))
def test_admission_never_exceeds_limit_and_burst(asks: list[tuple[float, int]]):
    ledger = Ledger("g", FakeLimits(requests=120, input=60_000, burst=5), 0)
    now = 0.0
    for gap, tokens in asks:
        now += gap
        refusal = ledger.admit(now, tokens)
        assert min(ledger.requests.level, ledger.input.level) >= -1e-6
        if refusal is not None:
            later = now + refusal.retry_after + 1e-6
            if tokens <= ledger.input.depth:
                now = later
                assert ledger.admit(now, tokens) is None
    assert ledger.requests.consumed <= 10 + 2 * now + 1e-6
    assert ledger.input.consumed <= 5000 + 1000 * now + 1e-3


def test_a_request_larger_than_the_bucket_is_never_admitted():
    ledger = Ledger("g", FakeLimits(input=600, burst=10), 0)
    assert ledger.admit(0, 100) is None
    refusal = ledger.admit(1000, 101)
    assert refusal is not None
    assert refusal.dimension == "input"


def test_headers():
    ledger = Ledger("g", FakeLimits(requests=50, input=30_000, output=8_000), 0)
    ledger.admit(0, 1_400)
    headers = rate_headers(ledger.levels(0), wall=1_000_000_000)
    assert headers["anthropic-ratelimit-requests-remaining"] == "49"
    assert headers["anthropic-ratelimit-input-tokens-remaining"] == "29000"
    assert headers["anthropic-ratelimit-tokens-remaining"] == "37000"
    assert headers["anthropic-ratelimit-input-tokens-reset"] == rfc3339(1_000_000_003)  # 2.8 s, rounded up
    assert headers["anthropic-ratelimit-output-tokens-reset"] == rfc3339(1_000_000_000)
    assert http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert [nearest_thousand(value) for value in (499, 500, 1499.9)] == [0, 1000, 1000]


def test_chance_depends_on_job_and_attempt_not_on_order():
    rules = (FaultRule(FaultKind.STATUS, probability=0.3),)

    def struck(jobs: list[int]) -> set[int]:
        plan = FaultPlan(rules, seed=7)
        return {job for job in jobs if plan.decide(Asked(str(job), 1, "m", False, 0, 0)).fault}

    one = struck(list(range(2000)))
    assert one == struck(list(reversed(range(2000))))
    assert 500 < len(one) < 700


def test_rules_match_window_count_model_job_attempt_and_stream():
    def hit(rule: FaultRule, **change: object) -> bool:
        base = {"job": "a-1", "attempt": 1, "model": "m", "stream": False}
        times = {"since_first_request": 5.0, "since_server_start": 50.0}
        return FaultPlan((rule,), 0).decide(Asked(**(base | times | change))).fault is not None

    kind = FaultKind.STATUS
    assert hit(FaultRule(kind, start=5, end=6))
    assert not hit(FaultRule(kind, start=5.1))
    assert not hit(FaultRule(kind, start=1, end=5))
    assert hit(FaultRule(kind, start=40, since="server_start"))
    assert hit(FaultRule(kind, model="m", job="a-*", attempts="first", stream=False))
    assert not hit(FaultRule(kind, model="n"))
    assert not hit(FaultRule(kind, job="b*"))
    assert not hit(FaultRule(kind, attempts="retries"))
    assert not hit(FaultRule(FaultKind.STREAM_CUT))
    assert not hit(FaultRule(FaultKind.BODY_CUT), stream=True)
    plan = FaultPlan((FaultRule(kind, count=2),), 0)
    asked = Asked("a", 1, "m", False, 0, 0)
    assert [plan.decide(asked).fault is not None for _ in range(3)] == [True, True, False]


def test_mixed_strikes_as_often_as_told():
    for stream in (False, True):
        plan = FaultPlan(preset("mixed:10"), seed=3)
        faults = [plan.decide(Asked(str(n), 1, "m", stream, 0, 0)).fault for n in range(5000)]
        share = sum(fault is not None for fault in faults) / 5000
        assert 0.08 < share < 0.125
        assert len(Counter(fault.kind for fault in faults if fault)) >= 3


def test_tenant_and_limit_windows_take_effect_at_their_own_time():
    rules = (
        FaultRule(FaultKind.TENANT, share=0.5, start=10, end=20),
        FaultRule(FaultKind.LIMITS, scale=0.25, start=20, end=30),
    )
    account = Account(FakeConfig(limits=FakeLimits(requests=600, burst=60), faults=rules), now=100.0)
    account.first_request = 100.0
    ledger = account.ledger("g", 100.0)
    ledger.requests.take(600)
    account.ledger("g", 125.0).touch(125.0)  # nobody looked in between
    # 10 s at 10/s, 10 s at 5/s, cut to the new depth of 150, then 2.5/s at the brim
    assert ledger.requests.level == pytest.approx(150)
    account.ledger("g", 132.0).touch(132.0)
    assert ledger.requests.level == pytest.approx(170)
    changes = account.stats(132.0)["g"].changes
    assert [(change.at, change.others) for change in changes] == [
        (0, 0),
        (10, 0.5),
        (20, 0),
        (20, 0),
        (30, 0),
    ]


def test_bound():
    limits = FakeLimits(requests=60, burst=10)
    supply = Supply("requests", (Change(0, limits),))
    assert seconds_needed(10, supply) == 0
    assert seconds_needed(25, supply) == pytest.approx(15)
    assert seconds_needed(25, Supply("input", (Change(0, limits),))) == 0
    storm = Supply("requests", (Change(0, limits),), (Window(5, 25),))
    assert seconds_needed(15, storm) == pytest.approx(5)
    assert seconds_needed(25, storm) == pytest.approx(25)  # the bucket was full again
    assert seconds_needed(26, storm) == pytest.approx(26)
    slower = Supply("requests", (Change(0, limits), Change(10, limits, others=0.5), Change(30, limits)))
    assert seconds_needed(25, slower) == pytest.approx(20)
    assert seconds_needed(35, slower) == pytest.approx(35)
    never = Supply("requests", (Change(0, limits, others=1.0),))
    assert seconds_needed(11, never) == math.inf


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("requests=lots", "limits: requests: 'lots' is not a number"),
        ("rps=5", "'rps=5' is not understood"),
        ("requests=1,requests=2", "requests is given twice"),
        ("requests=-5", "FakeLimits.requests must be a positive number"),
    ],
)
def test_wrong_limits_are_named(text: str, words: str):
    with pytest.raises(ValueError, match=words):
        parse_limits(text)


def test_limits_are_read():
    assert parse_limits("requests=3000, input=600k,output=1.5M", burst=5) == FakeLimits(3000, 6e5, 1.5e6, 5)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([{"kind": "status", "probability": 2}], r"faults\[0\]: probability must be between 0 and 1"),
        ([{"kind": "explode"}], r"faults\[0\].kind: must be one of status, reset"),
        ({"rules": [{"kind": "status", "stat": 1}]}, r"faults.rules\[0\].stat: there is no such field"),
        ([{"status": 500}], r"faults\[0\]: kind is required"),
        ([{"kind": "status", "status": "500"}], r"faults\[0\].status: must be a whole number"),
        (["storn"], "no fault preset 'storn'"),
        ([{"preset": "storm", "end": 1}], "end must be not before start"),
        ([{"kind": "limits"}], "needs either limits or scale"),
        ([{"kind": "limits", "limits": {"requests": "x"}}], r"faults\[0\].limits.requests: must be a number"),
        (5, "a rule, a list of rules or a preset's name"),
    ],
)
def test_wrong_schedules_are_named(value: object, words: str):
    with pytest.raises(ValueError, match=words):
        parse_faults(value)


def test_schedules_from_files_and_names(tmp_path):
    file = tmp_path / "faults.json"
    file.write_text('{"rules": ["resets:1", {"preset": "storm", "start": 1, "end": 2}, {"kind": "hang"}]}')
    rules = load_faults(file)
    assert [rule.kind for rule in rules] == ["reset", "status", "hang"]
    assert (rules[1].start, rules[1].end) == (1, 2)
    assert len(load_faults("storm,tenant")) == 2
    with pytest.raises(ValueError, match="neither a file nor a preset"):
        load_faults("nowhere.json")
    file.write_text("{")
    with pytest.raises(ValueError, match="not JSON"):
        load_faults(file)


def test_configuration_survives_json():
    config = FakeConfig(
        limits=parse_limits("requests=5"),
        group_limits={"opus-4.x": FakeLimits(input=3)},
        faults=(*preset("mixed"), *preset("cut"), FaultRule(FaultKind.HEADERS, headers={"a": None})),
        accepted_keys=frozenset({"k"}),
    )
    assert from_plain(FakeConfig, to_plain(config), "config") == config
    stats = FakeStats(statuses={200: 1}, outages=(Window(1, None),))
    assert FakeStats.from_json(stats.to_json()) == stats


def test_lengths_follow_the_told_distribution():
    config = FakeConfig(output=OutputLength(mean=200, sigma=0.8))
    body: dict[str, object] = {"max_tokens": 100_000}
    lengths = [compose(body, digest_of(0, str(n).encode()), config).output_tokens for n in range(4000)]
    assert sum(lengths) / 4000 == pytest.approx(200, rel=0.06)


def test_a_schema_that_refers_to_itself_has_a_small_sample():
    tree: dict[str, object] = {"$ref": "#/$defs/t"}
    parts = dict.fromkeys(("left", "middle", "right"), tree)
    value = sample({"$defs": {"t": {"type": "object", "properties": parts}}, **tree})
    assert isinstance(value, dict)
    assert len(str(value)) < 100_000
    with pytest.raises(ValueError, match="not a JSON schema"):
        sample({"type": "object", "properties": 5})
