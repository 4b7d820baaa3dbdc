"""Every row of the pages of failure scenarios and of guarantees leads to a test, or to a scenario that shows it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.breaking.command import TABLE as BREAK
from devstack.breaking.scenarios.table import WHAT
from devstack.chaos.command import TABLE as CHAOS
from devstack.state import ROOT
from tests.shop.unit.test_documents import defined

PAGES = [ROOT / "docs" / name for name in ("FAILURE_SCENARIOS.md", "GUARANTEES.md")]
TABLE = re.compile(r"^\|(?P<head>.*\| test) \|\n\|[-|]+\|\n(?P<rows>(?:\|.*\|\n)+)", re.MULTILINE)
TEST = re.compile(r"\[`(?P<test>test_\w+)`\]\(\.\./(?P<file>tests/[^)#]+\.py)\)")
SHOWN = re.compile(r"`\./ordersaga (?P<group>chaos|break) (?P<name>[a-z-]+)`")
COMMANDS = {"chaos": CHAOS, "break": BREAK}


def rows() -> Iterator[tuple[Path, str]]:
    """The last cell of each row of a table whose last column is `test`, with the page and the row."""
    for page in PAGES:
        for table in TABLE.finditer(page.read_text()):
            for row in table["rows"].splitlines():
                yield page, row


ROWS = list(rows())


def test_both_pages_have_tables_of_tests() -> None:
    assert len([row for page, row in ROWS if page == PAGES[0]]) > 80
    assert len([row for page, row in ROWS if page == PAGES[1]]) > 80


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_row_names_a_test_that_exists_or_a_scenario(page: Path) -> None:
    without = []
    for row in (row for of, row in ROWS if of == page):
        cell = row.removesuffix("|").rpartition(" | ")[2]
        tests = [found["test"] in defined(ROOT / found["file"]) for found in TEST.finditer(cell)]
        shown = [found["name"] in COMMANDS[found["group"]] for found in SHOWN.finditer(cell)]
        if not tests + shown or not all(tests + shown):
            without.append(row)
    assert without == []


@pytest.mark.parametrize("name", WHAT)
def test_every_scenario_shows_a_row_of_failure_scenarios(name: str) -> None:
    assert any(f"`./ordersaga chaos {name}`" in row for page, row in ROWS if page == PAGES[0])
