"""For any conversation: what repair gives passes, loses nothing that matters, and does no more than needed."""

from __future__ import annotations

from dataclasses import replace

from conversations import MEND, ONLY, Block, bodies, complaint
from hypothesis import event, given, settings
from hypothesis import strategies as st

from headway.core.model_facts import ModelFacts
from headway.preflight.check import check
from headway.preflight.facts import Facts, blocks_of, facts_for
from headway.preflight.finding import Finding, Severity
from headway.preflight.repair import repair
from headway.preflight.rule import UnrepairableError
from headway.preflight.turns import messages_in, turns_of


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


def tiny_window(body: Block, tokens: int) -> Facts:
    facts = facts_for(body)
    assert isinstance(facts.model, ModelFacts)
    return replace(facts, model=replace(facts.model, window=tokens))


def last_words(body: Block) -> list[str]:
    """The texts of the last user turn."""
    turns = [turn for turn in turns_of(messages_in(body)) if turn.role == "user"]
    texts = [str(block["text"]) for _, block in turns[-1].of_type("text")] if turns else []
    return [words for words in texts if words.strip()]


def all_text(body: Block) -> str:
    return "\n".join(str(b.get("text")) for m in messages_in(body) for b in blocks_of(m.get("content")))


@settings(max_examples=150, deadline=None)
@given(bodies())
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


@settings(max_examples=150, deadline=None)
@given(bodies())
def test_the_rules_find_something_exactly_where_the_api_does(body: Block) -> None:
    found = errors(body, facts_for(body))
    said = complaint(body)
    event("refused" if said else "accepted")
    assert bool(found) == bool(said), (found, said)


@settings(max_examples=150, deadline=None)
@given(bodies(), st.integers(20, 200), st.booleans())
def test_trimming_keeps_pairs_the_last_turn_and_a_valid_conversation(
    body: Block, window: int, first: bool
) -> None:
    whole = mended(body, facts_for(body))
    if whole is None:
        return
    facts = replace(tiny_window(whole, window), keep_first_turn=first)  # only its length is wrong now
    after = mended(whole, facts)
    if after is None:
        return
    if len(messages_in(after)) < len(messages_in(whole)):
        event("trimmed")
    assert errors(after, facts) == []
    assert complaint(after) is None
    for words in last_words(whole):
        assert words in all_text(after)
    again = repair(after, facts, MEND)
    assert again.body is after
    assert again.changes == ()
