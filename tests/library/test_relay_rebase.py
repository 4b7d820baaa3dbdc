"""A database restored on another server: what was published stays published, what was not is, and so is what is new."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest

from devstack.servers.postgres import Postgres
from ordersaga.relay import detached, session, window
from ordersaga.relay.rebase import rebase_if_foreign
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.databases import Database
from tests.support.relays import (
    EVERYTHING,
    all_published,
    announce,
    announce_many,
    assert_heard,
    ids_in_order,
    listen,
    relays_of,
)
from tests.support.second_server import burn_transaction_ids, move, second_server
from tests.support.wait import until


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with second_server(tmp_path_factory.mktemp("elsewhere")) as server:
        yield server


def close_a_window(relay: psycopg.Connection[Any]) -> None:
    window.save_cursor(relay, window.Cursor(window.open_window(relay, window.load_cursor(relay), LIMITS).target))


LIMITS = window.PageLimits(largest=1000, budget=1_000_000)


def publish_partly(outbox: Database) -> list[UUID]:
    """Leave a published window, one confirmed half-way, and rows of no window; returns what is not published."""
    with outbox.connect() as early, outbox.connect() as late, session.connect(outbox.relay_url) as relay:
        with early.transaction():
            announce(early, "open at S1", 1)
            announce_many(outbox, 20)
            first = window.open_window(relay, window.load_cursor(relay), LIMITS)
            window.save_cursor(relay, window.Cursor(first.target))
        with late.transaction():
            announce(late, "open at S2", 1)
            announce_many(outbox, 20)
            second = window.open_window(relay, window.Cursor(first.target), LIMITS)
            assert len(second.positions) == 21
            window.save_cursor(relay, window.Cursor(first.target, second.target, second.positions[10]))
        announce_many(outbox, 10)
    published = {*first.positions, *second.positions[:11]}
    rows = outbox.rows("select position, message_id from outbox order by position")
    return [id_ for position, id_ in rows if position not in published]


def announce_anew(database: Database, count: int) -> list[UUID]:
    """As a service does after the restore; the last row inside a savepoint."""
    with database.connect() as connection:
        ids = [announce(connection, "new", sequence) for sequence in range(count)]
        with connection.transaction(), connection.transaction():
            return [*ids, announce(connection, "new", count)]


@pytest.mark.parametrize("old_ids", ["larger", "smaller"])
@pytest.mark.parametrize("dump_options", [(), ("--inserts",)])
def test_what_was_not_published_is_published_once_after_a_restore_and_nothing_else(
    outbox: Database,
    broker: TestBroker,
    servers: AnyServers,
    elsewhere: Postgres,
    old_ids: str,
    dump_options: tuple[str, ...],
) -> None:
    broker.declare(EVERYTHING)
    here, there = burn_transaction_ids(servers.postgres, 1), burn_transaction_ids(elsewhere, 1)
    behind, distance = (servers.postgres, there - here) if old_ids == "larger" else (elsewhere, here - there)
    burn_transaction_ids(behind, max(distance, 0) + 3000)
    unpublished = publish_partly(outbox)
    assert len(unpublished) == 21
    copy = move(outbox, elsewhere, *dump_options)
    new = announce_anew(copy, 5)
    with relays_of(copy, servers.amqp_url("relay")) as relays:
        relay = relays.start()
        until(lambda: all_published(copy))
        assert_heard(listen(broker), unpublished + new)
        assert "re-based" in relay.log()
        burn_transaction_ids(elsewhere, 10_000)
        more = announce_anew(copy, 5)
        until(lambda: all_published(copy))
        relay.kill()
        relays.wait_for_leader(again := relays.start())
        more += announce_anew(copy, 5)
        until(lambda: all_published(copy))
        assert "re-based" not in again.log()
    assert_heard(listen(broker), more)


def test_a_database_restored_before_any_relay_has_seen_it_is_published_whole(
    outbox: Database, broker: TestBroker, servers: AnyServers, elsewhere: Postgres
) -> None:
    broker.declare(EVERYTHING)
    distance = burn_transaction_ids(elsewhere, 1) - burn_transaction_ids(servers.postgres, 1)
    burn_transaction_ids(servers.postgres, max(distance, 0) + 3000)
    announce_many(outbox, 20)
    copy = move(outbox, elsewhere)
    announce_anew(copy, 5)
    with relays_of(copy, servers.amqp_url("relay")) as relays:
        relays.start()
        until(lambda: all_published(copy))
    assert_heard(listen(broker), ids_in_order(copy))


def test_where_a_restore_loads_the_cursor_before_the_outbox_rows_come_twice_and_none_is_lost(
    outbox: Database, broker: TestBroker, servers: AnyServers, elsewhere: Postgres
) -> None:
    broker.declare(EVERYTHING)
    publish_partly(outbox)
    copy = move(outbox, elsewhere)
    copy.rows("update outbox set body = body returning 1")
    announce_anew(copy, 5)
    with relays_of(copy, servers.amqp_url("relay")) as relays:
        relays.start()
        until(lambda: all_published(copy))
    assert_heard(listen(broker), ids_in_order(copy))


def test_a_server_with_a_new_identifier_and_the_same_transactions_goes_on_as_before(
    outbox: Database, broker: TestBroker, servers: AnyServers
) -> None:
    broker.declare(EVERYTHING)
    unpublished = publish_partly(outbox)
    outbox.rows("update relay_cursor set system_identifier = '1', xid = pg_current_xact_id() returning 1")
    with relays_of(outbox, servers.amqp_url("relay")) as relays:
        relay = relays.start()
        until(lambda: all_published(outbox))
        assert sorted(message.id for message in listen(broker)) == sorted(unpublished)
        assert "the cursor stays valid" in relay.log()


def test_what_a_detached_queue_lacked_is_published_again_after_a_restore(outbox: Database) -> None:
    with session.connect(outbox.relay_url) as relay:
        announce_many(outbox, 5)
        close_a_window(relay)
        detached.detach(relay, "stuck.0", [0, 1])
        announce_many(outbox, 7)
        close_a_window(relay)
        announce_many(outbox, 2)
        outbox.rows("update relay_cursor set system_identifier = 'another' returning 1")
        rebase_if_foreign(relay, "counting")
        assert detached.load(relay) == []
        assert len(window.open_window(relay, window.load_cursor(relay), LIMITS).positions) == 7 + 2
