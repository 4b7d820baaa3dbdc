"""What must not be published is never sent: it is named with its reason, holds its own key alone, and waits."""

import secrets
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.sql import SQL

from ordersaga.database.schema import OUTBOX_LIMITS
from ordersaga.database.snapshot_window import EMPTY_SNAPSHOT
from ordersaga.envelope.message import COLUMNS
from ordersaga.parked import inspection, listing, operations
from ordersaga.parked.listing import ParkedFilter
from ordersaga.parked.operator import Operator
from ordersaga.readside.rebuild.lag import lag
from ordersaga.reconcile.places import with_key
from ordersaga.reconcile.snapshots import Snapshots, snapshot
from ordersaga.relay import session
from ordersaga.relay.rebase import rebase_if_foreign
from ordersaga.relay.status import backlog, relay_status
from ordersaga.relay.window import Cursor
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.databases import Database, Databases
from tests.support.refusals import undeliverable
from tests.support.relays import EVERYTHING, Relays, all_published, announce, listen, relays_of
from tests.support.wait import until

KNOWN = "test.happened.v1"
NEW = "test.invented.v1"
ME = Operator("me", "looked at it")
OF_A_VERSION = """
from ordersaga.relay import daemon as __main__
from ordersaga.service import Service
service = Service("counting")
for name in {contracts}:
    service.announcements._contracts[name] = type("Announced", (), {{"NAME": name}})
__main__.main(["counting"], [service])
"""
ROW = {
    "contract": KNOWN,
    "source": "counting",
    "key": "forged",
    "sequence": 1,
    "time": "2026-11-27",
    "event_hash": bytes(32),
    "actor": "mallory",
    "traceparent": "",
    "tracestate": "",
    "body": "{}",
}
FORGED: list[tuple[str, dict[str, Any], str]] = [
    ("foreign_source", {"source": "billing", "contract": "billing.invoice_paid.v1"}, "'billing'"),
    (
        "unknown_contract",
        {"contract": "billing.invoice_paid.v1"},
        "does not announce billing.invoice_paid",
    ),
    ("invalid", {"key": secrets.token_hex(45_000)}, "the key has 90000 bytes, more than 512"),
    ("invalid", {"contract": "test." + "x" * 300 + ".v1"}, "the contract's name has 308 characters, more than 200"),
    ("invalid", {"event_hash": b""}, "the event hash has 0 bytes, not 32"),
    ("invalid", {"time": "infinity"}, "is not between the years 2000 and 2199"),
    ("invalid", {"time": "0044-03-15 BC"}, "is not between the years 2000 and 2199"),
    ("invalid", {"actor": "m" * 200_000}, "the actor has 200000 bytes, more than 1024"),
    ("invalid", {"sequence": -1}, "the sequence -1 is not between 0"),
]


@pytest.fixture
def outbox(database: Databases) -> Database:
    """Of an older version, without the constraints."""
    old = database()
    with psycopg.connect(old.owner_url, autocommit=True) as owner:
        for name in (*OUTBOX_LIMITS, "outbox_source"):
            owner.execute(SQL(f"alter table outbox drop constraint {name}"))
    return old


@pytest.fixture
def relays(outbox: Database, broker: TestBroker, servers: AnyServers) -> Iterator[Relays]:
    broker.declare(EVERYTHING)
    with relays_of(outbox, servers.amqp_url("relay")) as relays:
        yield relays


def forge(outbox: Database, id_: UUID, **changed: Any) -> None:
    """As somebody who has the role of the service."""
    row = {"message_id": id_, "correlation_id": uuid4(), "causation_id": None, **ROW, **changed}
    values = ", ".join(f"%({column})s::{type_}" for column, type_ in COLUMNS.items())
    with outbox.connect() as connection:
        connection.execute(f"insert into outbox ({', '.join(COLUMNS)}) values ({values})", row)  # noqa: S608


def version(*contracts: str) -> str:
    """The relay of a version that announces these contracts."""
    return OF_A_VERSION.format(contracts=contracts)


