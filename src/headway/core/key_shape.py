"""What a credential looks like. No pattern is documented, so an unusual one is warned about and not refused."""

from __future__ import annotations

from typing import Final

OFFICIAL: Final = "https://api.anthropic.com"
"""The address whose keys are known; a gateway's may look like anything."""
API_KEY: Final = "sk-ant-api"
ADMIN_KEY: Final = "sk-ant-admin"
TOKEN: Final = "sk-ant-oat"  # noqa: S105 - how tokens begin, not a token
KEY_VARIABLE: Final = "ANTHROPIC_API_KEY"
TOKEN_VARIABLE: Final = "ANTHROPIC_AUTH_TOKEN"  # noqa: S105 - a name


def unusual(key: str, variable: str) -> tuple[str, str] | None:
    """What is strange about a key in a variable, and what to do; ``None``: nothing. Neither shows a part of it."""
    if key.startswith(ADMIN_KEY):
        remedy = f"Put it into ANTHROPIC_ADMIN_KEY, and an API key ({API_KEY}…) into {variable}"
        return f"{variable} holds an Admin key: it cannot send messages", remedy
    if key.startswith(TOKEN) and variable == KEY_VARIABLE:
        return f"{variable} holds an OAuth token, not an API key", f"Put it into {TOKEN_VARIABLE} instead"
    expected = API_KEY if variable == KEY_VARIABLE else TOKEN
    if not key.startswith(expected):
        remedy = "If requests are refused with 401, copy it again"
        return f"{variable} is set, but does not begin with {expected}", remedy
    return None
