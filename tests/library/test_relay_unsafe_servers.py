"""The relay publishes nothing that a crash of the server could take back."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from devstack.servers.postgres import Postgres
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.databases import Database, Databases
from tests.support.relays import EVERYTHING, Relays, relays_of
from tests.support.second_server import second_server

ANYWAY = "--unsafe-durability"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """One that may be made unsafe."""
    with second_server(tmp_path_factory.mktemp("unsafe")) as server:
        yield server


@pytest.fixture
def outbox(server: Postgres) -> Database:
    return Databases(server)()


@pytest.fixture
def relays(outbox: Database, broker: TestBroker, servers: AnyServers) -> Iterator[Relays]:
    broker.declare(EVERYTHING)
    with relays_of(outbox, servers.amqp_url("relay")) as relays:
        yield relays


def as_owner(database: Database, *statements: str) -> None:
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        for statement in statements:
            owner.execute(statement.format(database=database.name).encode())


@pytest.mark.parametrize(
    ("unsafe", "safe", "said"),
    [
        ("alter system set fsync = off", "alter system reset fsync", "fsync is off"),
        (
            "alter database {database} set synchronous_commit = off",
            "alter database {database} reset synchronous_commit",
            "synchronous_commit is off",
        ),
        (
            "alter role counting set synchronous_commit = off",
            "alter role counting reset synchronous_commit",
            "synchronous_commit is off for the role counting",
        ),
    ],
    ids=["fsync", "database", "role"],
)
def test_a_server_that_forgets_commits_is_refused_unless_told_otherwise(
    outbox: Database, relays: Relays, unsafe: str, safe: str, said: str
) -> None:
    as_owner(outbox, unsafe, "select pg_reload_conf()")
    try:
        refused = relays.start()
        assert refused.wait(20) == 2
        assert said in refused.log()
        relays.wait_for_leader(relays.start(ANYWAY))
    finally:
        as_owner(outbox, safe, "select pg_reload_conf()")


def test_a_standby_is_refused_whatever_is_told(server: Postgres, outbox: Database, relays: Relays) -> None:
    [(directory,)] = outbox.rows("select current_setting('data_directory')")
    server.stop()
    signal = Path(directory) / "standby.signal"
    signal.touch()
    try:
        server.start()
        for options in ((), (ANYWAY,)):
            refused = relays.start(*options)
            assert refused.wait(20) == 2
            assert "the server is a standby: point the relay at the primary" in refused.log()
    finally:
        server.stop()
        signal.unlink()
        server.start()
