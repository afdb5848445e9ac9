"""The pages made from the tables say what the tables say. ``python tests/cli/test_handbook_pages.py`` writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headway.cli.handbook import handbook
from headway.cli.handbook_page import errors_page, preflight_page
from headway.core.error_code import ERROR_CODES
from headway.core.error_kind import TABLE, ErrorKind
from headway.core.stop_reason import STOP_REASONS
from headway.preflight.rules import all_rules

DOCS = Path(__file__).parents[2] / "docs"
PAGES: dict[str, Callable[[], str]] = {"errors.md": errors_page, "concepts/preflight.md": preflight_page}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_the_table(name: str) -> None:
    written = (DOCS / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "run: python tests/cli/test_handbook_pages.py"


def test_every_row_is_documented() -> None:
    page = errors_page()
    assert [entry.row.kind for entry in handbook()] == [row.kind for row in TABLE]
    for kind in ErrorKind:
        assert page.count(f"\n## {kind.value}\n") == 1
    for row in TABLE:
        assert row.meaning in page
        assert row.remedy in page
        for text in (*row.types, *row.patterns, *(f"HTTP {status}" for status in row.statuses)):
            assert text in page
    for code in ERROR_CODES:
        assert page.count(f"\n| `{code.name}` | {code.status} |") == 1
    for reason in STOP_REASONS:
        assert f"\n| `{reason.name}` |" in page


def test_every_entry_says_all_of_it() -> None:
    for entry in handbook():
        for text in (entry.conduct, entry.row.meaning, entry.row.remedy):
            assert len(text) > 10
            assert text.endswith(".")
        assert entry.exception.endswith("Error")


def test_every_rule_is_documented() -> None:
    page = preflight_page()
    rules = all_rules()
    assert rules
    for rule in rules:
        assert f"\n| `{rule.name}` | {rule.meaning.replace('|', chr(92) + '|')} |" in page
        assert rule.meaning.endswith(".")
        assert rule.repairs.endswith(".") or (rule.repair is None and not rule.repairs)


def test_links_lead_somewhere() -> None:
    anchors = {f"#{kind.value}" for kind in ErrorKind}
    for page in (errors_page(), preflight_page()):
        for target in (part.partition(")")[0] for part in page.split("](")[1:]):
            path, _, anchor = target.partition("#")
            assert not anchor or f"#{anchor}" in anchors
            base = DOCS / "concepts" if page == preflight_page() else DOCS
            assert not path or (base / path).exists(), target


if __name__ == "__main__":
    for page_name, render in PAGES.items():
        (DOCS / page_name).write_text(render(), encoding="utf-8")
