"""What docs/CARRY.md carries away does what the page says, with code and commands as they stand there."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from ordersaga.broker.topology import DEFAULT_QUEUES, Group
from tests.support.broker import TestBroker
from tests.support.wait import until
from tests.support.workers import ROOT

PAGE = (ROOT / "docs" / "CARRY.md").read_text()
FILE = re.compile(r"```python\n# (?P<path>\S+)\n(?P<code>.*?)```", re.DOTALL)
COMMAND = re.compile(r"^python (?P<arguments>[^#&\n]+)(?P<stays>&?)", re.MULTILINE)
REQUIREMENTS = re.compile(r"```text\n(.*?)```", re.DOTALL)
CARRIED = ("ordersaga",)
NAME = "library"
LENT = ["book.bought", "book.wanted", "book.lent", "book.wanted", "book.returned", "book.lent"]
TOPICS = "select topic from stored_events order by position"


@pytest.fixture
def database_url(servers: Any) -> Iterator[str]:
    """An empty database."""
    with psycopg.connect(servers.postgres.superuser_url(), autocommit=True) as connection:
        connection.execute(SQL("create database {}").format(Identifier(NAME)))
        yield servers.postgres.superuser_url(NAME)
        connection.execute(SQL("drop database {} with (force)").format(Identifier(NAME)))


def test_an_application_of_the_two_packages_alone_works_as_the_page_says(
    tmp_path: Path, database_url: str, broker: TestBroker
) -> None:
    for package in CARRIED:
        shutil.copytree(ROOT / "src" / package, tmp_path / package)
    for block in FILE.finditer(PAGE):
        file = tmp_path / block["path"]
        file.parent.mkdir(exist_ok=True)
        file.write_text(block["code"])
    broker.remember(Group(NAME, (), DEFAULT_QUEUES))
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"LIBRARY_DATABASE_URL": database_url, "AMQP_URL": broker.url}
    with ExitStack() as at_the_end:
        for command in COMMAND.finditer(PAGE):
            arguments = [sys.executable, *shlex.split(command["arguments"])]
            process = subprocess.Popen(arguments, cwd=tmp_path, env=environment)
            at_the_end.callback(process.wait)
            if command["stays"]:
                at_the_end.callback(process.terminate)
            else:
                assert process.wait() == 0
        with psycopg.connect(database_url, autocommit=True) as connection:
            until(lambda: [topic for (topic,) in connection.execute(TOPICS)] == LENT, seconds=60)


def imported(file: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(file.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.partition(".")[0] for name in names} - {*sys.stdlib_module_names, *CARRIED}


def test_the_page_names_every_library_that_the_packages_import_as_this_project_does() -> None:
    files = [file for package in CARRIED for file in (ROOT / "src" / package).rglob("*.py") if "http" not in file.parts]
    distributions = packages_distributions()
    needed = {distributions[module][0].lower().replace("_", "-") for file in files for module in imported(file)}
    named = REQUIREMENTS.findall(PAGE)[0].split()
    assert needed - {"psycopg-pool"} == {re.split(r"[\[<>=]", requirement)[0] for requirement in named}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {*named} <= {*project["dependencies"], *project["optional-dependencies"]["privacy"]}
