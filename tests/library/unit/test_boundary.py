"""Tests of the library, and what supports them, borrow nothing of the shop: no package, no role, no database."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.workers import ROOT

SERVICES = {"order_service", "payment_service", "inventory_service"}
SHOP = SERVICES | {"contracts", "projections", "shop", "relay", "benchmarks"}
OTHER_TESTS = ("tests.shop", "tests.end_to_end", "tests.chaos")
SERVERS = ("devstack.servers", "devstack.ports", "devstack.children", "devstack.records", "devstack.state")
"""What starts the private servers; nothing else of devstack is used."""
IN_A_TEXT = re.compile(r"^\s*(?:from|import) ([\w.]+)", re.MULTILINE)
FOLDERS = [ROOT / "tests" / "library", ROOT / "tests" / "support"]
FILES = [ROOT / "tests" / "conftest.py", *(file for folder in FOLDERS for file in sorted(folder.rglob("*.py")))]


def imported(source: str) -> Iterator[str]:
    """Modules that it imports, or that a program in a text of it does."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from IN_A_TEXT.findall(node.value)


def borrowed(source: str) -> set[str]:
    """Modules of the shop, and names of its services in a text of their own."""
    texts = {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}
    return {module for module in imported(source) if is_of_the_shop(module)} | (SERVICES & texts)


def is_of_the_shop(module: str) -> bool:
    package = module.partition(".")[0]
    of_devstack = package == "devstack" and not module.startswith(SERVERS)
    return package in SHOP or module.startswith(OTHER_TESTS) or of_devstack


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_test_of_the_library_borrows_nothing_of_the_shop(file: Path) -> None:
    if file != Path(__file__):
        assert borrowed(file.read_text()) == set()


@pytest.mark.parametrize(
    "source",
    [
        "import shop",
        "from order_service.order import Order",
        "from tests.shop.support import schemas",
        "from devstack import cli",
        'database("order_service")',
        'RUN = """\nimport sys\nfrom contracts.orders import OrderPlaced\n"""',
    ],
)
def test_what_is_borrowed_is_seen(source: str) -> None:
    assert borrowed(source)
