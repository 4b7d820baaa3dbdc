"""`relay undeliverable | redrive | discard | status`: what a person sees of refused messages and can do about them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest

from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.databases import Database, Databases
from tests.support.refusals import HEARD, UNBOUND, bind, refusing, undeliverable
from tests.support.relays import Relays, all_published, announce, listen, relays_of
from tests.support.wait import until
from tests.support.workers import ROOT

WHY = ("--reason", "mended")


@pytest.fixture
def outbox(database: Databases) -> Database:
    return database("order_service")


@pytest.fixture
def relays(outbox: Database, broker: TestBroker, servers: AnyServers) -> Iterator[Relays]:
    with refusing(broker), relays_of(outbox, servers.amqp_url("relay")) as relays:
        relays.start()
        with outbox.connect() as connection, connection.transaction():
            announce(connection, "a", 1, UNBOUND)
            announce(connection, "a", 2, HEARD)
            announce(connection, "b", 1, HEARD)
            announce(connection, "c", 1, UNBOUND)
        until(lambda: all_published(outbox))
        yield relays


def relay(outbox: Database, *arguments: str, code: int = 0) -> str:
    names = ("ORDER_SERVICE", "PAYMENT_SERVICE", "INVENTORY_SERVICE", "PROJECTIONS")
    urls = {f"{name}_DATABASE_URL": outbox.relay_url for name in names}
    environment = {**os.environ, **urls, "AMQP_URL": "amqp://nobody@127.0.0.1:1/", "USER": "alice"}
    command = [sys.executable, "-m", "devstack", "relay", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_list_tells_every_message_its_reason_and_what_it_waits_for(outbox: Database, relays: Relays) -> None:
    lines = relay(outbox, "undeliverable", "--service", "order_service").splitlines()
    ids = [str(id_) for (id_,) in outbox.rows("select message_id from undeliverable order by position")]
    assert [line.split()[0] for line in lines[1:] if not line.startswith("  ")] == ids
    assert "returned" in lines[1]
    assert "312 NO_ROUTE: no queue is bound for test.unbound.v1" in lines[2]
    assert "waits" in lines[3]
    assert "in turn" in lines[3]
    found = json.loads(relay(outbox, "undeliverable", "--service", "order_service", "--json"))
    assert [(row["message_id"], row["kind"]) for row in found["undeliverable"]] == list(
        zip(ids, ["returned", "waits", "returned"], strict=True)
    )
    assert relay(outbox, "undeliverable", "--service", "order_service", "--limit", "1").count("order_service") == 1


def test_the_status_counts_them_and_tells_the_first_reason(outbox: Database, relays: Relays) -> None:
    found = json.loads(relay(outbox, "status", "order_service", "--seconds", "0.1", "--json"))
    [database] = found["databases"]
    assert (found["healthy"], database["undeliverable"], database["lag_rows"]) == (True, 3, 0)
    assert database["undeliverable_reason"].startswith("returned: 312 NO_ROUTE")
    assert "order_service: 3 undeliverable since" in relay(outbox, "status", "order_service", "--seconds", "0.1")


def test_a_redrive_publishes_what_can_be_published_in_order_and_tells_what_cannot(
    outbox: Database, relays: Relays, broker: TestBroker
) -> None:
    outbox.rows("update undeliverable set next_attempt_at = now() + interval '1 hour', attempts = 9 returning 1")
    said = relay(outbox, "redrive", "--service", "order_service", "--key", "c", "--wait", "2", *WHY, code=1)
    assert re.search(r"is not taken \(attempts: [1-3]\): 312 NO_ROUTE", said)
    bind(broker, UNBOUND)
    first = undeliverable(outbox, "message_id")[0][0]
    said = relay(outbox, "redrive", "--service", "order_service", str(first), "--wait", "20", *WHY)
    assert "The broker has taken them" in said
    until(lambda: undeliverable(outbox) in ([("c", 1, "returned")], []))
    relay(outbox, "redrive", "--service", "order_service", "--all", "--reason", "bound now")
    until(lambda: undeliverable(outbox) == [])
    heard = [(message.key, message.sequence) for message in listen(broker)]
    assert [each for each in heard if each[0] == "a"] == [("a", 1), ("a", 2)]
    assert ("c", 1) in heard
    assert ("redrive", "alice", "a", 9) in outbox.rows("select action, actor, key, attempts from undeliverable_actions")


def test_a_redrive_without_a_relay_says_that_nobody_publishes(outbox: Database, relays: Relays) -> None:
    for process in relays.processes:
        process.kill()
    until(lambda: relays.leader() is None)
    assert "no relay is active" in relay(outbox, "redrive", "--service", "order_service", "--kind", "returned", *WHY)


def test_a_discarded_message_lets_its_key_go_on_and_is_on_record(
    outbox: Database, relays: Relays, broker: TestBroker
) -> None:
    [(gone,)] = outbox.rows("select message_id from undeliverable where key = 'a' and kind = 'returned'")
    assert "is discarded" in relay(outbox, "discard", str(gone), "--reason", "a test order")
    until(lambda: undeliverable(outbox) == [("c", 1, "returned")])
    until(lambda: len([message for message in listen(broker) if message.key == "a"]) == 1)
    kept = "select action, message_id, actor, reason, kind, body from undeliverable_actions"
    assert outbox.rows(kept) == [("discard", gone, "alice", "a test order", "returned", "{}")]
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        outbox.rows("delete from undeliverable_actions returning 1")


def test_what_is_not_there_or_not_said_is_refused(outbox: Database, relays: Relays) -> None:
    unknown = str(uuid4())
    assert f"{unknown} is not undeliverable" in relay(outbox, "discard", unknown, "--reason", "x", code=1)
    assert "None of these messages is undeliverable" in relay(outbox, "redrive", unknown, *WHY, code=1)
    assert "Say which" in relay(outbox, "redrive", *WHY, code=2)
    for unsaid in ((), ("--reason", "")):
        assert "--reason" in relay(outbox, "redrive", "--all", *unsaid, code=2)
