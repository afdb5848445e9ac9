"""``--max-cost 5/day``, ``--prices FILE``: what may be spent, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, cast

import typer

from headway.cli.exit_status import CommandError
from headway.cli.json_file import object_in
from headway.cli.prompt_input import Numbered
from headway.core.catalog import Catalog
from headway.core.price import Price
from headway.core.request import Request
from headway.core.spend import SpendCap

MaxCost = Annotated[
    str | None,
    typer.Option(
        metavar="USD[/day]", help="Spend no more than this, over all runs with this journal, or a UTC day."
    ),
]
Prices = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Prices of your own: JSON, USD per million tokens by model."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would cost and take; send no message.")]
ExpectOutput = Annotated[
    int | None, typer.Option(min=0, metavar="N", help="With --dry-run: tokens of a mean answer.")
]
Tag = Annotated[
    str, typer.Option(metavar="TEXT", help="What the cost of lines without a tag is counted under.")
]
Offline = Annotated[
    bool, typer.Option("--offline", help="With --dry-run: ask nobody, not even for a count of tokens.")
]
PERIODS: Final = {"": "run", "run": "run", "day": "day"}
FIELDS: Final = ("input", "output", "cache_read", "long_prompt")
SAMPLE: Final = '{"claude-opus-5": {"input": 4.5, "output": 22.5, "cache_read": 0.45}}'


def parse_max_cost(text: str | None) -> SpendCap | None:
    """``5``, ``$5``, ``0.50/day``. Raises `CommandError`."""
    if text is None:
        return None
    sum_text, _, period = (part.strip() for part in text.partition("/"))
    try:
        usd = float(sum_text.removeprefix("$").replace("_", ""))
        return SpendCap(usd, PERIODS[period.lower()])  # type: ignore[arg-type]
    except (ValueError, KeyError):
        raise CommandError(
            f"--max-cost {text!r} is not understood; write a sum in US dollars: 5, 0.50, or 20/day"
        ) from None


def read_prices(path: Path | None) -> Mapping[str, Price]:
    """The prices in a file. Raises `CommandError`."""
    if path is None:
        return {}
    rows = object_in(path, "--prices", f"an object with models, such as {SAMPLE}")
    return {model: _price(f"--prices {path}: {model}", row) for model, row in rows.items()}


def _price(place: str, row: object) -> Price:
    if not isinstance(row, dict):
        raise CommandError(f"{place}: must be an object, as in {SAMPLE}")
    fields = cast("dict[str, object]", row)
    unknown = sorted(set(fields) - set(FIELDS))
    missing = [name for name in FIELDS[:3] if name not in fields]
    if unknown or missing:
        what = f"{unknown[0]!r} is no price" if unknown else f"{missing[0]!r} is missing"
        raise CommandError(f"{place}: {what}; there are {', '.join(FIELDS)} (the last may be left out)")
    long_prompt = fields.get("long_prompt")
    if long_prompt is not None:
        if not isinstance(long_prompt, list) or len(cast("list[object]", long_prompt)) != 3:
            raise CommandError(
                f"{place}: long_prompt is [tokens, input, output]: the prices of longer prompts"
            )
        fields = {**fields, "long_prompt": tuple(cast("list[object]", long_prompt))}
    try:
        return Price(**fields)  # type: ignore[arg-type]
    except ValueError as error:
        raise CommandError(f"{place}: {str(error).removeprefix('Price.')}") from None


class PriceLook:
    """Looks over the head of an input for models that no cap can hold."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known: dict[str, bool] = {}
        self._first: tuple[str, int] | None = None

    def see(self, record: Numbered) -> None:
        """One record of the input."""
        item = record.item
        if not isinstance(item, Request) or self._first is not None:
            return
        model = item.model
        if model not in self._known:
            facts = self._catalog.find(model)
            self._known[model] = facts is not None and facts.price is not None
        if not self._known[model]:
            self._first = model, record.number

    def tell(self, name: str) -> None:
        """Raises `CommandError` if one was found."""
        if self._first is not None:
            model, number = self._first
            raise CommandError(
                f"{name}:{number}: the price of {model!r} is not known, so --max-cost cannot hold; "
                f"name it with --prices FILE, such as {SAMPLE.replace('claude-opus-5', model)}\nNothing was sent."
            )
