"""``cache="auto"``: the breakpoint goes where the jobs begin to differ."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parameter_bodies import Body, ask, refusal

from headway.preflight.breakpoints import places
from headway.preflight.cache_auto import CachePlacer, common_length
from headway.preflight.check import check
from headway.preflight.facts import facts_for
from headway.preflight.rule import Mended

LONG = "rule " * 3000
CONTROL = {"type": "ephemeral"}


def placed(bodies: list[Body], index: int = -1) -> Mended:
    placer = CachePlacer()
    facts = facts_for(bodies[0])
    placer.observe(bodies, facts)
    return placer.place(bodies[index], facts_for(bodies[index]))


def question(words: Any, **more: Any) -> Body:
    return ask(messages=[{"role": "user", "content": words}], **more)


def marked(body: Any) -> list[str]:
    return [place.path for place in places(body, facts_for(body)) if place.control is not None]


def test_a_system_prompt_in_common() -> None:
    mended = placed([question(f"Review {n}", system=LONG) for n in range(3)])
    assert mended.body["system"] == [{"type": "text", "text": LONG, "cache_control": CONTROL}]
    assert mended.body["messages"] == [{"role": "user", "content": "Review 2"}]
    assert [(one.rule, one.path) for one in mended.changes] == [("cache_auto", "system.cache_control")]
    assert refusal(dict(mended.body)) is None


def test_a_template_is_split_at_white_space_where_the_jobs_begin_to_differ() -> None:
    mended = placed([question(f"{LONG}\nReview: goo{tail}") for tail in ("d one", "p", "se two")])
    first, second = mended.body["messages"][0]["content"]  # type: ignore[index]
    assert first == {"type": "text", "text": f"{LONG}\nReview: ", "cache_control": CONTROL}
    assert second == {"type": "text", "text": "goose two"}
    assert refusal(dict(mended.body)) is None


def test_tools_and_examples_in_common() -> None:
    tools = [{"name": "f", "input_schema": {"type": "object"}, "description": LONG}]
    turns = [
        {"role": "user", "content": "Example"},
        {"role": "assistant", "content": [{"type": "text", "text": "Answer"}]},
    ]
    bodies = [ask(tools=tools, messages=[*turns, {"role": "user", "content": f"{n}"}]) for n in range(2)]
    mended = placed(bodies)
    assert marked(mended.body) == ["messages.1.content.0"]
    only_tools = placed([question(f"{n} differs", tools=tools) for n in range(2)])
    assert marked(only_tools.body) == ["tools.0"]


def test_it_goes_back_to_a_block_that_can_carry_it() -> None:
    thought = {"type": "thinking", "thinking": "t", "signature": "s"}
    late = {"name": "late", "input_schema": {"type": "object"}, "defer_loading": True}
    tools = [{"name": "f", "input_schema": {"type": "object"}, "description": LONG}, late]
    turns = [{"role": "user", "content": LONG}, {"role": "assistant", "content": [thought]}]
    assert marked(placed([question(f"{n} x", tools=tools) for n in range(2)]).body) == ["tools.0"]
    bodies = [ask(messages=[*turns, {"role": "user", "content": f"{n} x"}]) for n in range(2)]
    assert marked(placed(bodies).body) == ["messages.0.content.0"]


@pytest.mark.parametrize(
    "bodies",
    [
        [question("alone", system=LONG)],
        [question(f"{n} nothing shared") for n in range(3)],
        [question(f"{n}", system="too short") for n in range(3)],
        [question(f"{n}", system=LONG, cache_control=CONTROL) for n in range(3)],
        [
            question(f"{n}", system=[{"type": "text", "text": LONG, "cache_control": CONTROL}])
            for n in range(2)
        ],
        [question(f"{n}", system=LONG, model="my-model") for n in range(2)],
        [
            question(f"{n}", system=LONG, thinking={"type": kind})
            for n, kind in enumerate(("adaptive", "between_tools"))
        ],
        [{"role": "system"}, {}],
    ],
)
def test_where_there_is_nothing_to_gain_bodies_stay_as_they_are(bodies: list[Body]) -> None:
    mended = placed(bodies)
    assert mended.changes == ()
    assert mended.body is bodies[-1]


def test_the_minimum_is_that_of_the_model() -> None:
    for model, expected in (("claude-opus-5-5", 1), ("claude-haiku-4-5", 0)):
        mended = placed([question(f"{n}", system="word " * 1000, model=model) for n in range(2)])
        assert len(mended.changes) == expected


def test_models_do_not_mix_and_a_stranger_is_left_alone() -> None:
    placer = CachePlacer()
    for model in ("claude-opus-5-5", "claude-sonnet-5-5"):
        bodies = [question(f"{n}", system=model + LONG, model=model) for n in range(2)]
        placer.observe(bodies, facts_for(bodies[0]))
    for model in ("claude-opus-5-5", "claude-sonnet-5-5"):
        body = question("new", system=model + LONG, model=model)
        assert marked(placer.place(body, facts_for(body)).body) == ["system.0"]
    other = question("new", system="Another " + LONG)
    assert placer.place(other, facts_for(other)).changes == ()


def test_two_system_prompts_in_one_file_and_a_stranger_between_them() -> None:
    placer = CachePlacer()
    bodies = [question(f"{n}", system=f"You are {who}. {LONG}") for n in range(3) for who in ("Ann", "Bob")]
    bodies.insert(3, question("a stranger"))
    facts = facts_for(bodies[0])
    placer.observe(bodies, facts)
    assert [marked(placer.place(body, facts).body) for body in bodies] == [
        *[["system.0"]] * 3, [], *[["system.0"]] * 3,
    ]  # fmt: skip


def test_families_are_bounded() -> None:
    placer = CachePlacer()
    placer.observe([question("?", system=f"{n} {LONG}") for n in range(1100)], facts_for(question("?")))
    assert len(placer._shared) == 1000
    placer.observe([question(f"{n} " + LONG * 100) for n in range(30)], facts_for(question("?")))
    assert placer._characters == sum(prefix.characters for prefix in placer._shared.values()) < 21_000_000
    assert len(placer._shared) < 20


def test_what_turns_out_not_to_be_shared_is_left_out() -> None:
    placer = CachePlacer()
    bodies = [question(f"{n} x", system=[{"type": "text", "text": LONG}, {"type": "text", "text": who + LONG}])
              for n, who in enumerate(("A", "A", "B"))]  # fmt: skip
    facts = facts_for(bodies[0])
    placer.observe(bodies[:2], facts)
    assert marked(placer.place(bodies[1], facts).body) == ["system.1"]
    placer.observe(bodies[2:], facts)
    assert marked(placer.place(bodies[1], facts).body) == ["system.0"]


texts = st.text(alphabet="ab \n", min_size=1, max_size=40).filter(str.strip)
bodies_in_common = st.builds(
    lambda shared, tails, system, model: [
        question(LONG + shared + tail, model=model) | ({"system": LONG} if system else {}) for tail in tails
    ],
    texts, st.lists(texts, min_size=1, max_size=4), st.booleans(),
    st.sampled_from(["claude-haiku-4-5", "claude-opus-5"]),
)  # fmt: skip


def words_of(body: Any) -> str:
    return "".join(str(place.block.get("text")) for place in places(body, facts_for(body)))


@given(bodies_in_common)
def test_the_words_stay_the_same_and_the_api_takes_it(bodies: list[Body]) -> None:
    for index in range(len(bodies)):
        mended = placed(bodies, index)
        assert words_of(mended.body) == words_of(bodies[index])
        assert refusal(dict(mended.body)) is None
        assert not check(mended.body, facts_for(mended.body))
        assert len(marked(mended.body)) == len(mended.changes) <= 1


@given(st.text(max_size=50), st.text(max_size=50), st.text(max_size=50))
def test_common_length(head: str, one: str, other: str) -> None:
    length = common_length(head + one, head + other)
    assert (head + one)[:length] == (head + other)[:length]
    assert length >= len(head)
    assert (head + one)[: length + 1] != (head + other)[: length + 1] or length == min(
        len(head + one), len(head + other)
    )
