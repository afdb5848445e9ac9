"""Fault schedules from JSON files, from names of presets, or both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from headway.testing.fake_api.fault import FaultRule
from headway.testing.fake_api.fault_presets import PRESETS, preset
from headway.testing.fake_api.plain import from_plain, to_plain


def load_faults(source: str | Path) -> tuple[FaultRule, ...]:
    """Read a schedule: a preset (``storm``, ``mixed:5``), several (``storm,mixed:5``), or a JSON file.

    Raises ValueError with the file, the rule and the field when something is not understood.
    """
    text = str(source)
    if all(name.partition(":")[0].strip() in PRESETS for name in text.split(",")):
        return tuple(rule for name in text.split(",") for rule in preset(name.strip()))
    path = Path(source)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        names = ", ".join(PRESETS)
        raise ValueError(f"faults: {text!r} is neither a file nor a preset ({names})") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not JSON: {error}") from None
    return parse_faults(content, str(path))


def parse_faults(value: object, where: str = "faults") -> tuple[FaultRule, ...]:
    """Read a schedule from JSON values: a preset's name, a rule, or a list (or ``{"rules": [...]}``).

    A rule is an object of ``FaultRule`` fields, or ``{"preset": "storm", "start": 20, "end": 80}``.
    """
    if isinstance(value, str):
        return preset(value)
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        if set(fields) == {"rules"}:
            return parse_faults(fields["rules"], f"{where}.rules")
        if "preset" in fields:
            return _preset_with(fields, where)
        return (from_plain(FaultRule, fields, where),)
    if isinstance(value, (list, tuple)):
        items = cast("list[object]", value)
        return tuple(
            rule for index, item in enumerate(items) for rule in parse_faults(item, f"{where}[{index}]")
        )
    raise ValueError(f"{where}: a rule, a list of rules or a preset's name is expected, not {value!r}")


def _preset_with(fields: dict[str, object], where: str) -> tuple[FaultRule, ...]:
    changes = {name: item for name, item in fields.items() if name != "preset"}
    rules: list[FaultRule] = []
    for rule in preset(str(fields["preset"])):
        plain = cast("dict[str, object]", to_plain(rule))
        rules.append(from_plain(FaultRule, plain | changes, where))
    return tuple(rules)
