"""The context rule: what is lowered, what is dropped, what never is, and how sure it must be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conversations import Block, assistant, complaint, result, server_use, system, text, thinking, use, user

from headway.core.error_kind import ErrorKind
from headway.core.overflow import Overflow
from headway.preflight.check import check
from headway.preflight.facts import Facts, facts_after, facts_for
from headway.preflight.finding import Severity
from headway.preflight.policy import RepairPolicy
from headway.preflight.repair import repair
from headway.preflight.rule import Mended, UnrepairableError
from headway.testing.fake_api.thinking_rules import thinking_seal

POLICY = RepairPolicy("off", rules={"context": "repair"})
SONNET, OLD = "claude-sonnet-5-5", "claude-haiku-4-5"


def body_of(*messages: Block, model: str = SONNET, max_tokens: int = 100, **more: object) -> Block:
    return {"model": model, "max_tokens": max_tokens, "messages": list(messages), **more}


def facts_of_window(body: Block, window: int, **more: object) -> Facts:
    facts = facts_for(body)
    assert facts.model is not None
    return replace(facts, model=replace(facts.model, window=window), **more)  # pyright: ignore


def words(tokens: int) -> str:
    """About so many tokens at the table's 3.5 characters each."""
    return "x" * int(tokens * 3.5)


def chat(turns: int, tokens: int = 100) -> list[Block]:
    talk: list[Block] = []
    for n in range(turns):
        talk += [user(f"q{n} " + words(tokens)), assistant(f"a{n} " + words(tokens))]
    return [*talk, user("last")]


def mend(body: Block, facts: Facts, after: ErrorKind | None = None) -> Mended:
    return repair(body, facts, POLICY, after)


def names(done: Mended) -> list[str]:
    """How the messages that are left begin."""
    messages = done.body["messages"]
    assert isinstance(messages, list)
    return [str(message["content"])[:2] for message in messages]


def test_the_oldest_exchanges_go_first_and_the_first_turn_stays() -> None:
    body = body_of(*chat(6))
    facts = facts_of_window(body, 900, counted=1250)
    assert names(mend(body, facts)) == ["q0", "q3", "a3", "q4", "a4", "q5", "a5", "la"]
    assert names(mend(body, replace(facts, keep_first_turn=False))) == [
        "q3",
        "a3",
        "q4",
        "a4",
        "q5",
        "a5",
        "la",
    ]


def test_what_was_done_is_told_with_numbers() -> None:
    body = body_of(*chat(6))
    (change,) = mend(body, facts_of_window(body, 900, counted=1250)).changes
    assert (change.rule, change.path, change.old) == ("context", "messages", "13 messages")
    assert change.reason == "the prompt of 1,250 tokens exceeds the window of 900"
    assert str(change.new).startswith("8 messages, about 7")


def test_a_long_tool_loop_loses_its_oldest_pairs_whole() -> None:
    loop = [
        message for n in range(6) for message in (assistant(use(f"t{n}")), user(result(f"t{n}", words(100))))
    ]
    body = body_of(user("task"), *loop)
    done = mend(body, facts_of_window(body, 500, counted=680))
    assert done.body["messages"] == [user("task"), *loop[6:]]
    assert complaint(dict(done.body)) is None


def test_the_prompt_of_the_answer_under_way_stays_even_when_the_first_turn_need_not() -> None:
    body = body_of(user("task"), assistant(use()), user(result("t1", words(50))))
    with pytest.raises(
        UnrepairableError, match=r"turns that must stay have 100 tokens, the model's window 50"
    ):
        mend(body, facts_of_window(body, 50, counted=100, keep_first_turn=False))


def test_what_can_never_fit_is_said_with_its_numbers_and_the_ways_out() -> None:
    body = body_of(*chat(3), system=words(2000))
    with pytest.raises(UnrepairableError) as caught:
        mend(body, facts_of_window(body, 800))
    assert "must stay have about 2," in str(caught.value)
    assert "the model's window 800" in str(caught.value)
    assert "context_management" in str(caught.value)