def test_whatever_a_role_writes_into_its_outbox_the_relay_goes_on_and_names_it(
    outbox: Database, broker: TestBroker, relays: Relays
) -> None:
    forged = {uuid4(): (kind, changed, reason) for kind, changed, reason in FORGED}
    for number, (id_, (_, changed, _)) in enumerate(forged.items()):
        forge(outbox, id_, **{"key": f"forged {number}", **changed})
        with outbox.connect() as connection:
            announce(connection, f"real {number}", number)
    relay = relays.start(script=version(KNOWN))
    until(lambda: all_published(outbox))
    assert [message.key for message in listen(broker)] == [f"real {number}" for number in range(len(FORGED))]
    found = {id_: (kind, reason) for id_, kind, reason in undeliverable(outbox, "message_id, kind, reason")}
    assert {id_: kind for id_, (kind, _) in found.items()} == {id_: kind for id_, (kind, _, _) in forged.items()}
    for id_, (_, _, reason) in forged.items():
        assert reason in found[id_][1]
        assert str(id_) in relay.log()
    assert relay.poll() is None
    assert relay_status("counting", outbox.relay_url, 0.1).undeliverable == len(FORGED)
    with outbox.connect() as connection:
        listed = {row["message_id"]: row["state"] for row in listing.messages(connection, ParkedFilter())}
        for id_, (kind, changed, _) in forged.items():
            assert listed[id_] == ("retrying" if kind == "unknown_contract" else "dead")
            shown = inspection.show(connection, id_)
            assert (shown["error"], shown["key"][-100:]) == (kind, changed.get("key", shown["key"])[-100:])
            operations.retry(connection, id_, ME)
    until(lambda: all(attempts > 0 for (attempts,) in undeliverable(outbox, "attempts")))
    with outbox.connect() as connection:
        for id_ in forged:
            operations.skip(connection, id_, ME)
    until(lambda: relay_status("counting", outbox.relay_url, 0.1).undeliverable == 0)
    assert broker.depth(EVERYTHING.queue_names[0]) == 0


def test_what_a_message_claims_makes_no_message_vanish_that_has_the_id_and_the_key(
    outbox: Database, broker: TestBroker, relays: Relays
) -> None:
    real = uuid4()
    forge(outbox, real, key="order", event_hash=b"")
    forge(outbox, real, key="order", actor="ada")
    relays.start(script=version(KNOWN))
    until(lambda: all_published(outbox))
    assert undeliverable(outbox, "message_id, kind, actor") == [(real, "invalid", "mallory"), (real, "waits", "ada")]
    with outbox.connect() as connection:
        operations.skip(connection, real, ME)
    until(lambda: undeliverable(outbox) == [])
    assert [(message.id, message.key) for message in listen(broker)] == [(real, "order")]


def test_a_contract_that_an_older_relay_does_not_know_waits_with_its_key_and_goes_after_the_rollout(
    outbox: Database, broker: TestBroker, relays: Relays
) -> None:
    with outbox.connect() as connection, connection.transaction():
        for key, sequence, contract in (("a", 1, KNOWN), ("a", 2, NEW), ("a", 3, KNOWN), ("b", 1, KNOWN)):
            announce(connection, key, sequence, contract)
    old = relays.start(script=version(KNOWN))
    until(lambda: all_published(outbox))
    assert undeliverable(outbox) == [("a", 2, "unknown_contract"), ("a", 3, "waits")]
    until(lambda: outbox.rows("select from undeliverable where attempts > 1"))
    old.terminate()
    assert old.wait(20) == 0
    heard = [(message.key, message.sequence) for message in listen(broker)]
    assert sorted(heard) == [("a", 1), ("b", 1)]
    later = "update undeliverable set next_attempt_at = now() + interval '5 minutes' where kind <> 'waits' returning 1"
    outbox.rows(later)
    relays.start(script=version(KNOWN, NEW))
    until(lambda: undeliverable(outbox) == [])
    assert [(message.key, message.sequence) for message in listen(broker)] == [("a", 2), ("a", 3)]


def test_a_restored_outbox_is_re_based_though_rows_in_it_are_older_than_its_constraints(outbox: Database) -> None:
    bad, good = uuid4(), uuid4()
    forge(outbox, bad, key="k" * 600)
    forge(outbox, good)
    with psycopg.connect(outbox.owner_url, autocommit=True) as owner:
        owner.execute("alter table outbox add constraint outbox_key check (octet_length(key) <= 512) not valid")
        owner.execute("insert into relay_cursor (system_identifier, published, xid) values ('1', '3:3:', '3')")
    with session.connect(outbox.relay_url) as connection:
        session.prepare(connection, unsafe_durability=False)
        rebase_if_foreign(connection, "counting")
    assert outbox.rows("select message_id from outbox") == [(good,)]
    assert undeliverable(outbox, "message_id, kind") == [(bad, "invalid")]


@pytest.mark.parametrize("moment", ["infinity", "0044-03-15 BC"])
def test_commands_over_an_outbox_answer_whatever_times_its_rows_of_before_have(outbox: Database, moment: str) -> None:
    with psycopg.connect(outbox.owner_url, autocommit=True) as owner:
        assert backlog(owner, Cursor(EMPTY_SNAPSHOT))[4] is None
        forge(outbox, forged := uuid4(), time=moment)
        assert backlog(owner, Cursor(EMPTY_SNAPSHOT))[2] == forged
        owner.execute("create temporary table event_log (message_id uuid)")
        behind = lag("counting", owner, owner)
        assert (behind.messages, behind.oldest is None) == (1, False)
    with snapshot(outbox.owner_url) as at:
        in_outbox, *_ = with_key(Snapshots({}, {"counting": at}, []), None)
        assert [row.id for row in in_outbox] == [forged]
