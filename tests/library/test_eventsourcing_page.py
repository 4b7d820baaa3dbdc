"""The code of docs/EVENTSOURCING.md does what the page says, as it stands there."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.conftest import AnyServers

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "EVENTSOURCING.md").read_text()
FILE = re.compile(r"```python\n# (?P<path>\S+)\n(?P<code>.*?)```", re.DOTALL)
VARIABLE = re.compile(r"^export (?P<name>\w+)=(?P<text>\S+)$", re.MULTILINE)
NAME = "bank"
MORE = "from uuid import UUID\nfrom bank.account import Bank\nwith Bank() as bank: bank.credit(UUID('{}'), 1)\n"
RECORDED = [("account.created",), ("account.credited",)]
TOPICS = "select topic from stored_events order by position"


@pytest.fixture
def url(servers: AnyServers) -> Iterator[str]:
    """Of an empty database."""
    with psycopg.connect(servers.postgres.superuser_url(), autocommit=True) as connection:
        connection.execute(SQL("create database {}").format(Identifier(NAME)))
        yield servers.postgres.superuser_url(NAME)
        connection.execute(SQL("drop database {} with (force)").format(Identifier(NAME)))


class Folder:
    """The files of the page, and how to run one of them."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        for block in FILE.finditer(PAGE):
            file = path / block["path"]
            file.parent.mkdir(exist_ok=True)
            file.write_text(block["code"])
        self.before = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "BANK_SQLITE_DBNAME": str(path / "bank.sqlite")}
        self.after = {**self.before, **dict(VARIABLE.findall(PAGE)), "BANK_DATABASE_URL": url}

    def run(self, file: str, environment: dict[str, str]) -> None:
        subprocess.run([sys.executable, file], cwd=self.path, env=environment, check=True)


@pytest.fixture
def folder(tmp_path: Path, url: str) -> Folder:
    return Folder(tmp_path, url)


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def test_an_application_of_the_library_announces_what_it_records(folder: Folder, url: str) -> None:
    folder.run("migrate.py", folder.after)
    folder.run("main.py", folder.after)
    assert rows(url, TOPICS) == RECORDED
    assert rows(url, "select contract, body::json ->> 'amount' from outbox") == [("bank.account_credited.v1", "700")]


def test_existing_events_are_copied_without_announcing_them(folder: Folder, url: str) -> None:
    folder.run("main.py", {**folder.before, "PERSISTENCE_MODULE": "eventsourcing.sqlite"})
    folder.run("migrate.py", folder.after)
    folder.run("copy_events.py", folder.after)
    assert rows(url, TOPICS) == RECORDED
    assert rows(url, "select count(*) from outbox") == [(0,)]
    (account_id,) = rows(url, "select distinct originator_id from stored_events")[0]
    more = (
        f"from uuid import UUID\nfrom bank.account import Bank\nwith Bank() as b: b.credit(UUID('{account_id}'), 1)\n"
    )
    (folder.path / "more.py").write_text(more)
    folder.run("more.py", folder.after)
    assert rows(url, "select sequence, body::json ->> 'amount' from outbox") == [(3, "1")]
