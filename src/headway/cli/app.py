"""The entry point of the ``headway`` command."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import NoReturn

from headway.cli.exit_status import CommandError, ExitStatus


def main() -> NoReturn:
    """Run the command line; ends the process."""
    missing = [name for name in ("typer", "rich") if find_spec(name) is None]
    if missing:
        print(
            f"headway: the command line needs {' and '.join(missing)}; install it with: pip install 'headway[cli]'",
            file=sys.stderr,
        )
        sys.exit(ExitStatus.BAD_USAGE)
    try:
        from headway.cli.commands import app

        app()
    except CommandError as error:
        print(f"headway: {error}", file=sys.stderr)
        sys.exit(error.status)
    except KeyboardInterrupt:
        sys.exit(ExitStatus.INTERRUPTED)
    sys.exit(ExitStatus.DONE)
