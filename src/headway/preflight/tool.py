"""What a repair needs that is more than arithmetic, as a Protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from headway.core.change import Change
from headway.core.error_kind import ErrorKind
from headway.preflight.facts import Body
from headway.preflight.finding import Finding
from headway.preflight.rule import Mended


class Tool(Protocol):
    """A repair that needs more than arithmetic: images are scaled, files are uploaded."""

    @property
    def name(self) -> str:
        """As in `Finding.tool`: ``images``, ``files``."""
        ...

    async def mend(self, body: Body, findings: Sequence[Finding], kind: ErrorKind | None) -> Mended:
        """Mend a body that has these findings, or that the API refused with a failure of this kind.

        Bounds what it does at a time by itself. Raises `UnrepairableError`; what else it raises is a fault.
        """
        ...

    async def release(self, changes: Sequence[Change]) -> None:
        """The job with these changes has ended: what was made for it may be removed."""
        ...
