"""For any conversation: what repair gives passes, loses nothing that matters, and does no more than needed."""

from __future__ import annotations

from dataclasses import replace

from conversations import MEND, ONLY, Block, bodies, complaint, server_use, use, whole_bodies
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from headway.core.error_kind import ErrorKind
from headway.preflight.check import check
from headway.preflight.facts import Facts, blocks_of, facts_for
from headway.preflight.finding import Finding, Severity
from headway.preflight.repair import repair
from headway.preflight.rule import UnrepairableError
from headway.preflight.rules.context import CERTAIN
from headway.preflight.turns import Message, messages_in, turns_of


def errors(body: Block, facts: Facts) -> list[Finding]:
    return [finding for finding in check(body, facts, ONLY) if finding.severity is Severity.ERROR]


def mended(body: Block, facts: Facts) -> Block | None:
    """The body after repair; ``None`` when it cannot be repaired, with a reason."""
    try:
        return dict(repair(body, facts, MEND).body)
    except UnrepairableError as error:
        event("unrepairable")
        assert str(error).strip()
        return None


def last_words(body: Block) -> list[str]:
    """The texts of the last user turn."""
    turns = [turn for turn in turns_of(messages_in(body)) if turn.role == "user"]
    texts = [str(block["text"]) for _, block in turns[-1].of_type("text")] if turns else []
    return [words for words in texts if words.strip()]


def all_text(body: Block) -> str:
    return "\n".join(str(b.get("text")) for m in messages_in(body) for b in blocks_of(m.get("content")))


JOINED = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 100,
    "messages": [
        {"role": "assistant", "content": [use("t1"), server_use("t1")]},
        {"role": "user", "content": []},
        {"role": "assistant", "content": []},
        {"role": "user", "content": "hello"},
    ],
}
"""When its empty turn is gone, the server tool is no longer waiting for results alone."""


@settings(deadline=None)
@given(bodies())
@example(JOINED)
def test_what_is_mended_passes_loses_no_last_turn_and_stays_as_it_is(body: Block) -> None:
    facts = facts_for(body)
    before = repr(body)
    after = mended(body, facts)
    assert repr(body) == before, "the caller's body is never written to"
    if after is None:
        return
    assert errors(after, facts) == []
    assert complaint(after) is None
    for words in last_words(body):
        assert words.strip() in all_text(after)
    again = repair(after, facts, MEND)
    assert again.body is after
    assert again.changes == ()


@settings(deadline=None)
@given(bodies())
def test_the_rules_find_something_exactly_where_the_api_does(body: Block) -> None:
    found = errors(body, facts_for(body))
    said = complaint(body)
    event("refused" if said else "accepted")
    assert bool(found) == bool(said), (found, said)


@settings(max_examples=60, deadline=None)
@given(whole_bodies())
def test_a_whole_conversation_is_returned_as_it_is(body: Block) -> None:
    assert complaint(body) is None
    assert check(body, facts_for(body), ONLY) == []
    done = repair(body, facts_for(body), MEND, ErrorKind.CONTEXT_OVERFLOW)
    assert done.body is body
    assert done.changes == ()


@settings(deadline=None)
@given(whole_bodies(), st.integers(10, 99), st.booleans(), st.booleans())
def test_trimming_keeps_pairs_the_last_turn_and_a_valid_conversation(
    body: Block, percent: int, first: bool, counted: bool
) -> None:
    facts = facts_for(body)
    measure = facts.input_tokens if counted else facts.certain_tokens
    tokens = measure(body)
    window = int(tokens * percent / 100)
    assert facts.model is not None
    facts = replace(facts, model=replace(facts.model, window=window), keep_first_turn=first)
    after = mended(body, replace(facts, counted=tokens if counted else None))
    if after is None:
        return
    if not counted and tokens <= window * CERTAIN:
        assert after == body
        return
    event("trimmed")
    given, left = messages_in(body), messages_in(after)
    assert len(left) < len(given)
    assert measure(after) <= window * (1 if counted else CERTAIN)
    assert errors(after, facts) == []
    assert complaint(after) is None
    assert spoken(left)[-1] == spoken(given)[-1]
    for words in last_words(body):
        assert words in all_text(after)
    if first:
        assert left[0] == given[0]
    for rule in instructions(body):
        assert rule in all_text(after) + str(after["system"]), "an operator's instruction goes on to hold"
    again = repair(after, facts, MEND)
    assert again.body is after
    assert again.changes == ()


def spoken(messages: list[Message]) -> list[Message]:
    """The messages of user and assistant."""
    return [message for message in messages if message.get("role") != "system"]


def instructions(body: Block) -> list[str]:
    """What the ``system`` messages say."""
    return [str(m["content"]) for m in messages_in(body) if m.get("role") == "system"]
