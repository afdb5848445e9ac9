"""A conversation that grows turn by turn and keeps within its model's window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, cast

from headway.core.catalog import facts_of
from headway.core.faults import RequestError
from headway.core.request import plain
from headway.preflight.facts import Body, Facts, blocks_of
from headway.preflight.trim import trim
from headway.preflight.turns import as_object, is_blank, is_list, turns_of

Turns = list[dict[str, object]]
SHARE: Final = 0.9
"""Part of the model's window that a conversation may fill when no budget is given: the rest is the answer's,
and the estimate's error."""
KEPT: Final = 0.75
"""Part of the budget that is left after trimming. Every cut costs the prompt cache of all turns behind it, so
cuts are rare and deep rather than one with every turn."""


class Conversation:
    """Keeps the turns of a conversation, and drops the oldest when it grows over its budget.

    ::

        conversation = Conversation(model="claude-sonnet-5-5", system="Be brief.")
        conversation.add_user("Hello")
        conversation.add(await scheduler.submit(conversation.params))

    ``system`` and ``tools`` are those of ``messages.create``; they count and always stay, as do the last turn,
    tool calls with their results, and the first user turn (``keep_first_turn``). ``budget`` is in input tokens;
    without one it is 90 % of the model's window. Sizes are estimated, and corrected by the usage of every reply
    that is added. ``messages`` continues a conversation that was kept elsewhere: it is plain JSON.

    On models that bind thinking blocks to the conversation before them a cut removes all thinking blocks.
    """

    def __init__(
        self,
        *,
        model: str | None = None,
        system: object = None,
        tools: object = None,
        budget: int | None = None,
        keep_first_turn: bool = True,
        messages: Iterable[object] = (),
    ) -> None:
        if budget is not None and budget < 1:
            raise ValueError(f"Conversation.budget must be at least 1 token, not {budget!r}")
        self._model = model
        self._system = plain(system)
        self._tools = plain(tools)
        self._budget = budget
        self._keep_first_turn = keep_first_turn
        self._messages: Turns = []
        self._scale = 1.0
        self._dropped = 0
        self._first: int | None = None  # messages of the first user turn, once a cut has joined others to it
        for message in messages:
            self._messages.append(_turn(message))

    @property
    def messages(self) -> Turns:
        """For ``scheduler.submit`` or ``messages.create``: plain JSON, a new list every time."""
        return list(self._messages)

    @property
    def system(self) -> object:
        """The system prompt, with what ``system`` messages of dropped turns said."""
        return self._system

    @property
    def params(self) -> dict[str, object]:
        """Messages, system prompt, tools and model, as parameters of ``messages.create``."""
        given = {"model": self._model, "system": self._system, "tools": self._tools}
        return {name: value for name, value in given.items() if value} | {"messages": self.messages}

    @property
    def tokens(self) -> int:
        """Input tokens of the next request, by estimate."""
        return round(self._size(self.params))

    @property
    def budget(self) -> int | None:
        """Input tokens it may grow to; ``None`` while neither a budget nor a known model says so."""
        if self._budget is not None:
            return self._budget
        facts = self._facts().model
        return int(facts.window * SHARE) if facts else None

    @property
    def dropped(self) -> int:
        """How many messages were dropped so far."""
        return self._dropped

    @property
    def pending(self) -> list[dict[str, object]]:
        """The ``tool_use`` blocks that wait for their result."""
        turns = turns_of(list(self._messages))
        answered: set[object] = set()
        if turns and turns[-1].role == "user" and len(turns) > 1:
            answered = {block.get("tool_use_id") for _, block in turns[-1].of_type("tool_result")}
            asked = turns[-2]
        else:
            asked = turns[-1] if turns else None
        if asked is None or asked.role != "assistant":
            return []
        return [dict(use) for _, use in asked.of_type("tool_use") if use.get("id") not in answered]

    def add_user(self, content: object) -> Turns:
        """Add a user turn: text, or a list of content blocks. Returns the messages that were dropped for it.

        Raises `RequestError` when it is empty, while tool calls wait for their results (`pending`), for a result
        of no such call, and when it does not fit into the budget even alone.
        """
        turn = _turn({"role": "user", "content": content})
        waiting = {str(use["id"]) for use in self.pending}
        results = [block for block in blocks_of(turn["content"]) if block.get("type") == "tool_result"]
        named = {str(block.get("tool_use_id")) for block in results}
        if unknown := named - waiting:
            raise RequestError("tool_use_id", f"no tool call waits for {', '.join(sorted(unknown))}")
        if (left := waiting - named) and len(results) < len(blocks_of(turn["content"])):
            raise RequestError(
                "messages",
                f"tool calls wait for their results: {', '.join(sorted(left))}; add_tool_result first",
            )
        self._messages.append(turn)
        try:
            return self._shorten(strict=True)
        except RequestError:
            self._messages.pop()
            raise

    def add_tool_result(self, tool_use_id: str, content: object = "", *, is_error: bool = False) -> Turns:
        """Answer one tool call: text, or a list of blocks. Returns the messages that were dropped for it.

        Raises `RequestError` as `add_user` does.
        """
        result: dict[str, object] = {
            "type": "tool_result",
            "tool_use_id": tool_use_id,
            "content": plain(content),
        }
        if is_error:
            result["is_error"] = True
        for use in self.pending:
            if use["id"] == tool_use_id and use.get("toolset_name") is not None:
                result["toolset_name"] = use["toolset_name"]
        return self.add_user([result])

    def add(self, message: object) -> Turns:
        """Add a reply (the SDK's ``Message``), or any message as a dict. Returns the messages that were dropped.

        Empty text in a reply is left out, and a reply of nothing else leaves no turn behind: the API would refuse
        it when it is sent back. The usage of
        a reply corrects the estimate, and its model decides on the window if none was named.
        """
        role = _field(message, "role")
        if role == "user":
            return self.add_user(_field(message, "content"))
        self._learn(message)
        content = plain(_field(message, "content"))
        if is_list(content):
            content = [block for block in content if not is_blank(block)]
            if not content:
                return []
        self._messages.append(_turn({"role": role, "content": content}))
        return self._shorten(strict=False)

    def _learn(self, message: object) -> None:
        model, usage = _field(message, "model"), _field(message, "usage")
        if self._model is None and isinstance(model, str) and facts_of(model):
            self._model = model
        names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
        counts = [_field(usage, name) for name in names]
        tokens = sum(count for count in counts if isinstance(count, int))
        if tokens > 0 and self._messages:
            self._scale = tokens / max(1.0, self._facts().input_tokens(self.params))

    def _size(self, body: Body) -> float:
        return self._facts().input_tokens(body) * self._scale

    def _facts(self) -> Facts:
        model = facts_of(self._model) if self._model else None
        return Facts(model, keep_first_turn=self._keep_first_turn)

    def _shorten(self, *, strict: bool) -> Turns:
        budget = self.budget
        if budget is None or self.tokens <= budget:
            return []
        first = _leading_users(self._messages) if self._first is None else self._first
        done = trim(self.params, self._facts(), budget * KEPT, self._size, first)
        if strict and done.tokens > budget:
            raise RequestError(
                "messages",
                f"the system prompt, tools and the turns that must stay have about {done.tokens:,.0f} tokens, more "
                f"than the conversation's budget of {budget:,}; shorten the turn or raise the budget",
            )
        dropped = [self._messages[index] for index in done.dropped]
        self._messages = [dict(message) for message in cast("Turns", done.body["messages"])]
        self._system = done.body.get("system")
        self._dropped += len(dropped)
        self._first = first if dropped else self._first
        return dropped


def _leading_users(messages: Turns) -> int:
    return next((n for n, message in enumerate(messages) if message["role"] != "user"), len(messages))


def _turn(message: object) -> dict[str, object]:
    """A message as plain JSON; raises `RequestError` when it is none, or empty."""
    role, content = _field(message, "role"), plain(_field(message, "content"))
    if role not in ("user", "assistant", "system"):
        raise RequestError("role", f"must be user, assistant or system, not {role!r}")
    blocks = blocks_of(content)
    if not blocks or any(is_blank(block) for block in blocks):
        raise RequestError("content", "must be text or a list of content blocks, and not be empty")
    return {"role": role, "content": content}


def _field(value: object, name: str) -> object:
    """A field of a dict or of one of the SDK's objects."""
    return (
        as_object(cast("object", value)).get(name)
        if isinstance(value, Mapping)
        else getattr(value, name, None)
    )
