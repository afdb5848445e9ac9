"""Fixtures of the scheduler over real HTTP."""

from __future__ import annotations

from http_house import backend, house

__all__ = ["backend", "house"]
