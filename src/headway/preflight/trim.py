"""Shortening a conversation from its oldest turns, so that what is left is still one the API takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from headway.preflight.bound_thinking import without_thinking
from headway.preflight.facts import Body, Facts
from headway.preflight.system_turns import text_of, with_messages, with_system
from headway.preflight.turns import (
    SERVER_USES,
    THINKING,
    Message,
    Turn,
    as_object,
    is_list,
    is_server_result,
    messages_in,
    turns_of,
)

_COMPACTION: Final = "compaction"
"""A block of the API's own compaction: all that came before it is in its summary."""


@dataclass(frozen=True, slots=True)
class Trimmed:
    """A shortened body and what it cost."""

    body: Body
    dropped: tuple[int, ...]
    """Indices of the messages that are gone."""
    thinking: int
    """Thinking blocks taken out of the messages that stay: they are bound to the conversation as it was."""
    hoisted: int
    """``system`` messages of dropped turns whose text now stands in ``system``."""
    tokens: float
    """Input tokens that are left, by the same measure as the target."""


def trim(
    body: Body, facts: Facts, target: float, tokens_of: Callable[[Body], float], first: int | None = None
) -> Trimmed:
    """The body with its oldest turns dropped until its input fits ``target`` tokens, or nothing more may go.

    What stays: the system prompt and tools, the last user turn (and the prompt it belongs to), calls with their
    results, the first user turn if so wished. ``tokens_of`` measures a body. ``first`` is the number of messages in
    the first user turn, where a cut has joined others to it.
    """
    messages = messages_in(body)
    turns = [part for turn in turns_of(messages) for part in _parts(turn)]
    needed = _needed(turns, messages, facts, first)
    model = body.get("model")
    total = tokens_of(body)
    gone: set[int] = set()
    for step in _steps(turns, needed):
        if total <= target:
            break
        indices = [index for turn in step for index in (*turn.indices, *turn.systems)]
        gone.update(indices)
        total -= sum(tokens_of({"model": model, "messages": [messages[index]]}) for index in indices)
        texts = [text_of(messages[index]) for index in indices if _stays(messages[index])]
        total += sum(tokens_of({"system": text, "messages": []}) for text in texts)
    if not gone:
        return Trimmed(body, (), 0, 0, total)
    return _cut(body, messages, gone, facts, tokens_of)


def _parts(turn: Turn) -> list[Turn]:
    """A prompt of several messages, message by message; any other turn whole."""
    if not turn.is_prompt or len(turn.indices) == 1:
        return [turn]
    parts: list[Turn] = []
    for number, index in enumerate(turn.indices):
        end = turn.indices[number + 1] if number + 1 < len(turn.indices) else None
        blocks = [(place, block) for place, block in turn.blocks if place.message == index]
        systems = [n for n in turn.systems if n > index and (end is None or n < end)]
        parts.append(Turn(turn.role, [index], blocks, systems))
    return parts


def _needed(turns: list[Turn], messages: list[Message], facts: Facts, first: int | None) -> set[int]:
    """Numbers of the turns that may not go."""
    users = [n for n, turn in enumerate(turns) if turn.role == "user"]
    prompts = [n for n in users if turns[n].is_prompt]
    needed = set(range(users[-1] if users else len(turns) - 1, len(turns)))
    under_way = prompts[-1] if prompts else -1
    while under_way >= 0 and turns[under_way].is_prompt:  # a prompt of several messages is one
        needed.add(under_way)
        under_way -= 1
    if facts.keep_first_turn:
        for number in range(len(turns) if first is None else min(first, len(turns))):
            if not turns[number].is_prompt:
                break
            needed.add(number)
    for number, turn in enumerate(turns):
        if turn.has(_COMPACTION) or not all(_is_plain(messages[index]) for index in turn.systems):
            needed.add(number)
    if prompts and not (facts.model and facts.model.preserved_thinking):
        # With thinking enabled the answer under way must begin with its thinking block.
        needed.update(n for n in (prompts[-1] + 1,) if n < len(turns) and turns[n].has(*THINKING))
    return _with_partners(turns, needed)


def _with_partners(turns: list[Turn], needed: set[int]) -> set[int]:
    """Calls need their results, and results their calls."""
    whole: set[int] = set()
    for chunk in _chunks(turns):
        if needed & set(chunk):
            whole.update(chunk)
    return whole


def _chunks(turns: list[Turn]) -> list[list[int]]:
    """Turns that go together: a prompt by itself; an answer with the results of its calls; answers of which one
    holds the result of another's server tool."""
    chunks: list[list[int]] = []
    running: set[str] = set()  # server tools whose result has not come yet
    for number, turn in enumerate(turns):
        ends = {str(block.get("tool_use_id")) for _, block in turn.blocks if is_server_result(block)}
        joins = bool(chunks) and ((turn.role == "user" and not turn.is_prompt) or bool(running & ends))
        if joins and not (len(chunks[-1]) == 1 and turns[chunks[-1][0]].is_prompt):
            chunks[-1].append(number)
        else:
            chunks.append([number])
        running |= {str(block.get("id")) for _, block in turn.of_type(*SERVER_USES)}
        running -= ends
    return chunks


def _steps(turns: list[Turn], needed: set[int]) -> list[list[Turn]]:
    """What may be dropped, in the order in which it goes: the oldest first, a prompt with its last answer."""
    steps: list[list[int]] = []
    prompt: int | None = None
    chunks = _chunks(turns)
    for position, chunk in enumerate(chunks):
        if turns[chunk[0]].is_prompt and len(chunk) == 1:
            prompt = chunk[0]
            ends = position + 1 == len(chunks) or turns[chunks[position + 1][0]].is_prompt
            if ends:
                steps.append([prompt])
            continue
        ends = position + 1 == len(chunks) or turns[chunks[position + 1][0]].is_prompt
        steps.append([*([prompt] if prompt is not None and ends else []), *chunk])
    result: list[list[Turn]] = []
    held = False  # a part of this exchange stays, and so does its prompt
    for step in steps:
        prompts = [n for n in step if turns[n].is_prompt]
        rest = [n for n in step if not turns[n].is_prompt]
        if rest and needed & set(rest):
            held = not prompts
            continue
        going = rest + [n for n in prompts if n not in needed and not held]
        if prompts:
            held = False
        if going:
            result.append([turns[n] for n in sorted(going)])
    return result


def _cut(
    body: Body, messages: list[Message], gone: set[int], facts: Facts, tokens_of: Callable[[Body], float]
) -> Trimmed:
    texts = [text_of(messages[index]) for index in sorted(gone) if _stays(messages[index])]
    kept = [message for index, message in enumerate(messages) if index not in gone]
    removed: dict[int, int] = {}
    if facts.model is not None and facts.model.preserved_thinking:
        kept, removed = without_thinking(kept)
    cut = with_messages(with_system(body, texts), kept, facts.model)
    return Trimmed(cut, tuple(sorted(gone)), sum(removed.values()), len(texts), tokens_of(cut))


def _stays(message: Message) -> bool:
    """Whether a dropped message's text goes on to hold: an operator's instruction does, unless it was meant for
    one turn (``clear_at``)."""
    return message.get("role") == "system" and "clear_at" not in message and bool(text_of(message).strip())


def _is_plain(message: Message) -> bool:
    """A ``system`` message of text only: its words can go on in ``system``."""
    content = message.get("content")
    if is_list(content):
        texts = bool(content) and all(as_object(block).get("type") == "text" for block in content)
    else:
        texts = isinstance(content, str)
    return texts and "output_config" not in message
