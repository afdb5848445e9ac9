"""What the Models API said, kept on disk for a day: one small file per base URL.

``$XDG_CACHE_HOME/headway`` or ``~/.cache/headway``; ``HEADWAY_CATALOG=off`` turns it off, and with it every
question to the Models API that headway would ask by itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

from headway.core.catalog import BUILT_IN, Catalog
from headway.core.listed_model import ListedModel

log: Final = logging.getLogger("headway")
SWITCH: Final = "HEADWAY_CATALOG"
"""``off``: the built-in table only."""
DAY: Final = 86_400.0
"""Seconds for which a listing is believed."""
_VERSION: Final = 1
_LARGEST: Final = 4_000_000
"""Bytes; a listing has some twenty thousand."""


def is_off(environment: Mapping[str, str] | None = None) -> bool:
    """Whether the user wants the built-in table only."""
    environment = os.environ if environment is None else environment
    return environment.get(SWITCH, "").strip().lower() in {"off", "0", "no", "false", "builtin"}


def cache_folder(environment: Mapping[str, str] | None = None) -> Path | None:
    """Where the files are; ``None`` when it is turned off, or there is no home."""
    environment = os.environ if environment is None else environment
    if is_off(environment):
        return None
    base = Path(environment.get("XDG_CACHE_HOME") or "")
    if not base.is_absolute():  # the XDG specification says to ignore those
        try:
            base = Path.home() / ".cache"
        except RuntimeError:
            return None
    return base / "headway"


class ModelsCache:
    """The listing of one base URL on disk. Whatever goes wrong there is no reason to fail."""

    def __init__(self, base_url: str, folder: Path | None) -> None:
        name = hashlib.sha256(base_url.rstrip("/").encode(errors="replace")).hexdigest()[:16]
        self.path = None if folder is None else folder / f"models-{name}.json"

    def read(self, now: float | None = None) -> tuple[ListedModel, ...] | None:
        """The models listed within the last day (epoch seconds ``now``), or ``None``."""
        if self.path is None:
            return None
        now = time.time() if now is None else now
        try:
            if self.path.stat().st_size > _LARGEST:
                return None
            data = cast("object", json.loads(self.path.read_text(encoding="utf-8")))
            return _models(data, now)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            log.debug("models cache ignored: %s", type(error).__name__)
            return None

    def write(self, models: Sequence[ListedModel], now: float | None = None) -> None:
        """Replace the file at once and whole."""
        if self.path is None:
            return
        now = time.time() if now is None else now
        content = {"version": _VERSION, "at": now, "models": [model.to_json() for model in models]}
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=".models-", dir=self.path.parent)
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    json.dump(content, file)
                Path(name).replace(self.path)
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(name).unlink()
                raise
        except OSError as error:
            log.debug("models cache not written: %s", type(error).__name__)


def _models(data: object, now: float) -> tuple[ListedModel, ...] | None:
    if not isinstance(data, dict):
        raise ValueError("no object")  # noqa: TRY004 - of the file, not of the code
    fields = cast("dict[str, object]", data)
    at, models = fields.get("at"), fields.get("models")
    if fields.get("version") != _VERSION or not isinstance(at, int | float) or not isinstance(models, list):
        raise ValueError("another format")
    if not 0 <= now - at < DAY:
        return None
    return tuple(ListedModel.from_json(model) for model in cast("list[object]", models)) or None


def cached_catalog(base_url: str, base: Catalog = BUILT_IN) -> Catalog:
    """The built-in facts, corrected by a listing of the last day where one is on disk. Asks nobody."""
    models = ModelsCache(base_url, cache_folder()).read()
    return base if models is None else base.with_models(models, time.strftime("%Y-%m-%d", time.gmtime()))
