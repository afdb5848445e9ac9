"""How a job's request was amended since it was given.

The request as given never changes: it is the job's identity in the journal. What repairs and follow-ups made of
it is kept beside it, and is what is sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, cast

from headway.core.change import Change
from headway.core.error_kind import ErrorKind
from headway.core.usage import NO_USAGE, Usage

Params = Mapping[str, object]
"""The body of a request: the parameters of ``messages.create``."""


@dataclass(frozen=True, slots=True)
class Held:
    """A complete answer, put aside because a follow-up may better it: delivered if the follow-up fails."""

    body: str = field(repr=False)
    """The message as JSON text."""
    stop_reason: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Amendment:
    """What was made of one job's request, and what that has cost so far."""

    params: Params | None = field(default=None, repr=False)
    """The body that is sent; ``None``: as it was given."""
    changes: tuple[Change, ...] = ()
    """Everything that was changed, in order."""
    repairs: tuple[ErrorKind, ...] = ()
    """The refusals after which it was repaired."""
    tools: tuple[str, ...] = ()
    """Tools that took part: what they did (an upload) may not outlive the process."""
    partial: str | None = field(default=None, repr=False)
    """The paused turns so far as one message in JSON: the next answer is appended to it."""
    held: Held | None = None
    spent: Usage = NO_USAGE
    """What the answers used that came before the final one."""
    cost: float | None = 0.0
    """USD for them; ``None``: the price of one is unknown."""

    def followed(self, rule: str) -> int:
        """How often a follow-up or rule of this name has changed the request."""
        return sum(change.rule == rule for change in self.changes)

    def to_json(self) -> str:
        """As JSON text, for the journal."""
        whole = {
            "params": self.params,
            "changes": [change.to_json() for change in self.changes],
            "repairs": [kind.value for kind in self.repairs],
            "tools": self.tools,
            "partial": self.partial,
            "held": None if self.held is None else asdict(self.held),
            "spent": asdict(self.spent),
            "cost": self.cost,
        }
        # Not canonical: the order of keys in a tool's schema is part of the prompt.
        return json.dumps(whole, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Amendment:
        """The inverse; kinds that this version does not know are left out. Raises `ValueError` or `KeyError`."""
        data = cast("dict[str, object]", json.loads(text))
        held = cast("dict[str, str] | None", data["held"])
        known = {kind.value for kind in ErrorKind}
        repairs = [kind for kind in cast("list[str]", data["repairs"]) if kind in known]
        return cls(
            cast("Params | None", data["params"]),
            tuple(Change.from_json(change) for change in cast("list[dict[str, object]]", data["changes"])),
            tuple(ErrorKind(kind) for kind in repairs),
            tuple(cast("list[str]", data["tools"])),
            cast("str | None", data["partial"]),
            None if held is None else Held(**held),
            Usage(**cast("dict[str, Any]", data["spent"])),
            cast("float | None", data["cost"]),
        )


AS_GIVEN: Final = Amendment()
"""Nothing was changed."""


def add_costs(first: float | None, second: float | None) -> float | None:
    """USD of two answers; unknown when one of them is."""
    return None if first is None or second is None else first + second
