"""Conversations of every kind, whole and broken, for Hypothesis; and the judge they are brought before."""

from __future__ import annotations

from hypothesis import strategies as st

from headway.preflight.policy import RepairPolicy
from headway.testing.fake_api.catalog import MODELS
from headway.testing.fake_api.thinking_rules import thinking_seal
from headway.testing.fake_api.turn_rules import check_turns
from headway.testing.fake_api.wire_error import WireError

Block = dict[str, object]
RULES = ("roles", "pairs", "thinking_blocks", "text", "thinking_start", "prefill", "context")
MEND = RepairPolicy("off", rules=dict.fromkeys(RULES, "repair"))
ONLY = RepairPolicy("off", rules=dict.fromkeys(RULES, "report"))
IDS = st.sampled_from(["t1", "t2", "t3", "bad id"])


def text(words: str) -> Block:
    return {"type": "text", "text": words}


def use(name: str = "t1", **more: object) -> Block:
    return {"type": "tool_use", "id": name, "name": "tool", "input": {}, **more}


def result(name: str = "t1", content: object = "done", **more: object) -> Block:
    return {"type": "tool_result", "tool_use_id": name, "content": content, **more}


def server_use(name: str = "s1") -> Block:
    return {"type": "server_tool_use", "id": name, "name": "web_search", "input": {}}


def server_result(name: str = "s1") -> Block:
    return {"type": "web_search_tool_result", "tool_use_id": name, "content": []}


def thinking(**more: object) -> Block:
    return {"type": "thinking", "thinking": "hm", "signature": "sig", **more}


def message(role: str, *content: object) -> Block:
    if len(content) == 1 and isinstance(content[0], str):
        return {"role": role, "content": content[0]}
    return {"role": role, "content": list(content)}


def user(*content: object) -> Block:
    return message("user", *content)


def assistant(*content: object) -> Block:
    return message("assistant", *content)


def system(*content: object) -> Block:
    return message("system", *content)


WORDS = st.sampled_from(["hello", "so", "and", "what now ", "long " * 30, "", " \n"])
CACHED = st.sampled_from([{}, {}, {"cache_control": {"type": "ephemeral"}}])
TEXTS = st.builds(lambda words, cached: text(words) | cached, WORDS, CACHED)
IMAGES = st.just({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}})
RESULTS = st.builds(
    lambda name, content, family: result(name, content) | family,
    IDS,
    st.one_of(WORDS, st.lists(st.one_of(TEXTS, IMAGES), max_size=2)),
    st.sampled_from([{}, {}, {"toolset_name": "browser"}]),
)
USES = st.builds(
    lambda name, family: use(name) | family, IDS, st.sampled_from([{}, {}, {"toolset_name": "browser"}])
)
SERVER = st.builds(lambda make, name: make(name), st.sampled_from([server_use, server_result]), IDS)
THOUGHTS = st.sampled_from(
    [thinking(), {"type": "thinking", "thinking": "unsigned"}, {"type": "redacted_thinking", "data": "x"}]
)
USER_BLOCKS = st.one_of(TEXTS, TEXTS, IMAGES, RESULTS, RESULTS, THOUGHTS)
ASSISTANT_BLOCKS = st.one_of(TEXTS, TEXTS, USES, USES, SERVER, THOUGHTS, RESULTS)
MESSAGES = st.one_of(
    st.builds(user, WORDS),
    st.builds(assistant, WORDS),
    st.builds(system, WORDS),
    st.builds(lambda blocks: user(*blocks), st.lists(USER_BLOCKS, max_size=4)),
    st.builds(lambda blocks: user(*blocks), st.lists(USER_BLOCKS, max_size=4)),
    st.builds(lambda blocks: assistant(*blocks), st.lists(ASSISTANT_BLOCKS, max_size=4)),
    st.builds(lambda blocks: assistant(*blocks), st.lists(ASSISTANT_BLOCKS, max_size=4)),
    st.just({"role": "system", "content": [], "output_config": {"effort": "low"}}),
)
MODEL_IDS = st.sampled_from(
    ["claude-sonnet-5-5", "claude-opus-5", "claude-sonnet-5", "claude-haiku-4-5", "claude-opus-4-6"]
)
SYSTEMS = st.sampled_from([None, "Be brief.", [text("Be brief."), text(" ")]])


@st.composite
def bodies(draw: st.DrawFn) -> Block:
    """A request body whose conversation may be anything."""
    model = draw(MODEL_IDS)
    body: Block = {
        "model": model,
        "max_tokens": 2000,
        "messages": draw(st.lists(MESSAGES, min_size=1, max_size=8)),
    }
    if (prompt := draw(SYSTEMS)) is not None:
        body["system"] = prompt
    if model == "claude-haiku-4-5" and draw(st.booleans()):
        body["thinking"] = {"type": "enabled", "budget_tokens": 1024}
    return body


def complaint(body: Block) -> str | None:
    """What the fake API, which shares no code with the rules, says about a conversation."""
    if not body["messages"]:
        return "messages: at least one message is required"
    try:
        check_turns(body, MODELS[str(body["model"])])
    except WireError as error:
        return error.message
    return None


@st.composite
def whole_bodies(draw: st.DrawFn) -> Block:
    """A request body whose conversation is as it should be, its thinking blocks sealed."""
    model = draw(MODEL_IDS)
    body: Block = {"model": model, "max_tokens": 100, "messages": [], "system": "Be brief."}
    talk: list[Block] = []
    body["messages"] = talk
    words = st.integers(1, 40).map(lambda n: "word " * n + "end")
    takes_system = model in ("claude-sonnet-5-5", "claude-opus-5")
    exchanges = draw(st.integers(1, 5))
    for exchange in range(exchanges):
        talk.append(user(draw(words)))
        if takes_system and draw(st.integers(0, 4)) == 0:
            talk.append(system(f"Rule {exchange}."))
        for step in range(draw(st.integers(0, 3))):
            names = [f"t{exchange}_{step}_{n}" for n in range(draw(st.integers(1, 2)))]
            talk.append(assistant(*_thoughts(draw, body), *(use(name) for name in names)))
            said = [text("and more")] if draw(st.integers(0, 3)) == 0 else []
            talk.append(user(*(result(name, draw(words)) for name in names), *said))
        if exchange + 1 == exchanges and draw(st.booleans()):
            break
        searched = [server_use(f"s{exchange}"), server_result(f"s{exchange}")] if draw(st.booleans()) else []
        talk.append(assistant(*_thoughts(draw, body), *searched, text(draw(words))))
    if talk[-1]["role"] == "assistant":
        talk.append(user(draw(words)))
    return body


def _thoughts(draw: st.DrawFn, body: Block) -> list[Block]:
    if not draw(st.booleans()):
        return []
    talk = body["messages"]
    assert isinstance(talk, list)
    return [thinking(signature=thinking_seal(body, len(talk)))]
