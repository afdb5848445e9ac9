"""Every tool call beside its result: found and mended in one pass.

https://platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls: the results of an assistant
turn's calls come first in the next user turn, one each. Tools that run on the API's side have their results in
the assistant's turns; one that is still running leaves room for results only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from headway.preflight.fault import Fault
from headway.preflight.tool_ids import renamed_ids
from headway.preflight.turns import (
    SERVER_USES,
    Block,
    Message,
    Place,
    Turn,
    as_object,
    is_list,
    is_server_result,
    turns_of,
    with_blocks,
)

_ANSWER: Final = "Answer every tool_use in the next user turn with one tool_result of the same id."
_FIRST: Final = "Put tool_result blocks before everything else in the user turn."
_ROLE: Final = "tool_use belongs to assistant turns, tool_result to user turns."
_ALONE: Final = "Send the tool results alone; say more after the turn is complete."
MISSING: Final = "The tool was not run, or its result was lost."
"""The content of the error result that stands in for a missing one."""
NO_CONTENT: Final = "(The result of a tool call that is no longer part of the conversation.)"


class Pairing:
    """One pass over a conversation. `messages` is the mended one, `faults` everything that was wrong."""

    def __init__(self, messages: list[Message]) -> None:
        self.faults: list[Fault] = []
        self._given = messages
        self._turns = turns_of(messages)
        self._edits, self.faults = renamed_ids(self._turns)
        self._removed: set[Place] = set()
        self._changed: set[int] = {place.message for place in self._edits}
        self._added: dict[int, Message] = {}  # user turns that are missing, by the message they follow
        self._answers: dict[int, list[Block]] = {}  # the content of user turns, by their first message
        self._displaced = self._find_displaced()
        self._server_calls: set[str] = set()
        for number, turn in enumerate(self._turns):
            after = self._turns[number + 1] if number + 1 < len(self._turns) else None
            if turn.role == "assistant":
                self._server_tools(turn, after)
                self._calls(turn, after)
            elif turn.role == "user":
                self._user(turn, self._turns[number - 1] if number else None)
        self.messages = self._built() if self.faults else messages

    def _block(self, place: Place, block: Block) -> Block:
        return self._edits.get(place, block)

    def _uses(self, turn: Turn | None) -> dict[str, Block]:
        if turn is None or turn.role != "assistant":
            return {}
        uses = (self._block(*pair) for pair in turn.of_type("tool_use"))
        return {str(use.get("id")): use for use in uses}

    def _results(self, turn: Turn) -> Iterator[tuple[Place, Block]]:
        for place, block in turn.of_type("tool_result"):
            yield place, self._block(place, block)

    def _find_displaced(self) -> dict[str, Block]:
        """Results that do not stand behind their call, by its id; the first of each."""
        displaced: dict[str, Block] = {}
        before: Turn | None = None
        for turn in self._turns:
            here = self._uses(before) if turn.role == "user" else {}
            for _, result in self._results(turn):
                name = str(result.get("tool_use_id"))
                if name not in here:
                    displaced.setdefault(name, result)
            before = turn
        return displaced

    def _server_tools(self, turn: Turn, after: Turn | None) -> None:
        """Results without a call before them, and calls that were left behind unanswered."""
        known = self._server_calls
        known.update(str(block.get("id")) for _, block in turn.of_type(*SERVER_USES))
        answered = {str(b.get("tool_use_id")) for _, b in turn.blocks if is_server_result(b)}
        for place, block in turn.blocks:
            if is_server_result(block) and str(block.get("tool_use_id")) not in known:
                problem = f"a {block['type']} without the server_tool_use before it"
                self._remove(place, Fault(place.path, problem, "Send both or neither.", block.get("type")))
        if _goes_on([pair for pair in turn.blocks if pair[0] not in self._removed], after):
            return
        callers = {str(_caller(block)) for _, block in turn.of_type("tool_use")}
        for place, block in turn.of_type(*SERVER_USES):
            if str(block.get("id")) not in answered:
                fatal = str(block.get("id")) in callers
                problem = (
                    f"the server tool {block.get('name')} was still running, and more than results follows"
                )
                self._remove(place, Fault(place.path, problem, _ALONE, block.get("name"), None, fatal))
                known.discard(str(block.get("id")))  # a result that comes later goes with it

    def _calls(self, turn: Turn, after: Turn | None) -> None:
        """Calls without a result in the next user turn; results in the wrong kind of turn."""
        for place, _ in self._results(turn):
            self._remove(place, Fault(place.path, "a tool_result in an assistant turn", _ROLE, "tool_result"))
        uses = self._uses(turn)
        if not uses:
            return
        answered: set[str] = set()
        if after is not None:
            answered = {str(result.get("tool_use_id")) for _, result in self._results(after)}
        missing = [name for name in uses if name not in answered]
        if not missing:
            return
        supplied = [self._supplied(name, uses[name]) for name in missing]
        paths = {str(self._block(*pair).get("id")): pair[0].path for pair in turn.of_type("tool_use")}
        for name, result in zip(missing, supplied, strict=True):
            problem = "a tool_use without its tool_result in the next user turn"
            self.faults.append(Fault(paths[name], problem, _ANSWER, None, result))
        if after is None or after.role != "user":
            self._added[turn.indices[-1]] = {"role": "user", "content": supplied}
        else:
            self._answers[after.indices[0]] = supplied

    def _supplied(self, name: str, use: Block) -> Block:
        """The result from elsewhere in the conversation, or an error in its place."""
        found = self._displaced.get(name)
        result = found or {"type": "tool_result", "tool_use_id": name, "content": MISSING, "is_error": True}
        return _in_toolset(result, use)

    def _user(self, turn: Turn, before: Turn | None) -> None:
        for place, _ in turn.of_type("tool_use"):
            self._remove(place, Fault(place.path, "a tool_use in a user turn", _ROLE, fatal=True))
        uses = self._uses(before)
        results: list[Block] = []
        others: list[Block] = []
        orphans: list[Block] = []
        dirty = turn.indices[0] in self._answers
        seen: set[str] = set()
        for place, given in turn.blocks:
            block = self._block(place, given)
            if block.get("type") != "tool_result":
                others.append(block)
                continue
            name = str(block.get("tool_use_id"))
            if (fault := self._misfit(place, block, uses, seen)) is not None:
                self.faults.append(fault)
                dirty = True
                orphans.append(block)
                continue
            seen.add(name)
            if others:
                self.faults.append(Fault(place.path, "a tool_result after other content", _FIRST))
                dirty = True
            tidy = _in_toolset(block, uses[name])
            if tidy is not block:
                where = f"{place.path}.toolset_name"
                problem = "a tool_result must name the toolset of its call"
                self.faults.append(Fault(where, problem, "Echo it.", None, tidy.get("toolset_name")))
                dirty = True
            results.append(tidy)
        if dirty:
            supplied = self._answers.get(turn.indices[0], [])
            content = [*supplied, *results, *others] or _said(orphans)
            self._answers[turn.indices[0]] = content
            self._changed.update(turn.indices)

    def _misfit(self, place: Place, block: Block, uses: dict[str, Block], seen: set[str]) -> Fault | None:
        name = str(block.get("tool_use_id"))
        if name not in uses:
            problem = "a tool_result without its tool_use in the assistant turn before"
        elif name in seen:
            problem = "a second tool_result for the same tool_use"
        else:
            return None
        return Fault(place.path, problem, _ANSWER, name)

    def _remove(self, place: Place, fault: Fault) -> None:
        self.faults.append(fault)
        self._removed.add(place)
        self._changed.add(place.message)

    def _built(self) -> list[Message]:
        """The conversation as it should have been."""
        rewritten = {
            index for turn in self._turns if turn.indices[0] in self._answers for index in turn.indices
        }
        blocks: dict[int, list[Block]] = {}
        for turn in self._turns:
            for place, block in turn.blocks:
                if place not in self._removed:
                    blocks.setdefault(place.message, []).append(self._block(place, block))
        result: list[Message] = []
        for index, message in enumerate(self._given):
            if index in rewritten:
                if index in self._answers:
                    result.append(with_blocks(message, self._answers[index]))
            elif index not in self._changed:
                result.append(message)
            elif index in blocks:
                result.append(with_blocks(message, blocks[index]))
            if index in self._added:
                result.append(self._added[index])
        return result


def _goes_on(blocks: list[tuple[Place, Block]], after: Turn | None) -> bool:
    """Whether a turn's server tools may still be running: it is paused, or waits for results alone."""
    if after is None:
        last: Block = blocks[-1][1] if blocks else {}
        return last.get("type") in SERVER_USES | {"tool_use"} or is_server_result(last)
    calls = any(block.get("type") == "tool_use" for _, block in blocks)
    return calls and all(block.get("type") == "tool_result" for _, block in after.blocks)


def _caller(use: Block) -> object:
    """The server tool whose program made this call, if one did."""
    return as_object(use.get("caller")).get("tool_id")


def _in_toolset(result: Block, use: Block) -> Block:
    """The result with the toolset of its call, or as it is."""
    wanted = use.get("toolset_name")
    if result.get("toolset_name") == wanted:
        return result
    bare = {name: value for name, value in result.items() if name != "toolset_name"}
    return bare if wanted is None else {**bare, "toolset_name": wanted}


def _said(orphans: list[Block]) -> list[Block]:
    """What orphaned results say, as ordinary content: a turn of nothing else does not vanish."""
    said: list[Block] = []
    for orphan in orphans:
        content = orphan.get("content")
        if isinstance(content, str) and content.strip():
            said.append({"type": "text", "text": content})
        elif is_list(content):
            blocks = [as_object(block) for block in content]
            said += [block for block in blocks if block.get("type") in _ANYWHERE]
    return said or [{"type": "text", "text": NO_CONTENT}]


_ANYWHERE: Final = frozenset({"text", "image", "document", "search_result"})
"""Blocks of a tool result that may also stand in a user turn."""
