"""`ordersaga projections`, `reconcile`, `queues` and `audit why` on an application with a read side of its own."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from ordersaga.envelope.message import Cause
from ordersaga.store.transaction import Transaction, decide
from tests.support.broker import TestBroker
from tests.support.counting import GROUP, Counter, announcements, service
from tests.support.counting_read_side import TABLE, read_side
from tests.support.databases import Database, Databases
from tests.support.ordersaga_command import OrdersagaCommand

NAME = "kept_views"


@pytest.fixture
def store(database: Databases) -> Database:
    """Two counters, one with two numbers."""
    store = database(GROUP)
    with store.connect() as connection:
        for numbers in ((1, 2), (3,)):
            decide(connection, announcements, Cause(uuid4(), None, "ada"), partial(keep, numbers=numbers))
    return store


def keep(transaction: Transaction, numbers: tuple[int, ...]) -> None:
    counter = Counter(id=uuid4())
    for number in numbers:
        counter.keep(number)
    transaction.save(counter)


@pytest.fixture
def ordersaga(servers: Any, store: Database) -> Iterator[OrdersagaCommand]:
    """The owner's URLs; the read side's database is empty but for its view."""
    with psycopg.connect(servers.postgres.superuser_url(), autocommit=True) as connection:
        connection.execute(SQL("create database {}").format(Identifier(NAME)))
        try:
            url = servers.postgres.superuser_url(NAME)
            with psycopg.connect(url, autocommit=True) as empty:
                empty.execute(TABLE)
            yield OrdersagaCommand(
                "tests.support.counting_read_side",
                {
                    f"{GROUP.upper()}_DATABASE_URL": store.owner_url,
                    "KEPT_DATABASE_URL": url,
                    "AMQP_URL": servers.amqp_url("provisioner"),
                },
            )
        finally:
            connection.execute(SQL("drop database {} with (force)").format(Identifier(NAME)))


def test_a_read_side_is_migrated_rebuilt_and_looked_at(ordersaga: OrdersagaCommand, store: Database) -> None:
    assert "migrated kept" in ordersaga("migrate", "kept")
    missing = json.loads(ordersaga("reconcile", "--patience", "0", "--json", expect=1))
    assert {(each["kind"], each["place"]) for each in missing["findings"]} == {("missing", "kept.event_log")}
    assert json.loads(ordersaga("projections", "status", "--json"))["rows"] == {"event_log": 0, "kept_view": 0}
    said = ordersaga("projections", "rebuild", "--patience", "0")
    assert "2/8 derive" in said
    assert "The read side is rebuilt" in said
    found = json.loads(ordersaga("projections", "status", "--json"))
    assert (found["rows"], found["position"]) == ({"event_log": 3, "kept_view": 2}, 3)
    assert "Last: Rebuild at " in ordersaga("projections", "status")
    assert "No finding" in ordersaga("projections", "rebuild", "--view", "kept_view", "--dry-run")
    assert "'stock_view' is not one of 'kept_view'" in ordersaga(
        "projections", "rebuild", "--view", "stock_view", expect=2
    )
    assert ordersaga("reconcile", "--patience", "0").startswith("Clean. 5 events and 3 messages compared.")
    [(message, key), *_] = store.rows("select message_id, key from outbox order by position")
    lines = ordersaga("audit", "why", message).splitlines()
    assert lines[0].endswith(" by ada")
    assert lines[1].startswith(f"└── test.count_kept.v1 {message} of {key} at ")
    assert "is in the event log" in ordersaga("audit", "why", uuid4(), expect=1)


def test_the_number_of_queues_is_shown_and_changed(ordersaga: OrdersagaCommand, broker: TestBroker) -> None:
    assert "is not declared: run `ordersaga topology`" in ordersaga("queues", "show", expect=1)
    assert "is not declared: run `ordersaga topology`" in ordersaga("queues", "set", "4", expect=1)
    assert "being changed" not in ordersaga("topology")
    for each in (service, read_side):
        broker.declare(each.consumer_group(2))
    broker.remember(service.consumer_group(4))
    groups = ("--group", service.group)
    ordersaga("migrate", "kept")
    assert f"{service.group}: 4 queues" in ordersaga("queues", "set", "4", *groups)
    [found] = json.loads(ordersaga("queues", "show", *groups, "--json"))["groups"]
    assert (found["group"], found["queues"], found["changing"]) == (service.group, 4, False)


def test_an_application_without_a_read_side_is_told_so(ordersaga: OrdersagaCommand) -> None:
    ordersaga.app = "tests.support.counting:service"
    assert "has no read side" in ordersaga("projections", "status", expect=1)
