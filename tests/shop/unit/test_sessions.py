"""Nothing opens a session in Postgres but `runtime.sessions`, so that every session has the time limits of its kind."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.workers import ROOT

OPENERS = {"psycopg.connect", "Connection.connect", "AsyncConnection.connect", "ConnectionPool", "AsyncConnectionPool"}
ONLY = {"sessions.py", "pooling.py"}
FOLDERS = ["src", "relay", "contracts", "shop", "projections", "order_service", "payment_service", "inventory_service"]
FILES = [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py")) if file.name not in ONLY]


def opened(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in OPENERS:
            yield f"{file.relative_to(ROOT)}:{node.lineno} {name}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_file_opens_a_session_with_options_of_its_own(folder: str) -> None:
    assert [found for file in FILES if file.is_relative_to(ROOT / folder) for found in opened(file)] == []
