"""Showing a run while it goes on: a live view in a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

import anyio

from headway.cli import figures
from headway.cli.run_view import Gauge, RunView

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

LIVE_INTERVAL: Final = 0.25
PLAIN_INTERVAL: Final = 5.0
BAR: Final = 24
SHOW_CURSOR: Final = "\x1b[?25h"

Look = Callable[[], RunView]


class Progress(Protocol):
    """A way to show a run."""

    async def run(self, look: Look) -> None:
        """Show views until cancelled; the last one stays."""
        ...

    def note(self, text: str) -> None:
        """Say something in between."""
        ...

    def restore(self) -> None:
        """Leave the terminal usable when the process ends at once."""
        ...


class Silence:
    """Shows no progress; notes are printed."""

    async def run(self, look: Look) -> None:
        """Nothing to show."""

    def note(self, text: str) -> None:
        """Print it; that nobody reads it must not end the run."""
        with contextlib.suppress(OSError):
            print(text, file=sys.stderr, flush=True)

    def restore(self) -> None:
        """Nothing to restore."""


class PlainLines(Silence):
    """A line every few seconds and one at the end."""

    def __init__(self, interval: float = PLAIN_INTERVAL) -> None:
        self._interval = interval

    async def run(self, look: Look) -> None:
        """Print until cancelled."""
        try:
            while True:
                await anyio.sleep(self._interval)
                self.note(look().line())
        finally:
            self.note(look().line())


class LiveView:
    """A view that is redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._console = console

    async def run(self, look: Look) -> None:
        """Redraw until cancelled."""
        from rich.live import Live

        with (
            contextlib.suppress(OSError),
            Live(draw(look()), console=self._console, auto_refresh=False) as live,
        ):
            try:
                while True:
                    await anyio.sleep(LIVE_INTERVAL)
                    live.update(draw(look()), refresh=True)
            finally:
                live.update(draw(look()), refresh=True)

    def note(self, text: str) -> None:
        """Print it above the view."""
        with contextlib.suppress(OSError):
            self._console.print(text, markup=False, highlight=False)

    def restore(self) -> None:
        """The view hides the cursor."""
        self._console.file.write(SHOW_CURSOR)
        self._console.file.flush()


def choose_progress(*, wanted: bool) -> Progress:
    """What standard error can show."""
    if not wanted:
        return Silence()
    if not sys.stderr.isatty():
        return PlainLines()
    from rich.console import Console

    console = Console(stderr=True)
    return PlainLines() if console.is_dumb_terminal else LiveView(console)


def draw(view: RunView) -> RenderableType:
    """A view as bars and a line of counts."""
    from rich.console import Group
    from rich.table import Table

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    of = f" of {figures.count(view.total)}" if view.total is not None else ""
    time = f"{figures.span(view.elapsed)} gone"
    if view.stopping:
        time = "stopping: requests in flight may finish"
    elif view.trouble:
        time = view.trouble
    elif view.left_seconds is not None and view.finished != view.total:
        time += f", {figures.span(view.left_seconds)} left"
    grid.add_row(
        "done", _bar(view.finished, view.total, "green"), f"{figures.count(view.finished)}{of}   {time}"
    )
    for gauge in view.gauges:
        _add_gauge(grid, gauge)
    return Group(grid, _counts(view))


def _add_gauge(grid: Table, gauge: Gauge) -> None:
    share = f"   {figures.percent(gauge.rate / gauge.limit)}" if gauge.limit else "   (limit not known yet)"
    of = f" of {figures.short(gauge.limit)}" if gauge.limit else ""
    grid.add_row(
        gauge.label, _bar(gauge.rate, gauge.limit, "cyan"), f"{figures.short(gauge.rate)}{of}{share}"
    )


def _bar(value: float, whole: float | None, style: str) -> Text:
    from rich.text import Text

    filled = min(BAR, round(BAR * value / whole)) if whole else 0
    return Text.assemble(("━" * filled, style), ("━" * (BAR - filled), "bright_black"))


def _counts(view: RunView) -> Text:
    from rich.text import Text

    cost = "cost unknown" if view.cost is None else f"{figures.usd(view.cost)} so far"
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{view.failed} failed", style="red" if view.failed else "")
    batches = f" · {view.batch_text()}" if view.in_batches else ""
    return text.append(
        f" · {view.in_flight} in flight · {view.waiting} waiting · {view.queued} queued{batches}"
        f" · 429: {view.refused_429} · 529: {view.refused_529} · {cost}"
    )
