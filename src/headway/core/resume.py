"""The request that goes on where a broken answer stopped.

https://platform.claude.com/docs/en/build-with-claude/streaming#error-recovery: models up to 4.5 continue a
prefilled assistant turn; newer ones reject prefill and are asked, in a user turn that quotes the end.
"""

from __future__ import annotations

from typing import Final, cast

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

    ``produced``: output tokens of the part that is kept; the cap covers the whole answer. A structured
    output is not resumed: its grammar would start again from the beginning.
    """
    texts = [text for text in kept.texts if text.strip()]
    if not texts or _structured(request):
        return None
    texts[-1] = texts[-1].rstrip()  # a final assistant turn must not end with white space
    messages = [*cast("list[object]", request.params["messages"])]
    ended = _assistant_turn(messages[-1])
    if prefill:
        if ended is not None:  # the caller's own prefill: the answer went on from it without a seam
            messages[-1] = {"role": "assistant", "content": _joined(ended, texts)}
        else:
            messages.append({"role": "assistant", "content": _blocks(texts)})
    else:
        ask = CONTINUE.format(end=quoted(texts[-1]))
        messages += [{"role": "assistant", "content": _blocks(texts)}, {"role": "user", "content": ask}]
    return request.with_params(messages=messages, max_tokens=max(1, request.max_tokens - produced))


def quoted(text: str) -> str:
    """The end of a text, as the continuation message quotes it."""
    return text.rstrip()[-QUOTED:]


def _structured(request: Request) -> bool:
    config = request.params.get("output_config")
    return isinstance(config, dict) and bool(cast("dict[str, object]", config).get("format"))


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