def test_thinking_goes_only_where_it_is_bound_to_what_was_dropped() -> None:
    body = body_of(*chat(4))
    talk = body["messages"]
    assert isinstance(talk, list)
    talk[7] = assistant(thinking(signature=thinking_seal(body, 7)), text("a3"))
    facts = facts_of_window(body, 500, counted=830)
    done = mend(body, facts)
    assert complaint(dict(done.body)) is None
    assert "thinking" not in str(done.body["messages"])
    assert [change.old for change in done.changes][1:] == ["1 thinking blocks"]
    unbound = {**body, "model": "claude-opus-5"}
    kept = mend(unbound, facts_of_window(unbound, 500, counted=830))
    assert "thinking" in str(kept.body["messages"])
    whole = mend(body, facts_of_window(body, 2000))
    assert whole.body is body


def test_instructions_of_dropped_turns_go_on_to_hold() -> None:
    spoken = chat(4)
    passing = {**system("Now."), "clear_at": "next_user_message"}
    talk = [*spoken[:3], system("Rhyme."), *spoken[3:5], passing, *spoken[5:]]
    body = body_of(*talk, model="claude-opus-5", system=[text("Be brief.")])
    done = mend(body, facts_of_window(body, 400, counted=840))
    assert done.body["system"] == [text("Be brief."), text("Rhyme.")]
    assert complaint(dict(done.body)) is None
    assert ("system", "1 system messages") in {(change.path, change.new) for change in done.changes}


def test_breakpoints_leave_with_their_turn() -> None:
    cached = {"cache_control": {"type": "ephemeral"}}
    talk = [user(text(words(100)) | cached), assistant(text(words(100)) | cached), *chat(2)]
    body = body_of(*talk)
    done = mend(body, facts_of_window(body, 500, counted=650, keep_first_turn=False))
    assert "cache_control" not in str(done.body["messages"])


def test_the_summary_of_the_apis_own_compaction_stays() -> None:
    talk = chat(4)
    talk[1] = assistant({"type": "compaction", "content": "so far"}, text("a0"))
    body = body_of(*talk)
    done = mend(body, facts_of_window(body, 500, counted=830))
    assert "compaction" in str(done.body["messages"])


def test_a_count_corrects_the_estimate() -> None:
    """The API counts twice as many tokens as the characters suggest: twice as much has to go."""
    body = body_of(*chat(6))
    estimate = facts_for(body).input_tokens(body)
    done = mend(body, facts_of_window(body, 1650, counted=2 * estimate))
    left = facts_for(body).input_tokens(done.body) * 2
    assert 1200 < left <= 1650 * 0.98


def test_room_is_left_for_the_answer() -> None:
    body = body_of(*chat(6), max_tokens=64_000)
    facts = facts_of_window(body, 1000, counted=1250)
    scale = 1250 / facts.input_tokens(body)
    assert facts.input_tokens(mend(body, facts).body) * scale <= 750


def test_an_estimate_near_the_window_is_a_warning_and_changes_nothing() -> None:
    body = body_of(*chat(6))  # about 1,250 tokens
    facts = facts_of_window(body, 1100)
    (finding,) = check(body, facts, POLICY)
    assert finding.severity is Severity.WARNING
    assert "1,100" in finding.problem
    assert mend(body, facts).body is body
    (certain,) = check(body, facts_of_window(body, 800), POLICY)
    assert certain.severity is Severity.ERROR
    (counted,) = check(body, facts_of_window(body, 1100, counted=1101), POLICY)
    assert counted.severity is Severity.ERROR
    assert check(body, facts_of_window(body, 1100, counted=1100), POLICY) == []


def test_after_a_refusal_its_numbers_are_used() -> None:
    body = body_of(*chat(6))
    facts = facts_after(facts_for(body), "prompt is too long: 1400 tokens > 1000 maximum")
    assert facts.overflow == Overflow(1400, None, 1000)
    done = mend(body, facts, ErrorKind.CONTEXT_OVERFLOW)
    assert facts_for(body).input_tokens(done.body) * 1400 / facts_for(body).input_tokens(body) <= 980


