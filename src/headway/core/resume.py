"""The request that goes on where a broken answer stopped.

https://platform.claude.com/docs/en/build-with-claude/streaming#error-recovery: models up to 4.5 continue a
prefilled assistant turn; newer ones reject prefill and are asked, in a user turn that quotes the end.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, cast

from headway.core.error_kind import ErrorKind
from headway.core.failure import Failure, failure_of
from headway.core.partial import Kept
from headway.core.request import Request

QUOTED: Final = 400
"""Characters of the end that the continuation message quotes: enough to be found, short enough to be cheap."""
CONTINUE: Final = (
    "Your previous response was interrupted and ended with [{end}]. Continue from where you left off. "
    "Do not repeat any of it and do not comment on the interruption."
)


def resumed(request: Request, kept: Kept, produced: int, *, prefill: bool) -> Request | None:
    """The request for the rest of the answer; ``None`` when it cannot be resumed.

    ``produced``: output tokens of the part that is kept; the cap covers the whole answer, but stays above a
    thinking budget, as the API asks. ``prefill``: the model takes it, unless it thinks first: its turn would
    have to begin with thinking. A structured output is not resumed: its grammar would start again.
    """
    texts = [text for text in kept.texts if text.strip()]
    if not texts or _structured(request):
        return None
    texts[-1] = texts[-1].rstrip()  # a final assistant turn must not end with white space
    messages = [*cast("list[object]", request.params["messages"])]
    ended = _assistant_turn(messages[-1])
    budget = _thinking_budget(request)
    if prefill and budget is None:
        if ended is not None:  # the caller's own prefill: the answer went on from it without a seam
            messages[-1] = {"role": "assistant", "content": _joined(ended, texts)}
        else:
            messages.append({"role": "assistant", "content": _blocks(texts)})
    else:
        ask = CONTINUE.format(end=quoted(texts[-1]))
        messages += [{"role": "assistant", "content": _blocks(texts)}, {"role": "user", "content": ask}]
    least = 1 if budget is None else budget + 1
    return request.with_params(messages=messages, max_tokens=max(least, request.max_tokens - produced))


def quoted(text: str) -> str:
    """The end of a text, as the continuation message quotes it."""
    return text.rstrip()[-QUOTED:]


def _structured(request: Request) -> bool:
    config = request.params.get("output_config")
    asked = isinstance(config, dict) and bool(cast("dict[str, object]", config).get("format"))
    return asked or request.output_format is not None or bool(request.params.get("output_format"))


def _thinking_budget(request: Request) -> int | None:
    """``budget_tokens`` of a request that thinks by budget."""
    thinking = request.params.get("thinking")
    if not isinstance(thinking, dict):
        return None
    budget = cast("dict[str, object]", thinking).get("budget_tokens")
    return budget if isinstance(budget, int) else None


def _assistant_turn(message: object) -> object | None:
    turn = cast("dict[str, object]", message)
    return turn["content"] if turn.get("role") == "assistant" else None


def _blocks(texts: list[str]) -> list[dict[str, str]]:
    return [{"type": "text", "text": text} for text in texts]


def _joined(given: object, texts: list[str]) -> object:
    """The caller's prefill with the answer after it."""
    if isinstance(given, str):
        return given + texts[0] if len(texts) == 1 else [*_blocks([given + texts[0]]), *_blocks(texts[1:])]
    blocks = [*cast("list[object]", given)]
    last = cast("dict[str, object]", blocks[-1]) if blocks else {}
    if last.get("type") == "text":
        blocks[-1] = {**last, "text": f"{last['text']}{texts[0]}"}
        texts = texts[1:]
    return [*blocks, *_blocks(texts)]


def interrupted(failure: Failure, reason: str) -> Failure:
    """No further attempt, whatever the failure was."""
    if failure.row.attempts == 1 and not failure.row.throttle:
        return failure
    late = failure_of(ErrorKind.STREAM_INTERRUPTED, f"{failure.kind.value}: {failure.message}; {reason}")
    return replace(late, status=failure.status, type=failure.type, request_id=failure.request_id)
