"""A second Postgres server, and a database dumped from one server and restored on the other."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

from devstack.records import Records
from devstack.servers.databases import create_roles
from devstack.servers.postgres import Postgres, binaries
from devstack.state import State
from tests.support.counting import GROUP
from tests.support.databases import Database, Server

BURN = "do $$ begin for n in 1..{} loop perform pg_current_xact_id(); commit; end loop; end $$"


@contextmanager
def second_server(directory: Path) -> Iterator[Postgres]:
    """A private server with the suite's roles, for as long as the block lasts."""
    state = State(directory).create()
    with state.locked():
        postgres = Postgres(state, Records(state))
        postgres.start()
        try:
            create_roles(postgres, [GROUP])
            yield postgres
        finally:
            postgres.stop()


def move(database: Database, server: Server, *dump_options: str) -> Database:
    """pg_dump | pg_restore."""
    with psycopg.connect(server.superuser_url(), autocommit=True) as connection:
        connection.execute(SQL("create database {}").format(Identifier(database.name)))
    copy = Database(server, database.name, database.role)
    command = [str(binaries() / "pg_dump"), "--format=custom", *dump_options, database.owner_url]
    dump = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    command = [str(binaries() / "pg_restore"), "--exit-on-error", f"--dbname={copy.owner_url}"]
    subprocess.run(command, input=dump.stdout, check=True)
    return copy


def burn_transaction_ids(server: Server, count: int) -> int:
    """Let the server's counter go on by so many; returns where it stands."""
    with psycopg.connect(server.superuser_url(), autocommit=True) as connection:
        connection.execute(BURN.format(count))
        row = connection.execute("select pg_current_xact_id()::text::bigint").fetchone()
    assert row is not None
    return int(row[0])
