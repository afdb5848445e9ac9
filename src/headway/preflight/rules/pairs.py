"""``tool_use`` and ``tool_result`` in pairs."""

from __future__ import annotations

from typing import Final

from headway.preflight.facts import Body, Facts
from headway.preflight.fault import Fault, mending_rule
from headway.preflight.pairing import Pairing
from headway.preflight.system_turns import with_messages
from headway.preflight.traits import OTHER, TOOLS
from headway.preflight.turns import SERVER_USES, kinds_in, messages_in

NAME = "pairs"
_TOOLS: Final = SERVER_USES | {"tool_use", "tool_result"}


def _mend(body: Body, facts: Facts) -> tuple[Body, list[Fault]]:
    messages = messages_in(body)
    if not any(kind in _TOOLS or kind.endswith("_tool_result") for kind in kinds_in(messages)):
        return body, []
    pairing = Pairing(messages)
    if not pairing.faults:
        return body, []
    return with_messages(body, pairing.messages, facts.model), pairing.faults


RULES = (
    mending_rule(
        NAME,
        "Every tool_use needs one tool_result, first in the next user turn, and every tool_result its tool_use.",
        "Adds an error result for a missing one (or fetches it from elsewhere in the conversation), removes "
        "orphans and duplicates, puts results first, makes ids unique.",
        _mend,
        order=10,
        about=frozenset({OTHER, TOOLS}),
    ),
)
