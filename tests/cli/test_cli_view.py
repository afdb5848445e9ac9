"""What people read: numbers, the live view, plain lines, the summary."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from headway.cli import figures
from headway.cli.budget_view import known_limits
from headway.cli.exit_status import ExitStatus
from headway.cli.progress import LiveView, PlainLines, choose_progress, draw
from headway.cli.rate_meter import RateMeter
from headway.cli.run_report import RunReport
from headway.cli.run_tally import KindCount, RunTally
from headway.cli.run_view import RunView, RunWatch
from headway.cli.summary import summary
from headway.core.budget import Budget
from headway.core.error_kind import ErrorKind
from headway.core.failure import failure_of
from headway.core.limits import Limits
from headway.core.usage import Usage
from headway.runtime.status import Status

_BUDGET = Budget(Limits(requests=3000, output=120_000, burst=6), 0.0)
BUDGETS = {"haiku-4-5": _BUDGET.status(0.0)}


def status(**changes: object) -> Status:
    values: dict[str, object] = dict.fromkeys(
        ("queued", "waiting", "in_flight", "max_in_flight", "succeeded", "failed", "cancelled", "expired", "sends",
         "retries", "refused_429", "refused_529", "maybe_billed", "cost_unknown"), 0,
    )  # fmt: skip
    values |= {"usage": Usage(), "cost": 0.0, "budgets": BUDGETS, "halted": None}
    return Status(**(values | changes))  # type: ignore[arg-type]


def tally(**changes: object) -> RunTally:
    values: dict[str, object] = {
        "succeeded": 1000, "usage": {"haiku-4-5": Usage(input=50_000, output=100_000)},
        "answers": {"haiku-4-5": 1000}, "cost": 0.55, "shortest": 0.5,
    }  # fmt: skip
    return RunTally(**(values | changes))  # type: ignore[arg-type]


def report(**changes: object) -> RunReport:
    now = status(sends=1100, refused_429=10, refused_529=40, retries=100)
    values: dict[str, object] = {
        "tally": tally(), "status": now, "limits": tuple(known_limits(BUDGETS)), "elapsed": 50.0, "left": 0,
        "burst": 6.0, "recovered": 0, "output": Path("out.jsonl"),
    }  # fmt: skip
    return RunReport(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (figures.count(1319), "1,319"), (figures.short(0), "0"), (figures.short(999), "999"),
        (figures.short(999.9), "1k"), (figures.short(4234), "4.23k"), (figures.short(99_700), "100k"),
        (figures.short(600_000), "600k"), (figures.short(1_500_000), "1.5M"), (figures.short(999_900), "1M"),
        (figures.span(0.84), "0.8 s"), (figures.span(29.4), "29 s"), (figures.span(59.7), "1 min 00 s"),
        (figures.span(200), "3 min 20 s"), (figures.span(7500), "2 h 05 min"), (figures.span(None), "?"),
        (figures.usd(0), "$0.00"), (figures.usd(0.00421), "$0.0042"), (figures.usd(1234.5), "$1,234.50"),
        (figures.percent(0.974), "97 %"), (figures.percent(0.994), "99.4 %"), (figures.percent(1.5), "150 %"),
        (figures.plural(1, "job"), "1 job"), (figures.plural(2000, "job"), "2,000 jobs"),
    ],
)  # fmt: skip
def test_numbers(shown: str, expected: str) -> None:
    assert shown == expected


def test_rates_over_a_window() -> None:
    meter = RateMeter(window=10.0)
    assert meter.per_second() == ()
    meter.add(0.0, 0, 0)
    assert meter.per_second() == (0.0, 0.0)
    for second in range(1, 101):
        meter.add(float(second), second * 5, min(second, 50))
    assert meter.per_second() == pytest.approx((5.0, 0.0))


def view(**changes: object) -> RunView:
    watch = RunWatch(0.0)
    known = tally(succeeded=400, failed=2, restored=100)
    now = status(
        sends=310,
        usage=Usage(input=9000, output=18_000),
        cost=0.1,
        in_flight=7,
        waiting=2,
        queued=30,
        refused_529=4,
    )
    made = watch.view(10.0, known, now, 1319, stopping=False)
    return (
        made
        if not changes
        else RunView(**{name: changes.get(name, getattr(made, name)) for name in RunView.__slots__})
    )  # type: ignore[attr-defined]


def test_a_plain_line_says_everything() -> None:
    assert view().line() == (
        "10 s: 402/1,319 done · 2 failed · 7 in flight · 2 waiting · 28 queued · 1.86k of 3k requests/min, "
        "54k input tokens/min, 108k of 120k output tokens/min · 429: 0, 529: 4 · $0.1000 · 30 s left"
    )
    assert view(stopping=True).line().endswith("stopping")
    assert "402 done" in view(total=None, left_seconds=None).line()
    assert "cost unknown" in view(cost=None).line()


def test_the_live_view_fits_a_terminal() -> None:
    for changes in ({}, {"stopping": True}, {"total": None, "left_seconds": None}):
        console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
        console.print(draw(view(**changes)))
        text = console.file.getvalue()  # type: ignore[attr-defined]
        assert all(
            part in text
            for part in ("402", "1.86k of 3k", "62 %", "limit not known yet", "529: 4", "2 failed")
        )
        assert len(text.splitlines()) == 5


@pytest.mark.anyio
async def test_the_live_view_is_drawn_and_ends_clean() -> None:
    import anyio

    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    live = LiveView(console)
    async with anyio.create_task_group() as group:
        group.start_soon(live.run, view)
        await anyio.sleep(0.01)
        live.note("a note [in] brackets")
        group.cancel_scope.cancel()
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "a note [in] brackets" in text
    assert text.count("402") >= 2
    assert "\x1b[?25h" in text


def test_no_terminal_no_live_view() -> None:
    assert type(choose_progress(wanted=True)) is PlainLines
    assert type(choose_progress(wanted=False)) is not PlainLines


def test_the_summary_of_a_good_run() -> None:
    assert summary(report(), "headway run in.jsonl").splitlines() == [
        "jobs      1,000 succeeded, 0 failed, 0 left · 50 s, 20.0 jobs/s",
        "requests  1,100 sent (1.10 per job), 100 repeats after a failure; 429: 10, 529: 40",
        "tokens    50,000 in, 100,000 out; $0.5500 at list price",
        "speed     1.26k requests/min, limit 3k: 38 % of what it let through, burst included",
        "          120k output tokens/min, limit 120k: 89 % of what it let through, burst included",
        "bound     50 s taken; 44 s is the least these limits allow:",
        "          100k output tokens from a bucket that holds 12k and gets 120k/min, plus the shortest answer "
        "(0.5 s); nobody else on the key, no outage",
        "results   out.jsonl",
    ]


def test_the_summary_of_a_run_with_failures_that_was_stopped() -> None:
    kinds = {
        kind: KindCount(n, f"id{n}", failure_of(kind, "what  it\nsaid " + "x" * 300))
        for n, kind in enumerate(ErrorKind, 1)
    }
    known = tally(failed=3, restored=200, maybe_billed=1, kinds=kinds, cost=0.0, cost_unknown=800)
    text = summary(report(tally=known, left=None, recovered=1, burst=None), "headway run in.jsonl")
    assert "some left (the input was not read to its end)" in text
    assert "200 of them were finished before" in text
    assert "1 job was in flight when an earlier run died" in text
    assert "1 request may be billed without an answer that reached us" in text
    assert "cost unknown" in text
    assert f"failures  {len(ErrorKind)} internal, for example id{len(ErrorKind)}: what it said xxx" in text
    assert text.count("→") == 5
    assert f"and {len(ErrorKind) - 5} other kinds" in text
    assert "--limit burst=… tells it" in text
    assert "next      headway run in.jsonl    goes on where this run ended" in text
    assert max(map(len, text.splitlines())) < 300


def test_exit_statuses() -> None:
    assert report().exit_status is ExitStatus.DONE
    assert report(tally=tally(failed=1)).exit_status is ExitStatus.SOME_FAILED
    assert report(interrupted=ExitStatus.TERMINATED).exit_status is ExitStatus.DONE
    assert report(interrupted=ExitStatus.TERMINATED, left=3).exit_status is ExitStatus.TERMINATED
    assert report(interrupted=ExitStatus.INTERRUPTED, left=None).exit_status is ExitStatus.INTERRUPTED
    assert report(trouble="no credit", left=3).exit_status is ExitStatus.STOPPED
    assert report(left=1).exit_status is ExitStatus.STOPPED


def test_without_limits_nothing_is_claimed_about_them() -> None:
    text = summary(report(limits=()), "headway run in.jsonl")
    assert "bound" not in text
    assert "speed" not in text


@pytest.mark.anyio
async def test_a_reader_of_the_progress_that_goes_away_does_not_end_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import anyio

    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("sys.stderr", Closed())
    with anyio.move_on_after(0.03):
        await PlainLines(0.01).run(view)


def test_a_run_that_waits_for_the_api_says_so() -> None:
    watch = RunWatch(0.0)
    down = status(unreachable=failure_of(ErrorKind.CONNECTION, "refused"))
    seen = [watch.view(1.0, tally(), now, 2000, stopping=False) for now in (status(), down)]
    assert ["no answer from the API (connection)" in view.line() for view in seen] == [False, True]
    assert "no answer" in seen[1].trouble and not seen[0].trouble
