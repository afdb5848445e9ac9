"""Records to requests: the three line forms, prompts from templates, ids."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, cast

from headway.cli.line_fault import LineFault, Warnings
from headway.cli.prompt_template import PromptTemplate, field_text
from headway.cli.records import Record
from headway.core.id_set import IdSet
from headway.core.request import CALL_OPTIONS, Request, RequestError, build_request, label_of
from headway.preflight.rules.parameters import KNOWN

BATCH_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What the Message Batches API accepts as ``custom_id``."""
NAMES: Final = ("custom_id", "tag", "tenant")
"""What a line may say of its result and of whose it is."""
PARAMETERS: Final = KNOWN | CALL_OPTIONS | {"betas"}
"""What a line may say beside its id and its prompt."""


@dataclass(frozen=True, slots=True)
class RequestDefaults:
    """What fills the gaps of a line."""

    model: str
    max_tokens: int
    system: str | None = None
    tag: str = ""
    """Of lines without one."""
    id_field: str | None = None
    """The field that names the results, in place of ``custom_id``."""
    format: Mapping[str, object] | None = None
    """``output_config.format`` of lines that have none."""

    def params(self) -> dict[str, object]:
        """As parameters of a request."""
        given: dict[str, object] = {"model": self.model, "max_tokens": self.max_tokens}
        return given if self.system is None else given | {"system": self.system}


class RequestBuilder:
    """Turns records into requests with an id each; notices ids that come twice."""

    def __init__(
        self, defaults: RequestDefaults, template: PromptTemplate | None, warnings: Warnings
    ) -> None:
        self._defaults = defaults.params()
        self._tag = defaults.tag
        self._id_field = defaults.id_field
        self._format = defaults.format
        self._template = template
        system = defaults.system
        # Lines that bring their own requests get the text as it stands: it may be full of braces.
        self._system = None if template is None or system is None else PromptTemplate(system, "--system")
        self._warnings = warnings
        self._ids = IdSet()
        self._line = 0

    def build(self, record: Record) -> Request:
        """The request of a record, with its ``custom_id``. Raises `LineFault`."""
        self._line = record.number
        if record.problem is not None:
            raise LineFault(record.problem)
        custom_id, body = self._body(record)
        if self._format is not None:
            body = with_format(body, self._format)
        key = line_id(record) if custom_id is None else custom_id
        try:
            request = build_request(body, self._defaults, {}, custom_id=key)
            tag, tenant = _label("tag", record.fields) or self._tag, _label("tenant", record.fields)
            if tag or tenant:
                request = replace(request, tag=tag, tenant=tenant)
            request.content_digest()  # what JSON cannot hold is this line's fault
        except RequestError as error:
            raise LineFault(str(error)) from None
        self._claim(key)
        return request

    def forget_ids(self) -> None:
        """Start over at the head of the same input."""
        self._ids.clear()

    def claim_bad_line(self, record: Record) -> str:
        """The id under which a line that has no request is reported: its own, if it is one and no other line's."""
        try:
            key = self._custom_id(_fields(record))
        except LineFault:
            key = None
        if key is None or not self._ids.add(key):
            key = line_id(record)
            self._ids.add(key)
        return key

    def _body(self, record: Record) -> tuple[str | None, dict[str, object]]:
        fields = _fields(record)
        custom_id = self._custom_id(fields)
        if self._template is not None:
            body: dict[str, object] = {"messages": _user_turn(self._template.fill(fields))}
            if self._system is not None:
                body["system"] = self._system.fill(fields)
            return custom_id, body
        return custom_id, self._body_of_form(record.fields)

    def _body_of_form(self, fields: Mapping[str, object]) -> dict[str, object]:
        forms = [name for name in ("params", "messages", "prompt") if name in fields]
        if len(forms) != 1:
            raise LineFault(_no_form(fields, forms))
        if forms == ["params"]:
            self._warn_unknown(set(fields) - {"params", *NAMES, self._id_field}, "is ignored")
            return self._params(fields["params"])
        extra = set(fields) - PARAMETERS - {"prompt", *NAMES, self._id_field}
        self._warn_unknown(extra, "is not a parameter of the Messages API and is not sent")
        body = {name: value for name, value in fields.items() if name in PARAMETERS}
        if forms == ["prompt"]:
            prompt = fields["prompt"]
            if not isinstance(prompt, str) or not prompt.strip():
                what = "is empty" if isinstance(prompt, str) else f"must be text, not {type(prompt).__name__}"
                raise LineFault(f"prompt: {what}; the API refuses empty prompts")
            body["messages"] = _user_turn(prompt)
        return body

    def _params(self, params: object) -> dict[str, object]:
        if not isinstance(params, dict):
            raise LineFault(f"params: must be an object with the request, not {type(params).__name__}")
        body = cast("dict[str, object]", params)
        self._warn_unknown(
            set(body) - PARAMETERS, "is not a parameter that headway knows; it is sent as it is"
        )
        return body

    def _custom_id(self, fields: Mapping[str, object]) -> str | None:
        if self._id_field is not None:
            value = field_text(self._id_field, fields, "--id")
        elif (value := fields.get("custom_id")) is None:
            return None
        if not isinstance(value, str) or not value:
            raise LineFault(f"{self._id_field or 'custom_id'}: must be a text that is not empty, or left out")
        if not BATCH_ID.fullmatch(value):
            text = (
                f"custom_id {value[:80]!r} works here, but the Message Batches API wants {BATCH_ID.pattern}"
            )
            self._warnings.once("custom_id", "", f"{self._line}: {text}")
        return value

    def _claim(self, key: str) -> None:
        if not self._ids.add(key):
            raise LineFault(f"custom_id {key[:80]!r} was used on an earlier line; every line needs its own")

    def _warn_unknown(self, names: set[str], what: str) -> None:
        for name in sorted(names):
            self._warnings.once("fields", name, f"{self._line}: field {name[:80]!r} {what}")


def with_format(body: dict[str, object], wanted: Mapping[str, object]) -> dict[str, object]:
    """The body with a format for its answer, unless it asks for one itself."""
    config = body.get("output_config")
    if "output_format" in body or not isinstance(config, dict | None):
        return body
    return {**body, "output_config": {"format": wanted, **cast("dict[str, object]", config or {})}}


def _fields(record: Record) -> Mapping[str, object]:
    return {**dict.fromkeys(record.empty), **record.fields}


def line_id(record: Record) -> str:
    """The id of a line that brings none: it depends on content and line number only."""
    digest = hashlib.sha256(record.content).hexdigest()[:8]
    return f"line-{record.number}-{digest}"


def _label(name: str, fields: Mapping[str, object]) -> str:
    """What the line's cost is counted under; a number of a table is taken as its text."""
    value = fields.get(name)
    return str(value) if isinstance(value, int | float) else label_of(name, value)


def _user_turn(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def _no_form(fields: Mapping[str, object], forms: list[str]) -> str:
    if forms:
        return f"has {' and '.join(forms)}; one of params, messages and prompt says what to send"
    names = [name for name in fields if name != "custom_id"]
    field = names[0] if names else "field"
    return (
        f"has none of params, messages and prompt (fields: {', '.join(names[:10]) or 'none'}); "
        f'to make prompts from fields add for example --prompt "{{{field}}}"'
    )
