"""Who runs the jobs: headway, and what a user has today. Each file is one, tuned as its documentation says."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Final

from utilisation_suite.contenders.contender import Contender, Setup

__all__ = ["CONTENDERS", "Contender", "Setup", "load", "missing_packages"]

CONTENDERS: Final[dict[str, tuple[str, str, tuple[str, ...]]]] = {
    "headway": ("headway_scheduler", "HeadwayScheduler", ("headway",)),
    "sdk": ("sdk_retries", "SDKRetries", ("anthropic",)),
    "sdk-aiohttp": ("sdk_retries", "SDKRetriesAioHTTP", ("anthropic", "aiohttp")),
    "aiolimiter-tenacity": ("limiter_and_tenacity", "LimiterAndTenacity", ("aiolimiter", "tenacity")),
    "async-batch-llm": ("batch_llm", "BatchLLM", ("async_batch_llm",)),
    "lm-deluge": ("deluge", "Deluge", ("lm_deluge",)),
}
"""Name: file, class, packages that must be there."""


def load(name: str) -> Callable[[Setup], Contender]:
    """The class of a contender; its imports happen here, in the client process."""
    file, kind, _ = CONTENDERS[name]
    found: Callable[[Setup], Contender] = getattr(importlib.import_module(f"{__name__}.{file}"), kind)
    return found


def missing_packages(name: str) -> list[str]:
    """Packages of a contender that are not installed."""
    return [package for package in CONTENDERS[name][2] if importlib.util.find_spec(package) is None]
