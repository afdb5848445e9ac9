"""Messages of the role ``system`` inside a conversation: where they may stand, and where else they can go.

https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages: after a user turn or an
assistant turn that ends in a server tool's result, and before an assistant turn or last; several in a row
count as one; never first. The form without text that only sets ``output_config`` is taken anywhere.
"""

from __future__ import annotations

from typing import Final, cast

from headway.core.model_facts import ModelFacts
from headway.preflight.facts import Body, blocks_of
from headway.preflight.fault import Fault
from headway.preflight.turns import Block, Message, is_directive, is_list, is_server_result

_WITHOUT: Final = frozenset(
    {
        "claude-sonnet-5",
        "claude-opus-4-7",
        "claude-opus-4-6",
        "claude-opus-4-5",
        "claude-sonnet-4-6",
        "claude-sonnet-4-5",
        "claude-haiku-4-5",
    }
)
"""Models that answer 400 "role 'system' is not supported on this model": all before Opus 4.8, and Sonnet 5."""
_RULE: Final = (
    "It may follow a user turn, or an assistant turn ending in a server tool's result, and must precede an "
    "assistant turn or be last; what holds from the start belongs into `system`."
)


def takes_system_turns(model: ModelFacts | None) -> bool:
    """Whether the model takes ``system`` messages inside a conversation; unknown models are believed to."""
    return model is None or model.prefix not in _WITHOUT


def settle_system_turns(body: Body, messages: list[Message], supported: bool) -> tuple[Body, list[Fault]]:
    """Every ``system`` message where it may stand: behind the next user turn, or else in ``system``."""
    faults: list[Fault] = []
    hoisted: list[str] = []
    result: list[Message] = []
    waiting: list[Message] = []  # on their way behind the next user turn
    for index, message in enumerate(messages):
        problem = _problem(messages, index, supported) if message.get("role") == "system" else None
        valid = message.get("role") == "system" and problem is None and not is_directive(message)
        if waiting and (valid or (message.get("role") == "assistant" and _may_precede(result))):
            result += waiting
            waiting = []
        if problem is None:
            result.append(message)
            continue
        movable = supported and _has_user(messages[:index]) and _has_user(messages[index:])
        faults.append(_fault(index, problem, message, movable))
        if movable:
            waiting.append(message)
            continue
        hoisted.append(text_of(message))
        if "output_config" in message:
            result.append({"role": "system", "content": [], "output_config": message["output_config"]})
    if not faults:
        return body, []
    result += waiting  # the last turn is the user's, or they would have landed
    return {**with_system(body, hoisted), "messages": [dict(message) for message in result]}, faults


def with_messages(body: Body, messages: list[Message], model: ModelFacts | None) -> Body:
    """The body with other messages; ``system`` messages go where they may stand among these."""
    body = {**body, "messages": messages}
    if any(message.get("role") == "system" for message in messages):
        body, _ = settle_system_turns(body, messages, takes_system_turns(model))
    return body


def _has_user(messages: list[Message]) -> bool:
    return any(message.get("role") == "user" for message in messages)


def _fault(index: int, problem: str, message: Message, movable: bool) -> Fault:
    where = "behind the next user turn" if movable else "in `system`"
    fatal = not movable and not _is_text(message)
    return Fault(f"messages.{index}.role", problem, _RULE, "system", where, fatal)


def text_of(message: Message) -> str:
    """The text of a ``system`` message."""
    return "\n\n".join(
        str(block.get("text", ""))
        for block in blocks_of(message.get("content"))
        if block.get("type") == "text"
    )


def with_system(body: Body, texts: list[str]) -> Body:
    """The body with texts added behind its system prompt."""
    texts = [text for text in texts if text.strip()]
    if not texts:
        return body
    system = body.get("system")
    if is_list(system):
        added = [{"type": "text", "text": text} for text in texts]
        return {**body, "system": [*cast("list[Block]", system), *added]}
    parts = [system, *texts] if isinstance(system, str) and system.strip() else texts
    return {**body, "system": "\n\n".join(parts)}


def _problem(messages: list[Message], index: int, supported: bool) -> str | None:
    if is_directive(messages[index]):
        return None
    if not supported:
        return "this model takes no `system` messages inside a conversation"
    before = next((m for m in reversed(messages[:index]) if m.get("role") != "system"), None)
    if before is None:
        return "a `system` message must not come first"
    if not _may_precede([before]):
        return "a `system` message must not follow an assistant turn"
    behind = next((m for m in messages[index + 1 :] if m.get("role") != "system"), None)
    if behind is not None and behind.get("role") != "assistant":
        return "a `system` message must not stand before a user turn"
    return None


def _may_precede(messages: list[Message]) -> bool:
    """Whether a ``system`` message may follow."""
    last = next((m for m in reversed(messages) if m.get("role") != "system"), None)
    if last is None:
        return False
    blocks = blocks_of(last.get("content"))
    return last.get("role") == "user" or bool(blocks and is_server_result(blocks[-1]))


def _is_text(message: Message) -> bool:
    return all(block.get("type") == "text" for block in blocks_of(message.get("content")))
