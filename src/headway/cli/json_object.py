"""One line of JSON Lines to an object, with errors a person can act on."""

from __future__ import annotations

import json
from typing import Final, NoReturn, cast

from headway.cli.line_fault import LineFault

AN_ARRAY: Final = "one object per line is expected: jq -c '.[]' FILE > lines.jsonl makes that of an array"
ON_LINES: Final = "each object must stand on one line: jq -c . FILE > lines.jsonl makes that of it"
UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


def decode(content: bytes) -> str:
    """UTF-8 text of a line. Raises `LineFault` naming the byte."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        what = "UTF-16" if content[:2] in UTF_16 else f"invalid UTF-8 at byte {error.start + 1}"
        raise LineFault(f"{what}; save the file as UTF-8") from None


def parse_object(content: bytes) -> dict[str, object]:
    """The object on a line. Raises `LineFault`."""
    text = decode(content)
    try:
        value = cast("object", _DECODER.decode(text))
    except json.JSONDecodeError as error:
        raise LineFault(_not_json(text, error)) from None
    except RecursionError:
        raise LineFault("invalid JSON: nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits
        raise LineFault(f"invalid JSON: {error}") from None
    if isinstance(value, list):
        raise LineFault(f"is an array; {AN_ARRAY}")
    if not isinstance(value, dict):
        raise LineFault(
            f'is {_json_name(value)}, not an object; write {{"prompt": …}}, {{"messages": …}} or '
            '{"custom_id": …, "params": …}'
        )
    found = cast("dict[str, object]", value)
    if "\\u" in text:
        _refuse_lone_surrogates(found)
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise LineFault(f"invalid JSON: {name} is not a JSON number; use null or a string")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)
"""Made once: ``json.loads`` with options makes a decoder for every line."""


def _refuse_lone_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise LineFault(
            r"half a surrogate pair (such as \ud83d alone) is not text; write the whole character"
        ) from None


def _not_json(text: str, error: json.JSONDecodeError) -> str:
    problem = f"invalid JSON at column {error.pos + 1}: {error.msg}"
    if error.pos == 0 and text.lstrip()[:1] not in {"{", "["}:
        problem += '; one JSON object per line is expected (plain text: --format text --prompt "{line}")'
    elif text.strip() in {"[", "{"}:
        problem += f"; {AN_ARRAY}" if text.strip() == "[" else f"; {ON_LINES}"
    elif error.msg.startswith("Extra data"):
        problem += "; one object per line"
    return problem


def _json_name(value: object) -> str:
    if value is None:
        return "null"
    names = {"str": "a string", "bool": "a boolean"}
    return names.get(type(value).__name__, "a number")
