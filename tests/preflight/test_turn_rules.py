"""Each fault of a conversation: what the API says, which rule finds it where, and what becomes of it."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from conversations import (
    MEND,
    ONLY,
    Block,
    assistant,
    complaint,
    result,
    server_result,
    server_use,
    system,
    text,
    thinking,
    use,
    user,
)

from headway.preflight.check import check
from headway.preflight.facts import Facts, facts_for
from headway.preflight.pairing import MISSING, NO_CONTENT
from headway.preflight.policy import RepairPolicy
from headway.preflight.repair import repair
from headway.preflight.rule import UnrepairableError

SONNET, OPUS, OLD = "claude-sonnet-5-5", "claude-opus-4-6", "claude-haiku-4-5"
ERROR_RESULT = result("t1", MISSING, is_error=True)
CONTINUE = "Your previous response was interrupted and ended with [{}]. Continue from where you left off, "
CONTINUE += "without repeating it."


class Case(NamedTuple):
    """A broken conversation."""

    name: str
    rule: str
    path: str
    api: str
    """What the API says."""
    given: list[Block]
    mended: list[Block] | None
    """``None``: only the user can mend it."""
    model: str = SONNET
    more: dict[str, object] = {}  # noqa: RUF012
    prompt: str | None = None
    """The system prompt afterwards."""


ASKED = [user("go"), assistant(use())]
CASES = [
    # pairs
    Case("result missing", "pairs", "messages.1.content.0",
         "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: t1. Each "
         "`tool_use` block must have a corresponding `tool_result` block in the next message.",
         [*ASKED, user("and?")], [*ASKED, user(ERROR_RESULT, text("and?"))]),
    Case("no turn follows the call", "pairs", "messages.1.content.0", "`tool_use` ids were found without",
         ASKED, [*ASKED, user(ERROR_RESULT)]),
    Case("one of two results missing", "pairs", "messages.1.content.1", "immediately after: t2",
         [user("go"), assistant(use(), use("t2")), user(result())],
         [user("go"), assistant(use(), use("t2")), user(result("t2", MISSING, is_error=True), result())]),
    Case("orphan", "pairs", "messages.2.content.0",
         "messages.2.content.0: unexpected `tool_use_id` found in `tool_result` blocks: t9. Each `tool_result` "
         "block must have a corresponding `tool_use` block in the previous message.",
         [user("go"), assistant("no"), user(result("t9"), text("so?"))],
         [user("go"), assistant("no"), user(text("so?"))]),
    Case("a turn of nothing but an orphan", "pairs", "messages.0.content.0", "unexpected `tool_use_id`",
         [user(result("t9", "sunny")), assistant("no"), user("so?")],
         [user(text("sunny")), assistant("no"), user("so?")]),
    Case("an orphan without content", "pairs", "messages.0.content.0", "unexpected `tool_use_id`",
         [user(result("t9", ""))], [user(text(NO_CONTENT))]),
    Case("an orphan with an image", "pairs", "messages.0.content.0", "unexpected `tool_use_id`",
         [user(result("t9", [{"type": "image", "source": {"type": "file", "file_id": "f"}}]))],
         [user({"type": "image", "source": {"type": "file", "file_id": "f"}})]),
    Case("two results of one call", "pairs", "messages.2.content.1",
         "each tool_use must have a single result. Found multiple `tool_result` blocks with id: t1",
         [*ASKED, user(result(), result("t1", "again"))], [*ASKED, user(result())]),
    Case("results not first", "pairs", "messages.2.content.1", "`tool_use` ids were found without",
         [*ASKED, user(text("here"), result())], [*ASKED, user(result(), text("here"))]),
    Case("results behind other content a message later", "pairs", "messages.3.content.0",
         "immediately after: t2",
         [user("go"), assistant(use(), use("t2")), user(result(), text("one")), user(result("t2"))],
         [user("go"), assistant(use(), use("t2")), user(result(), result("t2"), text("one"))]),
    Case("the result comes a turn late", "pairs", "messages.1.content.0", "`tool_use` ids were found without",
         [*ASKED, user("wait"), assistant("yes?"), user(result("t1", "sunny"), text("there"))],
         [*ASKED, user(result("t1", "sunny"), text("wait")), assistant("yes?"), user(text("there"))]),
    Case("an id twice in one turn", "pairs", "messages.1.content.1.id",
         "messages.1.content.1: `tool_use` ids must be unique",
         [user("go"), assistant(use(), use()), user(result("t1", "a"), result("t1", "b"))],
         [user("go"), assistant(use(), use("t1_2")), user(result("t1", "a"), result("t1_2", "b"))]),
    Case("an id again in a later turn", "pairs", "messages.3.content.0.id", "`tool_use` ids must be unique",
         [*ASKED, user(result()), assistant(use()), user(result("t1", "new"))],
         [*ASKED, user(result()), assistant(use("t1_2")), user(result("t1_2", "new"))]),
    Case("an id with other characters", "pairs", "messages.1.content.0.id",
         "messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
         [user("go"), assistant(use("call:1")), user(result("call:1"))],
         [user("go"), assistant(use("call_1")), user(result("call_1"))]),
    Case("the toolset is not named", "pairs", "messages.2.content.0.toolset_name", "toolset_name",
         [user("go"), assistant(use("t1", toolset_name="browser")), user(result())],
         [user("go"), assistant(use("t1", toolset_name="browser")), user(result("t1", toolset_name="browser"))]),
    Case("a server tool was left behind", "pairs", "messages.1.content.0",
         "messages.1: `web_search` tool use with id `s1` was found without a corresponding "
         "`web_search_tool_result` block",
         [user("go"), assistant(server_use(), text("well")), user("never mind")],
         [user("go"), assistant(text("well")), user("never mind")]),
    Case("more than results while a server tool runs", "pairs", "messages.1.content.0", "`s1` was found without",
         [user("go"), assistant(server_use(), use()), user(result(), text("hurry"))],
         [user("go"), assistant(use()), user(result(), text("hurry"))]),
    Case("a running server tool called for it", "pairs", "messages.1.content.0", "`s1` was found without",
         [user("go"), assistant(server_use(), use("t1", caller={"type": "x", "tool_id": "s1"})),
          user(result(), text("hurry"))], None),
    Case("a server result without its call", "pairs", "messages.1.content.0",
         "messages.1.content.0: unexpected `tool_use_id` found in `web_search_tool_result` blocks: s1. Each "
         "`web_search_tool_result` block must have a corresponding `server_tool_use` block before it.",
         [user("go"), assistant(server_result(), text("found")), user("thanks")],
         [user("go"), assistant(text("found")), user("thanks")]),
    Case("a call in a user turn", "pairs", "messages.0.content.0",
         "messages.0.content.0: `tool_use` blocks can only be in `assistant` messages", [user(use())], None),
    Case("a result in an assistant turn", "pairs", "messages.2.content.0",
         "messages.2.content.0: `tool_result` blocks can only be in `user` messages",
         [*ASKED, assistant(result()), user("so?")], [*ASKED, user(result(), text("so?"))]),
    # text
    Case("empty text", "text", "messages.0.content.0.text", "messages.0: text content blocks must be non-empty",
         [user(text(""), text("hi"))], [user(text("hi"))]),
    Case("white space", "text", "messages.1.content.0.text",
         "messages.1: text content blocks must contain non-whitespace text",
         [user("hi"), assistant(text(" \n"), text("yes")), user("so?")],
         [user("hi"), assistant(text("yes")), user("so?")]),
    Case("an empty turn in between", "text", "messages.1.content", "messages.1: text content blocks must be",
         [user("hi"), assistant(""), user("so?")], [user("hi"), user("so?")]),
    Case("a turn without blocks", "text", "messages.1.content",
         "messages.1: all messages must have non-empty content", [user("hi"), assistant(), user("so?")],
         [user("hi"), user("so?")]),
    Case("the last user turn is empty", "text", "messages.2.content", "must contain non-whitespace text",
         [user("hi"), assistant("yes?"), user(" ")], None),
    Case("the first user turn is empty", "text", "messages.0.content", "text content blocks must be non-empty",
         [user(""), assistant("yes?"), user("so?")], None),
    Case("empty text inside a result", "text", "messages.2.content.0.content.0.text", "must be non-empty",
         [*ASKED, user(result("t1", [text("")]))], [*ASKED, user(result("t1", ""))]),
    Case("white space behind a prefill", "text", "messages.1.content",
         "messages.1: final assistant content cannot end with trailing whitespace",
         [user("hi"), assistant("It is ")], [user("hi"), assistant("It is")], OLD),
    Case("empty text in the system prompt", "text", "system.0.text", "system: text content blocks must be non-empty",
         [user("hi")], [user("hi")], SONNET, {"system": [text("")]}),
    # prefill
    Case("prefill", "prefill", "messages.1",
         "This model does not support assistant message prefill. The conversation must end with a user message.",
         [user("hi"), assistant("The answer is (")],
         [user("hi"), assistant("The answer is ("), user(CONTINUE.format("The answer is ("))]),
    # roles
    Case("a role of another API", "roles", "messages.0.role",
         "messages.0.role: Input should be 'user', 'assistant' or 'system'",
         [{"role": "human", "content": "hi"}], [user("hi")]),
    Case("a tool role", "roles", "messages.1.role", "messages.1.role: Input should be",
         [user("hi"), {"role": "tool", "content": "42"}], None),
    Case("no content", "roles", "messages.1.content", "messages.1.content: Input should be a valid string or list",
         [user("hi"), {"role": "assistant", "content": None}, user("so?")], None),
    Case("a string among the blocks", "roles", "messages.0.content.0",
         "messages.0.content.0: Input should be a valid dictionary", [user("a", "b")], [user(text("a"), text("b"))]),
    Case("a system message first", "roles", "messages.0.role",
         "messages.0: use the top-level 'system' parameter for the initial system prompt",
         [system("Be brief."), user("hi")], [user("hi")], prompt="Be brief."),
    Case("a system message behind an answer", "roles", "messages.2.role",
         "messages.2: role 'system' must follow a 'user' message or an 'assistant' message ending in a server tool "
         "result", [user("hi"), assistant("yes?"), system("Rhyme."), user("so?")],
         [user("hi"), assistant("yes?"), user("so?"), system("Rhyme.")]),
    Case("a system message before a user turn", "roles", "messages.1.role",
         "messages.1: role 'system' must precede an 'assistant' message or end the array",
         [user("hi"), system("Rhyme."), user("so?")], [user("hi"), user("so?"), system("Rhyme.")]),
    Case("a system message between call and result", "roles", "messages.2.role", "role 'system' must follow",
         [*ASKED, system("Rhyme."), user(result())], [*ASKED, user(result()), system("Rhyme.")]),
    Case("a model without system messages", "roles", "messages.1.role",
         "messages.1: role 'system' is not supported on this model", [user("hi"), system("Rhyme.")], [user("hi")],
         OPUS, {"system": "Be brief."}, "Be brief.\n\nRhyme."),
    # thinking
    Case("thinking without a signature", "thinking_blocks", "messages.1.content.0",
         "messages.1.content.0.thinking.signature: Field required",
         [user("hi"), assistant({"type": "thinking", "thinking": "hm"}, text("yes?")), user("so?")],
         [user("hi"), assistant(text("yes?")), user("so?")]),
    Case("thinking in a user turn", "thinking_blocks", "messages.0.content.0",
         "messages.0.content.0: `thinking` blocks can only be in `assistant` messages",
         [user(thinking(), text("hi"))], [user(text("hi"))]),
    Case("thinking at the very end", "thinking_blocks", "messages.1.content.1",
         "messages.1: The final block in an assistant message cannot be `thinking`.",
         [user("hi"), assistant(text("It is"), thinking())], [user("hi"), assistant(text("It is"))], OLD),
    Case("thinking enabled, and none with the calls", "thinking_start", "messages.1",
         "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When "
         "`thinking` is enabled, a final `assistant` message must start with a thinking block",
         [*ASKED, user(result())], [*ASKED, user(result())], OLD,
         {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
]  # fmt: skip


def body_of(case: Case) -> Block:
    return {"model": case.model, "max_tokens": 2000, "messages": case.given, **case.more}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_the_api_refuses_is_found(case: Case) -> None:
    body = body_of(case)
    said = complaint(body)
    assert said is not None
    assert case.api in said
    found = {(finding.rule, finding.path) for finding in check(body, facts_for(body), ONLY)}
    assert (case.rule, case.path) in found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_mended_by_its_own_rule_and_told(case: Case) -> None:
    body = body_of(case)
    policy = RepairPolicy("off", rules={case.rule: "repair"})
    if case.mended is None:
        with pytest.raises(UnrepairableError, match=r".+"):
            repair(body, facts_for(body), policy)
        return
    done = repair(body, facts_for(body), policy)
    assert done.body["messages"] == case.mended
    assert done.body.get("system") == case.prompt
    assert complaint(dict(done.body)) is None
    assert {change.rule for change in done.changes} == {case.rule}
    assert all(change.reason and change.path for change in done.changes)


VALID = [
    ("parallel results in two messages, in any order",
     [user("go"), assistant(use(), use("t2")), user(result("t2")), user(result(), text("more"))], SONNET),
    ("consecutive turns of one role", [user("a"), user("b"), assistant("c"), assistant("d"), user("e")], SONNET),
    ("a paused turn", [user("go"), assistant(text("searching"), server_use())], SONNET),
    ("a paused turn after a result", [user("go"), assistant(server_use(), server_result())], SONNET),
    ("results alone while a server tool runs", [user("go"), assistant(server_use(), use()), user(result())], SONNET),
    ("the server's result in the turn after",
     [user("go"), assistant(server_use(), use()), user(result()), assistant(server_result(), text("so")),
      user("thanks")], SONNET),
    ("a connector's tool", [user("go"), assistant({"type": "mcp_tool_use", "id": "m", "name": "x", "input": {}},
     {"type": "mcp_tool_result", "tool_use_id": "m", "content": "y"}, text("so")), user("thanks")], SONNET),
    ("prefill where it is allowed", [user("hi"), assistant("It is")], OLD),
    ("an empty prefill where it is allowed", [user("hi"), assistant("")], OLD),
    ("a result without content", [user("go"), assistant(use()), user(result("t1", ""))], SONNET),
    ("system messages in a row",
     [user("hi"), system("a"), system("b"), assistant("c"), user("d"), system("e")], SONNET),
    ("a system message behind a server's result",
     [user("go"), assistant(server_use(), server_result()), system("a"), assistant("b"), user("c")], SONNET),
    ("a directive anywhere",
     [{"role": "system", "content": [], "output_config": {"effort": "low"}}, user("hi")], SONNET),
    ("thinking and redacted thinking", [user("hi"), assistant(thinking(), {"type": "redacted_thinking", "data": "x"},
     text("yes?")), user("so?")], SONNET),
    ("white space behind an earlier answer", [user("hi"), assistant("yes? "), user("so?")], OLD),
]  # fmt: skip


@pytest.mark.parametrize(("name", "messages", "model"), VALID, ids=[name for name, *_ in VALID])
def test_what_is_valid_is_left_alone(name: str, messages: list[Block], model: str) -> None:
    body: Block = {"model": model, "max_tokens": 2000, "messages": messages}
    assert complaint(body) is None
    assert check(body, facts_for(body), ONLY) == []
    done = repair(body, facts_for(body), MEND)
    assert done.body is body
    assert done.changes == ()


def test_on_a_model_that_binds_thinking_the_blocks_behind_a_removed_one_go_too() -> None:
    broken = {"type": "thinking", "thinking": "unsigned"}
    talk = [user("a"), assistant(broken, text("b")), user("c"), assistant(thinking(), text("d")), user("e")]
    body: Block = {"model": SONNET, "max_tokens": 2000, "messages": talk}
    after = repair(body, facts_for(body), MEND).body["messages"]
    assert after == [user("a"), assistant(text("b")), user("c"), assistant(text("d")), user("e")]
    unbound = {**body, "model": "claude-opus-5"}
    after = repair(unbound, facts_for(unbound), MEND).body["messages"]
    assert after == [user("a"), assistant(text("b")), *talk[2:]]


def test_a_fallback_credit_is_redeemed_with_an_assistant_turn_at_the_end() -> None:
    body: Block = {"model": SONNET, "max_tokens": 9, "messages": [user("a"), assistant("b")]}
    body["fallback_credit_token"] = "x"
    assert check(body, facts_for(body), ONLY) == []


def test_of_an_unknown_model_nothing_is_believed_that_depends_on_it() -> None:
    body: Block = {"model": "gpt", "messages": [user("a"), system("b"), assistant("c")]}
    assert check(body, Facts(None), ONLY) == []


@pytest.mark.parametrize("messages", [None, "hi", [], [None], ["hi"], [{}], [{"role": 3, "content": 4}]])
def test_what_is_no_conversation_is_a_finding_and_never_a_crash(messages: object) -> None:
    body: Block = {"model": SONNET, "messages": messages}
    assert [finding.rule for finding in check(body, facts_for(body), ONLY)][:1] == ["roles"]
    with pytest.raises(UnrepairableError):
        repair(body, facts_for(body), MEND)


def test_findings_never_quote_the_prompt() -> None:
    secret = "swordfish"
    body: Block = {
        "model": SONNET,
        "messages": [
            system(secret),
            user(text(secret), text(" ")),
            assistant(use("t1"), text(secret)),
            user(secret),
        ],
    }
    for finding in check(body, facts_for(body), ONLY):
        assert secret not in str(finding)
