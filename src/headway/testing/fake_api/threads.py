"""Message threads: conversations that the server holds, so that a request brings only what is new.

``thread: {"type": "create"}`` begins one under the reply's id, ``{"type": "continue", "previous_message_id": …}``
goes on from a reply, once. SDK 2.12's tool_runner asks for them by itself.
"""

from __future__ import annotations

from typing import Final, cast

from headway.testing.fake_api.body_rules import Body
from headway.testing.fake_api.wire_error import WireError, invalid

_MOST_HELD: Final = 10_000
_KEPT: Final = ("system", "tools")


class Threads:
    """Every turn that can be continued, by the id of its reply."""

    def __init__(self) -> None:
        self._held: dict[str, Body] = {}
        self._continued: set[str] = set()

    def whole(self, body: Body) -> Body:
        """The request with the conversation that it continues in front of its messages, or the API's complaint."""
        previous = _previous(body)
        if previous is None:
            return body
        held = self._held.get(previous)
        if held is None:
            code, text = "thread_not_found", f"thread: no conversation is held for message '{previous}'"
            raise WireError(404, "not_found_error", text, code)
        if previous in self._continued:
            code, text = "thread_already_continued", f"thread: message '{previous}' was continued already"
            raise WireError(400, "invalid_request_error", text, code)
        turns = [*cast("list[Body]", held["messages"]), *cast("list[Body]", body.get("messages") or [])]
        return {**{name: held[name] for name in _KEPT if name in held}, **body, "messages": turns}

    def keep(self, body: Body, reply: Body) -> None:
        """Hold the conversation of a request that asked for it, with its reply."""
        if not isinstance(body.get("thread"), dict):
            return
        if (previous := _previous(body)) is not None:
            self._continued.add(previous)
        turn = {"role": "assistant", "content": reply["content"]}
        self._held[str(reply["id"])] = {**body, "messages": [*cast("list[Body]", body["messages"]), turn]}
        if len(self._held) > _MOST_HELD:
            oldest = next(iter(self._held))
            del self._held[oldest]
            self._continued.discard(oldest)


def _previous(body: Body) -> str | None:
    """The id that is to be continued."""
    thread = body.get("thread")
    if thread is None:
        return None
    fields = cast("Body", thread) if isinstance(thread, dict) else {}
    match fields.get("type"), fields.get("previous_message_id"):
        case "create", _:
            return None
        case "continue", str(previous):
            return previous
        case _:
            raise invalid("thread: Input should be {'type': 'create'} or name the message it continues")
