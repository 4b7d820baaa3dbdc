"""A service's role may do in its own database what its process does, and connect to no other."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection, OperationalError
from psycopg.errors import InsufficientPrivilege
from psycopg.sql import SQL, Identifier

from devstack.servers.databases import connections_of
from ordersaga.database.migrate import migrate
from tests.conftest import AnyServers
from tests.support.counting import GROUP
from tests.support.databases import SCHEMAS, Database, Databases
from tests.support.roles import stranger

NAME = "closed_by_migrate"
NOT_ITS_OWN = ("postgres", "template1")


@pytest.fixture(scope="module")
def url_of_stranger(servers: AnyServers) -> Iterator[str]:
    """Of a role that has no right but those of everybody, on a database that `migrate` made its tables in."""
    with psycopg.connect(servers.postgres.superuser_url(), autocommit=True) as owner, stranger(owner) as account:
        owner.execute(SQL("create database {}").format(Identifier(NAME)))
        try:
            yield account.on(servers.postgres.superuser_url(NAME))
        finally:
            owner.execute(SQL("drop database {} with (force)").format(Identifier(NAME)))


def test_migrate_closes_a_database_to_all_but_the_roles_of_its_service(
    servers: AnyServers, url_of_stranger: str
) -> None:
    owner = servers.postgres.superuser_url(NAME)
    with psycopg.connect(owner) as connection:
        connection.execute("create table of_another_application ()")
    migrate(SCHEMAS[GROUP], owner)
    psycopg.connect(url_of_stranger).close()
    with psycopg.connect(owner) as connection:
        connection.execute("drop table of_another_application")
    for _ in range(2):
        migrate(SCHEMAS[GROUP], owner)
    with pytest.raises(OperationalError, match="permission denied for database"):
        psycopg.connect(url_of_stranger)
    for role in (GROUP, "relay", "auditor"):
        with psycopg.connect(servers.postgres.url(role, NAME)) as connection:
            connection.execute("select count(*) from outbox")
            with pytest.raises(InsufficientPrivilege):
                connection.execute("create temporary table hidden ()")


@pytest.mark.parametrize("database", NOT_ITS_OWN)
@pytest.mark.parametrize("role", [GROUP, "relay", "auditor"])
def test_no_role_connects_to_a_database_that_belongs_to_no_service(
    servers: AnyServers, role: str, database: str
) -> None:
    with pytest.raises(OperationalError, match="permission denied for database"):
        psycopg.connect(servers.postgres.url(role, database))


@pytest.fixture(scope="module")
def store(databases: Databases) -> Database:
    return databases()


@pytest.mark.parametrize("statement", ["lo_create(0)", "lo_creat(-1)", "lo_from_bytea(0, 'hidden')"])
def test_no_role_makes_a_large_object(store: Database, statement: str) -> None:
    for url in (store.url, store.relay_url, store.auditor_url):
        with psycopg.connect(url) as connection, pytest.raises(InsufficientPrivilege):
            connection.execute(f"select {statement}")


def test_a_role_that_takes_all_connections_it_can_leaves_those_of_others(store: Database) -> None:
    taken: list[Connection[Any]] = []
    try:
        with pytest.raises(OperationalError, match="too many connections for role"):
            taken.extend(psycopg.connect(store.relay_url) for _ in range(connections_of("relay") + 1))
        for url in (store.url, store.auditor_url, store.owner_url):
            psycopg.connect(url).close()
    finally:
        for connection in taken:
            connection.close()
