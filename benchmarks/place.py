"""Where benchmarks run: private servers, a fresh database for each of them, and how much is asked of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from devstack.servers.private import Servers
from tests.support.databases import Database, Databases, clones


@dataclass(frozen=True)
class Size:
    """How long each benchmark goes on."""

    append_rounds: int
    append_commands: int
    """By each of the eight threads in a round."""
    relay_rounds: int
    relay_rows: int
    backlog_rounds: int
    backlog_rows: int
    backlog_published: int
    """Rows of these that a round publishes."""
    latency_messages: int
    consume_rounds: int
    consume_messages: int
    rebuild_events: tuple[int, int] | None
    """Few and many; None: not measured."""
    read_side_orders: int | None
    """Some five events each; None: not measured."""
    saga_seconds: float | None
    """Of each part of a round; None: not measured."""


FULL = Size(5, 300, 5, 50_000, 1, 1_000_000, 500_000, 600, 3, 20_000, (50_000, 200_000), 200_000, 6)
QUICK = Size(1, 80, 1, 20_000, 1, 200_000, 75_000, 60, 1, 6_000, None, None, None)


@dataclass(frozen=True)
class Place:
    """Servers that nobody else uses."""

    servers: Servers
    databases: Databases
    size: Size

    @property
    def amqp_url(self) -> str:
        """Of a user who may do everything."""
        return self.servers.amqp_url("provisioner")

    @contextmanager
    def fresh_databases(self) -> Iterator[Databases]:
        """Databases that are gone afterwards."""
        yield from clones(self.databases)


def wal_position(database: Database) -> int:
    """Bytes that the server has ever written to its log."""
    return int(database.rows("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn")[0][0])


MADE_DEAD = """
select coalesce(sum(n_tup_upd + n_tup_del), 0) from pg_stat_user_tables where relname = any(%s)
"""


def made_dead(database: Database, tables: list[str]) -> int:
    """Rows of these tables that were updated or deleted, each of which leaves a dead tuple."""
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute("select pg_stat_force_next_flush()")
        row = connection.execute(MADE_DEAD, (tables,)).fetchone()
        assert row is not None
        return int(row[0])
