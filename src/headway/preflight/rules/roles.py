"""The shape of a conversation: a role and content in every message, ``system`` messages where they may stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from headway.preflight.facts import Body, Facts
from headway.preflight.fault import Fault, mending_rule
from headway.preflight.system_turns import settle_system_turns, takes_system_turns
from headway.preflight.traits import OTHER, SHAPE
from headway.preflight.turns import Message, as_object, is_list, messages_in

NAME = "roles"
_ROLES: Final = frozenset({"user", "assistant", "system"})
_ALIASES: Final = {
    "human": "user",
    "ai": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "developer": "system",
}
"""What other APIs call the same thing."""


def _mend(body: Body, facts: Facts) -> tuple[Body, list[Fault]]:
    given = body.get("messages")
    if not is_list(given) or not given:
        problem = "there must be at least one message"
        return body, [Fault("messages", problem, "Add a user turn.", fatal=True)]
    messages = messages_in(body)
    if all(_is_simple(message) for message in messages) and messages[0]["role"] == "user":
        return body, []
    faults: list[Fault] = []
    for index in range(len(messages)):
        for fixed, fault in _shape(index, messages[index]):
            messages[index] = fixed
            faults.append(fault)
    if not any(message.get("role") == "user" for message in messages) and not any(f.fatal for f in faults):
        problem = "there must be a turn of the user"
        return body, [*faults, Fault("messages", problem, "Add a user turn.", fatal=True)]
    if any(message.get("role") == "system" for message in messages):
        supported = takes_system_turns(facts.model)
        mended = {**body, "messages": [dict(message) for message in messages]} if faults else body
        settled, more = settle_system_turns(mended, messages, supported)
        return settled, faults + more
    return ({**body, "messages": messages} if faults else body), faults


def _is_simple(message: Message) -> bool:
    role, content = message.get("role"), message.get("content")
    return isinstance(content, str) and role in ("user", "assistant")


def _shape(index: int, message: Message) -> Iterator[tuple[Message, Fault]]:
    """What is wrong with one message, each with the message as mended so far."""
    where = f"messages.{index}"
    if not message:
        yield (
            message,
            Fault(where, "a message must be an object", "Use {'role': …, 'content': …}.", fatal=True),
        )
        return
    role = message.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        name = role.strip().lower() if isinstance(role, str) else ""
        meant = name if name in _ROLES else _ALIASES.get(name)
        remedy = (
            "Roles are user, assistant and system; results of tools are tool_result blocks in a user turn."
        )
        message = message if meant is None else {**message, "role": meant}
        yield message, Fault(f"{where}.role", "unknown role", remedy, role, meant, fatal=meant is None)
    content = message.get("content")
    if block := as_object(content):
        message = {**message, "content": [block]}
        yield message, Fault(f"{where}.content", "one block outside a list", "Put it into a list.")
    elif not isinstance(content, str) and not is_list(content):
        problem = "content must be text or a list of blocks"
        yield (
            message,
            Fault(f"{where}.content", problem, "Give it content, or leave the turn out.", fatal=True),
        )
    yield from _blocks(where, message)


def _blocks(where: str, message: Message) -> Iterator[tuple[Message, Fault]]:
    content = message.get("content")
    for position, block in enumerate(content if is_list(content) else ()):
        if isinstance(as_object(block).get("type"), str):
            continue
        fault = Fault(
            f"{where}.content.{position}",
            "a block must be an object with a type",
            "Use {'type': 'text', 'text': …}.",
            fatal=not isinstance(block, str),
        )
        if isinstance(block, str):
            blocks = list(cast("list[object]", message["content"]))
            blocks[position] = {"type": "text", "text": block}
            message = {**message, "content": blocks}
        yield message, fault


RULES = (
    mending_rule(
        NAME,
        "Messages must be well formed, with the roles user, assistant and, in certain places, system.",
        "Translates the role names of other APIs and moves system messages to where the API takes them: behind "
        "the next user turn, or into `system`.",
        _mend,
        order=8,
        about=frozenset({OTHER, SHAPE}),
    ),
)
