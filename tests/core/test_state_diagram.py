"""The diagram in the docs is the table in the code.

After a change of `TRANSITIONS`, ``python tests/core/test_state_diagram.py`` writes the new one.
"""

from __future__ import annotations

import re
from pathlib import Path

from headway.core.job import TRANSITIONS, JobState
from headway.core.state_diagram import diagram

PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "states.md"
BLOCK = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_shows_what_the_code_does() -> None:
    shown = BLOCK.findall(PAGE.read_text())
    assert shown == [diagram()], "run: python tests/core/test_state_diagram.py"


def test_every_transition_is_drawn_once() -> None:
    arrows = re.findall(r"^    (\w+) --> (\w+): (.+)$", diagram(), re.MULTILINE)
    drawn = [(source, event, target) for source, target, events in arrows for event in events.split(", ")]
    told = [
        (source.value, re.sub(r"([a-z])([A-Z])", r"\1 \2", event.__name__).lower(), target.value)
        for (source, event), target in TRANSITIONS.items()
    ]
    assert sorted(drawn) == sorted(told)
    assert len(arrows) == len({(source, target) for source, target, _ in arrows})


def test_it_begins_queued_and_ends_in_the_final_states() -> None:
    lines = diagram().splitlines()
    assert lines[0] == "stateDiagram-v2"
    assert [line for line in lines if line.startswith("    [*]")] == ["    [*] --> queued"]
    ends = {line.split()[0] for line in lines if line.endswith("--> [*]")}
    assert ends == {state.value for state in JobState if state.final}


def test_the_page_explains_every_state() -> None:
    text = PAGE.read_text()
    assert [state.value for state in JobState if f"| `{state.value}` |" not in text] == []


if __name__ == "__main__":
    PAGE.write_text(BLOCK.sub(lambda _: f"```mermaid\n{diagram()}```", PAGE.read_text()))
