"""``--prompt "Classify: {review}"``, ``--system "Answer in {language}"``: text made from the fields of a record."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final, cast

from headway.cli.exit_status import CommandError
from headway.cli.line_fault import LineFault
from headway.core.nearest import nearest_names

_ABSENT: Final = object()
_PART: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


class PromptTemplate:
    """Text with ``{field}`` in it; ``{{`` and ``}}`` are braces. Only a prompt must name a field."""

    def __init__(self, text: str, option: str = "--prompt") -> None:
        self.text = text
        self._option = option
        self._parts: list[tuple[str, str | None]] = []
        """Literal text, and the field that follows it."""
        self._tail = ""
        self._parse(text)

    @property
    def fields(self) -> list[str]:
        """The fields it needs, in order."""
        return [name for _, name in self._parts if name is not None]

    def fill(self, fields: Mapping[str, object]) -> str:
        """The prompt of one record. Raises `LineFault` naming the missing field."""
        out: list[str] = []
        for literal, name in self._parts:
            out.append(literal)
            if name is not None:
                out.append(field_text(name, fields, self._option))
        out.append(self._tail)
        prompt = "".join(out)
        if not prompt.strip():
            what = "prompt" if self._option == "--prompt" else "system prompt"
            raise LineFault(f"the {what} is empty; the API refuses empty prompts")
        return prompt

    def _parse(self, text: str) -> None:
        literal: list[str] = []
        start = 0
        for match in _PART.finditer(text):
            literal.append(text[start : match.start()])
            start = match.end()
            found = match.group()
            if found in {"{{", "}}"}:
                literal.append(found[0])
            elif len(found) == 1:
                place = f"{found!r} at position {match.start() + 1}"
                raise CommandError(f"{self._option}: {place} has no partner; write {found * 2} for a brace")
            elif not (name := match.group(1).strip()):
                raise CommandError(
                    f"{self._option}: {{}} names no field; write {{field}}, or {{{{}}}} for braces"
                )
            else:
                self._parts.append(("".join(literal), name))
                literal = []
        self._tail = "".join((*literal, text[start:]))
        if not self.fields and self._option == "--prompt":
            raise CommandError(
                "--prompt names no field, so every line would send the same text; "
                'write for example --prompt "Classify: {review}"'
            )


def field_text(name: str, fields: Mapping[str, object], option: str) -> str:
    """A field as text: JSON of what is none. Raises `LineFault` naming the missing field and who needs it."""
    value = _value(name, fields)
    if value is _ABSENT:
        there = ", ".join(list(fields)[:10]) or "none"
        close = nearest_names(name, list(fields), 1)
        meant = f"; did you mean {{{close[0]}}}?" if close else ";"
        raise LineFault(f"no field {name!r}, which {option} needs{meant} fields here: {there}")
    if isinstance(value, str):
        return value
    if value is None:
        raise LineFault(f"field {name!r}, which {option} needs, is null")
    return json.dumps(value, ensure_ascii=False)


def _value(name: str, fields: Mapping[str, object]) -> object:
    """A field by its name, or else one inside of another by the names of both: ``meta.lang``."""
    if name in fields:
        return fields[name]
    outer, dot, inner = name.partition(".")
    within = fields.get(outer)
    return (
        _value(inner, cast("Mapping[str, object]", within))
        if dot and isinstance(within, Mapping)
        else _ABSENT
    )
