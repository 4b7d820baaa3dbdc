"""One database and one role for each service, the roles of the relays and the auditor, and how much each may take."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Identifier, Literal

from devstack.processes import AUDITOR_ROLE, GROUPS, RELAY_ROLE, SERVICES
from devstack.servers.postgres import Postgres

DATABASES = GROUPS
RELAY = RELAY_ROLE
AUDITOR = AUDITOR_ROLE
SERVICE_CONNECTIONS = 100
"""An API (16) and 16 workers (4 each), or 3 payments workers whose 16 outside steps all run (22 each)."""
OTHER_CONNECTIONS = {RELAY: 20, AUDITOR: 40}
"""A relay has 1 in each database, a standby and a command too. An auditor is the sealer, with 1 in each, and the read
side, whose 16 threads may each ask."""
MAINTENANCE = ("postgres", "template1")
"""Databases of every server that belong to no service; everybody may connect to them by default."""


def connections_of(role: str) -> int:
    """The most connections of a role; all roles together leave some of `max_connections` to the owner."""
    return OTHER_CONNECTIONS.get(role, SERVICE_CONNECTIONS)


def create_roles(postgres: Postgres, more: Sequence[str] = ()) -> None:
    """Make the runtime roles, and more, none of which owns anything; repeating it changes nothing."""
    with psycopg.connect(postgres.superuser_url(), autocommit=True) as connection:
        for role in (*DATABASES, RELAY, AUDITOR, *more):
            if not connection.execute("select 1 from pg_roles where rolname = %s", (role,)).fetchone():
                statement = SQL("create role {} login password {}")
                connection.execute(statement.format(Identifier(role), Literal(postgres.password(role))))
            limit = SQL("alter role {} connection limit {}")
            connection.execute(limit.format(Identifier(role), Literal(connections_of(role))))
        for name in MAINTENANCE:
            close(connection, name)


def create_databases(postgres: Postgres) -> None:
    """Make each service's database, closed to all but its own role, the relay's, the auditor's and the owner."""
    with psycopg.connect(postgres.superuser_url(), autocommit=True) as connection:
        for name in DATABASES:
            if not connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone():
                connection.execute(SQL("create database {}").format(Identifier(name)))
            close(connection, name)
            for role in (name, AUDITOR, RELAY) if name in SERVICES else (name, AUDITOR):
                connection.execute(SQL("grant connect on database {} to {}").format(Identifier(name), Identifier(role)))


def close(connection: Connection[Any], database: str) -> None:
    """Take from everybody but the owner: to connect, and to make temporary tables."""
    connection.execute(SQL("revoke all on database {} from public").format(Identifier(database)))
