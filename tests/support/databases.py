"""A fresh migrated database for every test, cloned from a template in a fraction of a second."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

import psycopg
from psycopg.sql import SQL, Identifier

from ordersaga.database.migrate import migrate
from tests.support.counting import GROUP, service
from tests.support.running_servers import VARIABLE

SCHEMAS = {GROUP: service.schema}
"""Kind of database -> what `migrate` makes of it; the shop's tests add their own (tests/shop/support/schemas.py)."""
numbers = count(1 if VARIABLE not in os.environ else 1000 * os.getpid())
"""Of the databases; on servers that other runs use too they differ from those of other runs."""


class Server(Protocol):
    """A Postgres server whose owner may create databases, private or in a container."""

    def superuser_url(self, database: str = "postgres") -> str: ...

    def url(self, role: str, database: str) -> str: ...


@dataclass(frozen=True)
class Database:
    """One database and the URLs of everyone who may use it."""

    server: Server
    name: str
    role: str

    @property
    def owner_url(self) -> str:
        return self.server.superuser_url(self.name)

    @property
    def url(self) -> str:
        """As the service's own role."""
        return self.server.url(self.role, self.name)

    @property
    def relay_url(self) -> str:
        return self.server.url("relay", self.name)

    @property
    def auditor_url(self) -> str:
        return self.server.url("auditor", self.name)

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """As the service's own role, in autocommit."""
        return psycopg.connect(self.url, autocommit=True, **options)

    def connect_as_relay(self) -> psycopg.Connection[Any]:
        """As the role `relay`, in autocommit."""
        return psycopg.connect(self.relay_url, autocommit=True)

    def rows(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """What the owner sees."""
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            return connection.execute(query, parameters).fetchall()


class Databases:
    """Makes templates on first use and clones them."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._templates: set[str] = set()
        self._clones: list[str] = []

    def __call__(self, kind: str = GROUP) -> Database:
        """A fresh database of this kind, which is the name of its role too."""
        template = f"template_{kind}"
        with psycopg.connect(self.server.superuser_url(), autocommit=True) as connection:
            if template not in self._templates:
                self._make_template(connection, template, kind)
        return self._clone(template, kind)

    def copy(self, database: Database) -> Database:
        """Another with the same content; nobody may be connected to it."""
        return self._clone(database.name, database.role)

    def _clone(self, template: str, kind: str) -> Database:
        name = f"{kind}_{next(numbers)}"
        with psycopg.connect(self.server.superuser_url(), autocommit=True) as connection:
            connection.execute(
                SQL("create database {} template {} strategy file_copy").format(Identifier(name), Identifier(template))
            )
        self._clones.append(name)
        return Database(self.server, name, kind)

    def _make_template(self, connection: psycopg.Connection[Any], template: str, kind: str) -> None:
        found = "select from pg_database where datname = %s"
        if VARIABLE in os.environ and connection.execute(found, (template,)).rowcount:
            self._templates.add(template)
            return
        connection.execute(SQL("drop database if exists {}").format(Identifier(template)))
        connection.execute(SQL("create database {}").format(Identifier(template)))
        migrate(SCHEMAS[kind], self.server.superuser_url(template))
        self._templates.add(template)

    @property
    def number(self) -> int:
        return len(self._clones)

    def drop_clones(self, but: int = 0) -> None:
        """All but the first ones."""
        with psycopg.connect(self.server.superuser_url(), autocommit=True) as connection:
            while len(self._clones) > but:
                name = Identifier(self._clones.pop())
                connection.execute(SQL("drop database if exists {} with (force)").format(name))


def clones(databases: Databases) -> Iterator[Databases]:
    """The factory for one test; its databases go with the test, those of its module stay."""
    before = databases.number
    try:
        yield databases
    finally:
        databases.drop_clones(but=before)
