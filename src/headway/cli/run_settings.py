"""What must not change between the runs that share a journal: the input and what requests are made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, Protocol, cast

from headway.cli.exit_status import CommandError
from headway.cli.prompt_input import PromptInput

META: Final = "cli.run"
OPTION: Final = {
    "model": "--model",
    "max_tokens": "--max-tokens",
    "system": "--system",
    "prompt": "--prompt",
    "format": "--format",
    "id_field": "--id",
    "schema": "--schema",
}


class MetaStore(Protocol):
    """The part of a journal that keeps named texts."""

    async def get_meta(self, name: str) -> str | None:
        """A text, or ``None``."""
        ...

    async def set_meta(self, name: str, value: str) -> None:
        """Keep a text; committed on return."""
        ...


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What requests are made from."""

    model: str
    max_tokens: int
    system: str | None
    prompt: str | None
    format: str
    base_url: str
    """Only warned about: a gateway's address may change."""
    id_field: str | None = None
    schema: str | None = None
    """As JSON."""


async def check_settings(
    journal: MetaStore, settings: RunSettings, source: PromptInput, journal_name: str
) -> tuple[bool, list[str]]:
    """Refuse a journal of another input or of other settings, then store these. Raises `CommandError`.

    Gives whether the journal had been used before, and warnings.
    """
    text = await journal.get_meta(META)
    head = source.fingerprint()
    warnings: list[str] = []
    if text is not None:
        stored = cast("dict[str, object]", json.loads(text))
        _compare_input(stored, source, journal_name)
        _compare_options(stored, settings, journal_name)
        if stored.get("base_url") != settings.base_url:
            warnings.append(
                f"earlier results came from {stored.get('base_url')}, new ones from {settings.base_url}"
            )
    await journal.set_meta(
        META, json.dumps(asdict(settings) | {"head_size": head.size, "head_sha256": head.sha256})
    )
    return text is not None, warnings


def _compare_input(stored: Mapping[str, object], source: PromptInput, journal_name: str) -> None:
    size = stored.get("head_size")
    if isinstance(size, int):
        now = source.fingerprint(size)
        if (now.size, now.sha256) == (size, stored.get("head_sha256")):
            return
    raise CommandError(
        f"{journal_name} belongs to another input: the beginning of {source.name} is not what it was.\n"
        "Lines may be appended to an input, but those at its beginning must stay.\n"
        "Use --fresh to start over (earlier results are deleted), or -o for results of their own."
    )


def _compare_options(stored: Mapping[str, object], settings: RunSettings, journal_name: str) -> None:
    now = asdict(settings)
    changes = [
        f"  {option}: {_shown(stored.get(name))} before, {_shown(now[name])} now"
        for name, option in OPTION.items()
        if stored.get(name) != now[name]
    ]
    if changes:
        raise CommandError(
            f"{journal_name} was begun with other settings:\n" + "\n".join(changes) + "\n"
            "Results of both would be mixed. Use the same settings to go on, --fresh to start over "
            "(earlier results are deleted), or -o for results of their own."
        )


def _shown(value: object) -> str:
    text = "none" if value is None else repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text)} characters)"
