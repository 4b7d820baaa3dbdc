"""The relay publishes nothing that a crash of the server could take back."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError

import psycopg
import pytest
from psycopg import Connection

from devstack.ports import choose
from devstack.servers.postgres import Postgres
from ordersaga.database.snapshot_window import EMPTY_SNAPSHOT
from ordersaga.relay import replication, session, window
from ordersaga.relay.purge import purge
from ordersaga.relay.recent_rows import RecentRows
from ordersaga.relay.replication import Replication
from ordersaga.relay.window import Cursor, PageLimits, Window, open_window, save_cursor
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.databases import Database, Databases
from tests.support.relays import EVERYTHING, Relays, all_published, announce, announce_many, listen, relays_of
from tests.support.second_server import second_server
from tests.support.stuck import ready
from tests.support.wait import until
from tests.support.wire import counted

ANYWAY = "--unsafe-durability"


WARNS = """
create function warns() returns trigger language plpgsql as $$
begin raise warning 'must be vacuumed'; return null; end $$
"""


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


def said(port: int) -> str:
    """The problems and warnings of a relay; nothing before it answers."""
    with suppress(URLError):
        return str(ready(port))
    return ""


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


def test_a_standby_is_waited_for_by_a_relay_that_has_led_and_by_one_that_stood_by(
    server: Postgres, outbox: Database, relays: Relays
) -> None:
    [(directory,)] = outbox.rows("select current_setting('data_directory')")
    relay = relays.start(health_port=(port := choose(set())))
    relays.wait_for_leader(relay)
    second = relays.start(health_port=(second_port := choose({port})))
    until(lambda: "standing by" in second.log())
    server.stop()
    (Path(directory) / "standby.signal").touch()
    server.start()
    try:
        until(lambda: all("the server is a standby" in said(each) for each in (port, second_port)))
    finally:
        as_owner(outbox, "select pg_promote()")
    relay.terminate()
    assert relay.wait(10) == 0
    relays.wait_for_leader(second)


def test_a_commit_that_a_crash_has_made_visible_is_published_when_its_synchronous_standby_has_it(
    server: Postgres, outbox: Database, relays: Relays, broker: TestBroker
) -> None:
    as_owner(outbox, "alter system set synchronous_standby_names = 'away'", "select pg_reload_conf()")
    try:
        writer = threading.Thread(target=announce_and_wait_for_the_standby, args=(outbox,))
        writer.start()
        waiting = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'"
        until(lambda: outbox.rows(waiting) == [(1,)])
        server.kill()
        writer.join()
        server.start()
        assert outbox.rows("select count(*) from outbox") == [(1,)]
        relay = relays.start(health_port=(port := choose(set())))
        until(lambda: "waits for its synchronous standby (away)" in said(port))
        as_owner(outbox, "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'")
        until(lambda: "canceling wait for synchronous replication" in relay.log())
        until(lambda: outbox.rows(waiting) == [(1,)])
        relay.terminate()
        assert relay.wait(10) == 0
        assert outbox.rows(waiting) == [(0,)]
        assert listen(broker) == []
        relays.start()
    finally:
        as_owner(outbox, "alter system reset synchronous_standby_names", "select pg_reload_conf()")
    until(lambda: len(listen(broker)) == 1)


def test_a_warning_of_another_kind_does_not_keep_what_the_standby_has_from_being_published(
    outbox: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as that of transaction ids that run out, which every statement brings."""
    as_owner(outbox, WARNS, "create trigger warns after update on relay_cursor execute function warns()")
    monkeypatch.setattr("ordersaga.relay.replication.session.fetch_one", lambda *_: "standby")
    with psycopg.connect(outbox.owner_url, autocommit=True) as connection:
        assert Replication("counting", outbox.relay_url, lambda: None, lambda: False).confirm(connection)