def test_after_a_refusal_without_numbers_something_goes_all_the_same() -> None:
    body = body_of(*chat(6))
    facts = facts_after(facts_of_window(body, 1300), "Prompt is too long")
    done = mend(body, facts, ErrorKind.CONTEXT_OVERFLOW)
    assert 0 < len(names(done)) < 13


def test_a_message_about_something_else_changes_no_facts() -> None:
    facts = facts_for(body_of(user("hi")))
    assert facts_after(facts, "max_tokens: 9 > 8") is facts


def refused(tokens: int, cap: int, window: int) -> str:
    return f"input length and `max_tokens` exceed context limit: {tokens} + {cap} > {window}, decrease input length"


def test_where_the_answer_counts_max_tokens_is_lowered_first() -> None:
    body = body_of(*chat(6), model="claude-2", max_tokens=64_000)
    facts = facts_after(facts_for(body), refused(178_959, 64_000, 200_000))
    done = mend(body, facts, ErrorKind.CONTEXT_OVERFLOW)
    assert done.body["messages"] == body["messages"]
    assert done.body["max_tokens"] == int((200_000 - 178_959) * 0.98)
    (change,) = done.changes
    assert (change.path, change.old, change.new) == ("max_tokens", 64_000, done.body["max_tokens"])


def test_where_lowering_is_not_enough_turns_go_as_well() -> None:
    body = body_of(*chat(6), model="claude-2", max_tokens=8_000)
    facts = facts_after(facts_for(body), refused(199_900, 8_000, 200_000))
    done = mend(body, facts, ErrorKind.CONTEXT_OVERFLOW)
    assert done.body["max_tokens"] == 1024
    assert names(done) == ["q0", "q1", "a1", "q2", "a2", "q3", "a3", "q4", "a4", "q5", "a5", "la"]
    assert [change.path for change in done.changes] == ["max_tokens", "messages"]


def test_max_tokens_stays_above_the_thinking_budget() -> None:
    more = {"thinking": {"type": "enabled", "budget_tokens": 30_000}}
    body = body_of(*chat(6), model="claude-2", max_tokens=64_000, **more)
    facts = facts_after(facts_for(body), refused(178_959, 64_000, 200_000))
    done = mend(body, facts, ErrorKind.CONTEXT_OVERFLOW)
    assert done.body["max_tokens"] == 30_001
    assert len(names(done)) < 13


def test_a_million_short_prompts_are_hardly_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    body = body_of(user("hi"), assistant("yes?"), user("so?"), system="Be brief.")
    facts = facts_for(body)

    def measured(self: Facts, body: object) -> float:
        raise AssertionError("a look at the lengths is enough")

    monkeypatch.setattr(Facts, "input_tokens", measured)
    assert check(body, facts, POLICY) == []


def test_an_unknown_model_has_no_window() -> None:
    body = body_of(user(words(3_000_000)), model="gpt")
    assert check(body, facts_for(body), POLICY) == []


def test_the_bytes_of_a_pdf_are_no_proof_of_its_length() -> None:
    paper = {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "x" * 50_000},
    }
    body = body_of(user(paper, text("so?")))
    facts = facts_of_window(body, 1000)
    (finding,) = check(body, facts, POLICY)
    assert finding.severity is Severity.WARNING
    assert mend(body, facts).body is body
    with pytest.raises(UnrepairableError):
        mend(body, replace(facts, counted=1001))


def test_what_is_encrypted_is_no_proof_either() -> None:
    found = {"type": "web_search_result", "url": "u", "title": "t", "encrypted_content": "x" * 9_000}
    block = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [found]}
    body = body_of(user("go"), assistant(server_use(), block, text("so")), user("on"))
    facts = facts_of_window(body, 1000)
    assert [finding.severity for finding in check(body, facts, POLICY)] == [Severity.WARNING]
    assert mend(body, facts).body is body
