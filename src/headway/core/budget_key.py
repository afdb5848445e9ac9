"""The name of a budget."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BudgetKey:
    """Which limits a job counts against."""

    account: str
    group: str
    """Model group."""
    tier: str = ""
    """``standard_only`` for requests that may not draw on Priority Tier."""
    speed: str = ""
    """``fast`` has a pool of its own."""
    workspace: str = ""
    """``workspace_id`` of requests that name one (a credential of several workspaces): limits of its own."""