def test_a_wait_for_the_standby_has_no_timeout_and_ends_with_its_session(
    outbox: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a proxy that has lost the server nothing but a look over another session tells the two apart."""
    monkeypatch.setattr(replication, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(replication, "CANCEL_SECONDS", 0.1)
    waits = 0

    def wait() -> None:
        nonlocal waits
        waits += 1
        assert waits < 40, "it waits for ever"
        if waits == 10:
            traffic.is_silent = True
            as_owner(outbox, "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'")

    try:
        with counted(outbox.relay_url) as (url, traffic), session.connect(url) as connection:
            window.load_cursor(connection)
            as_owner(outbox, "alter system set synchronous_standby_names = 'away'", "select pg_reload_conf()")
            until(lambda: session.fetch_one(connection, replication.STANDBYS) == "away")
            with pytest.raises(psycopg.OperationalError, match="waited for the synchronous standby is gone"):
                Replication("counting", outbox.relay_url, wait, lambda: False).confirm(connection)
    finally:
        as_owner(outbox, "alter system reset synchronous_standby_names", "select pg_reload_conf()")
    assert waits >= 10


def announce_and_wait_for_the_standby(outbox: Database) -> None:
    with pytest.raises(psycopg.OperationalError), outbox.connect() as connection:
        announce(connection, "key", 1)


def test_what_a_database_has_lost_of_the_published_messages_is_said_once_and_no_crash_is_a_loss(
    server: Postgres, outbox: Database, relays: Relays
) -> None:
    relay = relays.start(health_port=(port := choose(set())))
    relays.wait_for_leader(relay)
    announce_many(outbox, 20)
    until(lambda: all_published(outbox))
    server.kill()
    server.start()
    relays.wait_for_leader(relay)
    assert ready(port)[1] == []
    announce_many(outbox, 20)
    until(lambda: all_published(outbox))
    as_owner(
        outbox,
        "delete from outbox where position in (select position from outbox order by position desc limit 5)",
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'relay'",
    )
    until(lambda: "has lost 5 messages" in said(port))
    relays.wait_for_leader(relay)
    announce_many(outbox, 5)
    until(lambda: all_published(outbox))
    assert relay.log().count("history was lost") == 1


@pytest.fixture
def led(outbox: Database) -> Iterator[tuple[Connection[Any], Window]]:
    """The session of a relay, and the window of ten rows that it has published."""
    announce_many(outbox, 10)
    with session.connect(outbox.relay_url) as connection:
        yield connection, open_window(connection, window.load_cursor(connection), PageLimits(1000, 1000))


def test_a_row_that_was_read_twice_is_lost_once(outbox: Database, led: tuple[Connection[Any], Window]) -> None:
    connection, opened = led
    rows = remembered(opened)
    rows.keep(opened.page, opened.target)
    as_owner(outbox, "delete from outbox where position = (select min(position) from outbox)")
    rows.compare(connection)
    assert "has lost 1 messages" in rows.warning


def test_rows_that_another_relay_has_purged_after_a_shorter_retention_are_not_lost(
    led: tuple[Connection[Any], Window],
) -> None:
    connection, opened = led
    rows = remembered(opened)
    save_cursor(connection, Cursor(opened.target))
    assert purge(connection, retention_seconds=0)[0] == 10
    rows.compare(connection)
    assert rows.warning == ""


def test_rows_are_lost_where_older_ones_are_left_or_the_cursor_is_as_old_as_the_rest(
    outbox: Database, led: tuple[Connection[Any], Window]
) -> None:
    connection, opened = led
    rows = remembered(opened)
    save_cursor(connection, Cursor(opened.target))
    as_owner(outbox, "delete from outbox where position > (select min(position) from outbox)")
    rows.compare(connection)
    assert "has lost 9 messages" in rows.warning
    rows = remembered(opened)
    save_cursor(connection, Cursor(EMPTY_SNAPSHOT))
    as_owner(outbox, "delete from outbox")
    rows.compare(connection)
    assert "has lost 10 messages" in rows.warning


def remembered(published: Window) -> RecentRows:
    rows = RecentRows("counting", retention_seconds=3600)
    rows.keep(published.page, published.target)
    return rows
