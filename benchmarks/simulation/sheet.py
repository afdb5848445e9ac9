"""A figure: panels above each other, legible without colour, the same bytes each time. Needs matplotlib."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

STYLES: Final = (("#000000", "-"), ("#e69f00", "-"), ("#0072b2", "--"), ("#7f7f7f", ":"))
"""Dark, light, dashed, dotted: told apart without colour."""
TAG: Final = re.compile(r"<[^>]*>")
LONG: Final = re.compile(r"\d+\.\d{2,}")
FONTS: Final = re.compile(r"font-family: [^;\"]*")
MOST: Final = 60_000
"""Bytes of a figure."""


class Sheet:
    """Panels above each other."""

    def __init__(self, *labels: str, share: bool = True) -> None:
        import matplotlib as mpl
        from matplotlib.figure import Figure

        mpl.rcParams.update(
            {"svg.hashsalt": "headway", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}
            | {
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.grid": True,
                "grid.color": "#e4e4e4",
            }
            | {"lines.linewidth": 1.3, "path.simplify_threshold": 0.5, "legend.frameon": False}
        )
        self.figure = Figure(figsize=(8.6, 0.4 + 1.6 * len(labels)), layout="constrained")
        self.axes = list(self.figure.subplots(len(labels), 1, sharex=share, squeeze=False)[:, 0])
        for axis, label in zip(self.axes, labels, strict=True):
            axis.set_ylabel(label)
        self.axes[-1].set_xlabel("seconds")

    def line(self, panel: int, x: Iterable[float], y: Iterable[float], label: str, style: int = 0) -> None:
        """One curve."""
        color, dashes = STYLES[style]
        self.axes[panel].plot(list(x), list(y), color=color, linestyle=dashes, label=label)

    def marks(self, panel: int, times: Iterable[float], label: str) -> None:
        """Moments, at the foot of a panel."""
        x, axis = list(times), self.axes[panel]
        foot = axis.get_xaxis_transform()
        axis.plot(x, [0.05] * len(x), "|", color="#000000", markersize=9, transform=foot, label=label)

    def band(self, start: float, end: float, text: str) -> None:
        """What happens from ``start`` to ``end``."""
        for axis in self.axes:
            axis.axvspan(start, end, color="#f0f0f0", zorder=0)
        self.axes[0].text(start, 1.02, text, transform=self.axes[0].get_xaxis_transform(), fontsize=8)

    def save(self, path: Path) -> None:
        """Finish and write; the same bytes each time."""
        for axis in self.axes:
            if axis.get_legend_handles_labels()[0]:
                axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.02), fontsize=8)
        if path.suffix != ".svg":
            self.figure.savefig(path, dpi=110)
            return
        self.figure.savefig(path, metadata={"Date": None, "Creator": None})
        text = TAG.sub(lambda tag: LONG.sub(lambda m: f"{float(m[0]):.1f}", tag[0]), path.read_text())
        text = FONTS.sub("font-family: sans-serif", text)
        path.write_text("".join(f"{line.rstrip()}\n" for line in text.splitlines()))
        assert path.stat().st_size < MOST, f"{path.name} has {path.stat().st_size} bytes"
