"""What ``headway doctor`` finds out without asking anybody: versions, credential, address, open files."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from headway import __version__
from headway.cli.credentials import ELSEWHERE, KEYS, MISSING, profile_on_disk
from headway.cli.diagnosis import Check, Mark
from headway.core.key_shape import ADMIN_KEY, OFFICIAL, TOKEN, unusual

DEFAULT_URL: Final = OFFICIAL
LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
LIBRARIES: Final = ("anthropic", "aiohttp", "anyio")
EXTRAS: Final = {"images": "pillow", "redis": "redis", "ray": "ray", "temporal": "temporalio"}
"""Extras and what they bring."""
PROXIES: Final = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
ENOUGH: Final = 1064
"""Open files for the SDK's 1,000 connections and the rest of the process."""


def versions() -> Iterator[Check]:
    """What is installed."""
    libraries = ", ".join(f"{name} {_version(name) or 'missing'}" for name in LIBRARIES)
    python = f"Python {platform.python_version()} on {platform.system()}"
    yield Check("versions", Mark.FINE, f"headway {__version__}, {libraries}, {python}")
    there = [extra for extra, package in EXTRAS.items() if _version(package)]
    if there:
        yield Check("extras", Mark.NOTE, f"installed: {', '.join(there)}")


def open_files(limit: int, connections: int) -> Check:
    """Whether there are files enough for the connections."""
    text = f"{limit:,} open files allow {connections:,} connections"
    if limit >= ENOUGH:
        return Check("open files", Mark.FINE, text)
    return Check("open files", Mark.WARNING, text, f"Raise it for large runs: ulimit -n {ENOUGH * 4}")


def address(base_url: str, environment: Mapping[str, str]) -> Iterator[Check]:
    """Where requests go."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()  # never a password
    if parts.scheme not in {"http", "https"} or not host:
        yield Check(
            "base URL",
            Mark.BROKEN,
            f"{shown!r} is no address",
            f"ANTHROPIC_BASE_URL looks like {DEFAULT_URL}",
        )
    elif parts.path.rstrip("/").endswith(("/v1", "/v1/messages")):
        root = shown.partition("/v1")[0]
        yield Check("base URL", Mark.BROKEN, f"{shown}: the SDK adds /v1/messages itself", f"Use {root}")
    elif parts.scheme == "http" and host not in LOCAL:
        yield Check(
            "base URL", Mark.WARNING, f"{shown} is not encrypted: the key travels in clear", "Use https"
        )
    else:
        yield Check("base URL", Mark.FINE, shown + ("" if base_url == DEFAULT_URL else " (not the default)"))
    proxy = next((name for name in PROXIES if environment.get(name)), None)
    if proxy is not None:
        yield Check("proxy", Mark.NOTE, f"{proxy} is set: requests go through it")


def credential(environment: Mapping[str, str], base_url: str) -> Iterator[Check]:
    """Whether there is a key or token, and whether it looks like one. No part of it is shown."""
    given = [name for name in KEYS if environment.get(name, "").strip()]
    if not given:
        yield _credential_elsewhere(environment)
        return
    from headway.adapters.anthropic.connect import CredentialError, clean_key

    name = given[0]
    key = clean_key(environment[name], name)
    if isinstance(key, CredentialError):
        yield Check(
            "key", Mark.BROKEN, str(key), "Copy it again from https://platform.claude.com/settings/keys"
        )
        return
    yield _shape(name, key, official=base_url.rstrip("/") == DEFAULT_URL)
    if key != environment[name]:
        yield Check("key", Mark.WARNING, f"{name} has white space or quotes around it; they are left out")
    if len(given) > 1:
        yield Check("key", Mark.NOTE, f"{given[0]} goes before {given[1]}, as in the SDK")


def _shape(name: str, key: str, *, official: bool) -> Check:
    found = unusual(key, name)
    admin = key.startswith(ADMIN_KEY)
    if found is None or not (official or admin or key.startswith(TOKEN)):
        return Check("key", Mark.FINE, f"{name} is set")
    return Check("key", Mark.BROKEN if admin else Mark.WARNING, *found)


def _credential_elsewhere(environment: Mapping[str, str]) -> Check:
    where = next((name for name in ELSEWHERE if environment.get(name)), None)
    if where is not None:
        return Check("key", Mark.FINE, f"none in the environment; the SDK uses {where}")
    if profile_on_disk(environment):
        return Check("key", Mark.FINE, "none in the environment; the SDK uses a profile on disk")
    empty = next((name for name in KEYS if name in environment), None)
    first, _, rest = MISSING.partition("\n")
    remedy = "; ".join(line.strip() for line in rest.splitlines())
    return Check("key", Mark.BROKEN, f"{empty} is empty" if empty else first, remedy)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
