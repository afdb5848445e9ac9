"""Text that is empty or only white space, and white space at the end of a prefilled answer."""

from __future__ import annotations

from typing import Final

from headway.preflight.facts import Body, Facts
from headway.preflight.fault import Fault, mending_rule
from headway.preflight.system_turns import with_messages
from headway.preflight.traits import OTHER, SHAPE
from headway.preflight.turns import Message, as_object, is_blank, is_directive, is_list, messages_in

NAME = "text"
_EMPTY: Final = "text must not be empty or only white space"
_LEAVE_OUT: Final = "Leave the block out."
_TRAILING: Final = "the final assistant turn must not end with white space"


def _mend(body: Body, facts: Facts) -> tuple[Body, list[Fault]]:
    given = messages_in(body)
    if given and _is_simple(body, given):
        return body, []
    faults: list[Fault] = []
    mended = _system(body, faults)
    prefilled = facts.model is None or facts.model.prefill
    messages = [_message(index, message, faults) for index, message in enumerate(given)]
    empty = {
        index
        for index, message in enumerate(messages)
        if _is_empty(message) and not (prefilled and _may_be_empty(index, given))
    }
    for index in sorted(empty):
        if not any(fault.path.startswith(f"messages.{index}.") for fault in faults):
            faults.append(Fault(f"messages.{index}.content", "the turn has no content", "Leave it out."))
    faults += _lost(messages, empty)
    kept = [message for index, message in enumerate(messages) if index not in empty]
    last = next((n for n in reversed(range(len(kept))) if kept[n].get("role") != "system"), None)
    if prefilled and last is not None and kept[last].get("role") == "assistant":
        kept[last] = _without_trailing_space(len(messages) - len(kept) + last, kept[last], faults)
    if not faults:
        return body, []
    return with_messages(mended, kept, facts.model), faults


def _is_simple(body: Body, messages: list[Message]) -> bool:
    """Strings that say something, the last of them the user's: the usual case, told without building anything."""
    for message in messages:
        content = message.get("content")
        if not isinstance(content, str) or not content or content.isspace():
            return False
    return messages[-1].get("role") == "user" and not is_list(body.get("system"))


def _system(body: Body, faults: list[Fault]) -> Body:
    system = body.get("system")
    if not is_list(system) or not any(is_blank(block) for block in system):
        return body
    for position, block in enumerate(system):
        if is_blank(block):
            faults.append(Fault(f"system.{position}.text", _EMPTY, _LEAVE_OUT, as_object(block).get("text")))
    kept = [block for block in system if not is_blank(block)]
    if kept:
        return {**body, "system": kept}
    return {name: value for name, value in body.items() if name != "system"}


def _message(index: int, message: Message, faults: list[Fault]) -> Message:
    """The message without its blank text blocks, those in tool results included."""
    content = message.get("content")
    if not is_list(content):
        return message
    blocks: list[object] = []
    for position, block in enumerate(content):
        where = f"messages.{index}.content.{position}"
        if is_blank(block):
            faults.append(Fault(f"{where}.text", _EMPTY, _LEAVE_OUT, as_object(block).get("text")))
        else:
            blocks.append(_result(where, block, faults))
    same = len(blocks) == len(content) and all(a is b for a, b in zip(blocks, content, strict=True))
    return message if same else {**message, "content": blocks}


def _result(where: str, block: object, faults: list[Fault]) -> object:
    fields = as_object(block)
    inner = fields.get("content")
    if fields.get("type") != "tool_result" or not is_list(inner) or not any(is_blank(b) for b in inner):
        return block
    for position, nested in enumerate(inner):
        if is_blank(nested):
            faults.append(Fault(f"{where}.content.{position}.text", _EMPTY, _LEAVE_OUT))
    kept = [nested for nested in inner if not is_blank(nested)]
    return {**fields, "content": kept or ""}


def _is_empty(message: Message) -> bool:
    content = message.get("content")
    if isinstance(content, str):
        return not content or content.isspace()
    return is_list(content) and not content and not is_directive(message)


def _may_be_empty(index: int, messages: list[Message]) -> bool:
    """The API allows an empty final assistant message where it may be prefilled."""
    message = messages[index]
    if (
        next((m.get("role") for m in reversed(messages[:index]) if m.get("role") != "system"), "")
        == "assistant"
    ):
        return False
    return index == len(messages) - 1 and message.get("role") == "assistant" and not message.get("content")


def _lost(messages: list[Message], empty: set[int]) -> list[Fault]:
    """User turns that must not vanish: the last one, and the first one before an assistant's."""
    alive = [index for index, message in enumerate(messages) if _speaks(message) and index not in empty]
    speakers = [index for index, message in enumerate(messages) if _speaks(message)]
    users = [index for index in speakers if messages[index].get("role") == "user"]
    if not empty:
        return []
    if not alive:
        return [Fault("messages", "no turn has any content", "Add a user turn with text.", fatal=True)]
    if not users:
        return []
    tail = speakers[_run_start(messages, speakers, users[-1]) :]
    if not any(index in alive for index in tail if messages[index].get("role") == "user"):
        problem = "the last user turn has no content"
        return [Fault(f"messages.{users[-1]}.content", problem, "Give it text.", fatal=True)]
    first = messages[speakers[0]].get("role"), messages[alive[0]].get("role")
    if first == ("user", "assistant"):
        problem = "the first user turn has no content"
        return [Fault(f"messages.{speakers[0]}.content", problem, "Give it text.", fatal=True)]
    return []


def _run_start(messages: list[Message], speakers: list[int], last: int) -> int:
    """Where, among the speakers, the run of user messages that ends with ``last`` begins."""
    at = speakers.index(last)
    while at > 0 and messages[speakers[at - 1]].get("role") == "user":
        at -= 1
    return at


def _speaks(message: Message) -> bool:
    return message.get("role") in ("user", "assistant")


def _without_trailing_space(index: int, message: Message, faults: list[Fault]) -> Message:
    content = message.get("content")
    if isinstance(content, str):
        if content == content.rstrip():
            return message
        faults.append(Fault(f"messages.{index}.content", _TRAILING, "Strip it."))
        return {**message, "content": content.rstrip()}
    if not is_list(content) or not content:
        return message
    last = as_object(content[-1])
    text = last.get("text")
    if last.get("type") != "text" or not isinstance(text, str) or text == text.rstrip():
        return message
    faults.append(Fault(f"messages.{index}.content.{len(content) - 1}.text", _TRAILING, "Strip it."))
    return {**message, "content": [*content[:-1], {**last, "text": text.rstrip()}]}


RULES = (
    mending_rule(
        NAME,
        "Text must not be empty or only white space, and a prefilled answer must not end with white space.",
        "Removes empty text, and turns that have nothing else; strips the end of a prefilled answer.",
        _mend,
        order=14,
        about=frozenset({OTHER, SHAPE}),
    ),
)
