"""``--alert URL``: who is told when a run stops sending."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from headway.cli.exit_status import CommandError

if TYPE_CHECKING:
    from headway.adapters.alerts import Alerts

VARIABLE: Final = "HEADWAY_ALERT"
"""Webhook URLs are secrets: a variable is not in the list of processes."""
Alert = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar=VARIABLE,
        show_envvar=False,
        help=f"POST a JSON alert there when billing, key or a model stops the run (or {VARIABLE}).",
    ),
]


def parse_alert(url: str | None) -> Alerts | None:
    """Where alerts go. Raises `CommandError`, which does not show the URL."""
    if not url:
        return None
    from headway.adapters.alerts import Alerts

    try:
        return Alerts(webhook=url.strip())
    except ValueError:
        raise CommandError("--alert: must be a URL that begins with https:// or http://") from None
