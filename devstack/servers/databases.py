"""One database and one role for each service, and the roles of the relays and the auditor."""

from collections.abc import Sequence

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from devstack.processes import AUDITOR_ROLE, GROUPS, RELAY_ROLE, SERVICES
from devstack.servers.postgres import Postgres

DATABASES = GROUPS
RELAY = RELAY_ROLE
AUDITOR = AUDITOR_ROLE


def create_roles(postgres: Postgres, more: Sequence[str] = ()) -> None:
    """Make the runtime roles, and more, none of which owns anything; repeating it changes nothing."""
    with psycopg.connect(postgres.superuser_url(), autocommit=True) as connection:
        for role in (*DATABASES, RELAY, AUDITOR, *more):
            if not connection.execute("select 1 from pg_roles where rolname = %s", (role,)).fetchone():
                statement = SQL("create role {} login password {}")
                connection.execute(statement.format(Identifier(role), Literal(postgres.password(role))))


def create_databases(postgres: Postgres) -> None:
    """Make each service's database, closed to all but its own role, the relay's, the auditor's and the owner."""
    with psycopg.connect(postgres.superuser_url(), autocommit=True) as connection:
        for name in DATABASES:
            if not connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone():
                connection.execute(SQL("create database {}").format(Identifier(name)))
            connection.execute(SQL("revoke all on database {} from public").format(Identifier(name)))
            for role in (name, AUDITOR, RELAY) if name in SERVICES else (name, AUDITOR):
                connection.execute(SQL("grant connect on database {} to {}").format(Identifier(name), Identifier(role)))
