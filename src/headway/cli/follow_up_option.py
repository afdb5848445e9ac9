"""``--fallback-model``, ``--continue-turns`` and ``--raise-cap``: what follows an answer that is not the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from headway.cli.exit_status import CommandError
from headway.core.catalog import Catalog
from headway.core.follow_up import FollowUp
from headway.preflight.check import check
from headway.preflight.facts import facts_for
from headway.preflight.finding import Severity
from headway.preflight.policy import Mode, RepairPolicy

FallbackModel = Annotated[
    list[str] | None,
    typer.Option(
        "--fallback-model",
        metavar="MODEL",
        help="Ask this one when a model is gone, overloaded for long, or declines; several, in order.",
    ),
]
ContinueTurns = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="Continue a paused turn (pause_turn), at most so often."),
]
RaiseCap = Annotated[
    bool,
    typer.Option(
        "--raise-cap", help="When max_tokens cut off a tool call or JSON, ask again with four times as many."
    ),
]
_ONLY_THE_MODEL = RepairPolicy(Mode.OFF, {"model": Mode.STRICT})


def parse_follow_up(models: Sequence[str], turns: int | None, *, raise_cap: bool) -> FollowUp | None:
    """What these options ask for and nothing else; ``None``: every answer is taken as it comes. Raises
    `CommandError`."""
    if not models and turns is None and not raise_cap:
        return None
    try:
        return FollowUp(turns or 0, raise_cap, tuple(models))
    except ValueError as error:
        raise CommandError(f"--fallback-model: {error}") from None


def check_fallbacks(models: Sequence[str], today: str, catalog: Catalog, warn: Callable[[str], None]) -> None:
    """A fallback that does not exist would be found out only when it is needed. Raises `CommandError`."""
    for model in models:
        body = {"model": model}
        for finding in check(body, facts_for(body, today, catalog), _ONLY_THE_MODEL):
            if finding.severity is Severity.ERROR:
                raise CommandError(f"--fallback-model: {finding.problem}. {finding.remedy}")
            warn(f"--fallback-model: {finding.problem}. {finding.remedy}")
