"""A reaction that writes tables of its own: its changes are kept with the inbox row of the message, or not at all."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ordersaga.consumer.receiver import Receiver
from ordersaga.envelope.message import Cause, Message, to_headers
from ordersaga.inbox.delivery import Delivery
from ordersaga.inbox.reactions import Reactions
from ordersaga.inbox.reactor import Reactor
from ordersaga.store.announce import message_of
from ordersaga.store.sqlalchemy_session import sqlalchemy_session
from ordersaga.store.transaction import Transaction
from tests.conftest import AnyServers
from tests.library.billing import Invoice, InvoicePaid, announcements, billing_database, engine_of

React = Callable[[InvoicePaid, Transaction], None]


@pytest.fixture(scope="module")
def url(servers: AnyServers) -> Iterator[str]:
    with billing_database(servers) as url:
        yield url


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    with engine_of(url) as engine:
        yield engine


def paid(invoice: UUID) -> Message:
    return message_of(InvoicePaid(invoice_id=invoice), id=None, sequence=0, cause=Cause(uuid4(), actor="ada"))


def receive(url: str, react: React, *messages: Message) -> None:
    """As a worker does: in autocommit, with a transaction for the messages."""
    reactions = Reactions()
    reactions.to(InvoicePaid)(react)
    receiver = Receiver("billing", Reactor(reactions, announcements))
    deliveries = [Delivery(0, each.routing_key, to_headers(each), each.body.encode()) for each in messages]
    with psycopg.connect(url, autocommit=True) as connection:
        receiver.receive(connection, receiver.read(deliveries))


def state(url: str, message: Message) -> tuple[int, int, list[str]]:
    """Invoices of the message's key, its rows in the inbox, and the errors that it is parked with."""
    with psycopg.connect(url) as connection:
        invoices = connection.execute("select from invoices where id = %s", (message.key,)).rowcount
        received = connection.execute("select from inbox where message_id = %s", (message.id,)).rowcount
        parked = connection.execute("select error from parked_messages where message_id = %s", (message.id,))
        return invoices, received, [error for (error,) in parked]


def insert(message: InvoicePaid, transaction: Transaction) -> None:
    transaction.connection.execute("insert into invoices values (%s, true)", (message.invoice_id,))


def test_with_sql_of_its_own_a_message_takes_effect_once(url: str) -> None:
    message = paid(uuid4())
    receive(url, insert, message, message)
    receive(url, insert, message)
    assert state(url, message) == (1, 1, [])


def test_when_a_reaction_fails_nothing_of_it_is_kept_and_the_message_is_parked(url: str) -> None:
    def insert_and_fail(message: InvoicePaid, transaction: Transaction) -> None:
        insert(message, transaction)
        raise ValueError("no")

    message = paid(uuid4())
    receive(url, insert_and_fail, message)
    assert state(url, message) == (0, 0, ["ValueError"])


def test_what_a_reaction_announces_is_kept_with_its_changes_and_names_the_message_as_its_cause(url: str) -> None:
    answer = uuid4()

    def insert_and_announce(message: InvoicePaid, transaction: Transaction) -> None:
        insert(message, transaction)
        transaction.announce(InvoicePaid(invoice_id=answer))

    message = paid(uuid4())
    receive(url, insert_and_announce, message, message)
    with psycopg.connect(url) as connection:
        said = connection.execute(
            "select causation_id, correlation_id, actor from outbox where key = %s", (str(answer),)
        ).fetchall()
    assert said == [(message.id, message.cause.correlation_id, "ada")]


def adding(engine: Engine) -> React:
    def add(message: InvoicePaid, transaction: Transaction) -> None:
        with sqlalchemy_session(transaction, engine) as session:
            session.add(Invoice(id=message.invoice_id, paid=True))

    return add


def test_with_a_session_of_sqlalchemy_a_message_takes_effect_once(url: str, engine: Engine) -> None:
    messages = [paid(uuid4()) for _ in range(3)]
    receive(url, adding(engine), *messages, *messages)
    receive(url, adding(engine), *messages)
    assert [state(url, message) for message in messages] == [(1, 1, [])] * 3


def test_what_a_session_commits_is_kept_only_if_the_message_is(url: str, engine: Engine) -> None:
    def commit_and_fail(message: InvoicePaid, transaction: Transaction) -> None:
        with sqlalchemy_session(transaction, engine) as session:
            session.add(Invoice(id=message.invoice_id, paid=True))
            session.commit()
        raise ValueError("no")

    message = paid(uuid4())
    receive(url, commit_and_fail, message)
    assert state(url, message) == (0, 0, ["ValueError"])


def test_what_a_session_rolls_back_is_undone_and_nothing_else(url: str, engine: Engine) -> None:
    undone = uuid4()

    def change_its_mind(message: InvoicePaid, transaction: Transaction) -> None:
        insert(message, transaction)
        with sqlalchemy_session(transaction, engine) as session:
            session.add(Invoice(id=undone, paid=True))
            session.flush()
            session.rollback()

    message = paid(uuid4())
    receive(url, change_its_mind, message)
    assert state(url, message) == (1, 1, [])
    assert state(url, paid(undone))[0] == 0


def test_a_session_sees_what_the_reaction_wrote_before_and_is_seen_by_what_comes_after(
    url: str, engine: Engine
) -> None:
    seen: list[Any] = []

    def look(message: InvoicePaid, transaction: Transaction) -> None:
        insert(message, transaction)
        with sqlalchemy_session(transaction, engine) as session:
            session.get_one(Invoice, message.invoice_id).paid = False
        seen.extend(
            transaction.connection.execute("select paid from invoices where id = %s", (message.invoice_id,)).fetchall()
        )

    receive(url, look, paid(uuid4()))
    assert seen == [(False,)]


def test_sqlalchemys_errors_are_told_apart_as_psycopgs_are(url: str, engine: Engine) -> None:
    """A deadlock is tried again at once, and an outage keeps the message in hand: neither is parked."""
    attempts: list[str] = []

    def deadlock_once(message: InvoicePaid, transaction: Transaction) -> None:
        with sqlalchemy_session(transaction, engine) as session:
            attempts.append("begun")
            if len(attempts) == 1:
                session.execute(text("do $$ begin raise 'deadlock' using errcode = '40P01'; end $$"))
            session.add(Invoice(id=message.invoice_id, paid=True))

    message = paid(uuid4())
    receive(url, deadlock_once, message)
    assert state(url, message) == (1, 1, [])
    assert len(attempts) == 2


def test_what_the_database_refuses_in_a_block_can_be_caught_and_the_reaction_goes_on(url: str, engine: Engine) -> None:
    def insert_twice(message: InvoicePaid, transaction: Transaction) -> None:
        insert(message, transaction)
        with (
            pytest.raises(psycopg.errors.UniqueViolation) as refused,
            sqlalchemy_session(transaction, engine) as session,
        ):
            session.add(Invoice(id=message.invoice_id, paid=True))
        assert isinstance(refused.value.__cause__, IntegrityError)

    message = paid(uuid4())
    receive(url, insert_twice, message)
    assert state(url, message) == (1, 1, [])


def test_an_engine_of_another_driver_is_refused(url: str) -> None:
    engine = create_engine("sqlite://")

    def add(message: InvoicePaid, transaction: Transaction) -> None:
        with sqlalchemy_session(transaction, engine) as session:
            assert isinstance(session, Session)

    message = paid(uuid4())
    receive(url, add, message)
    assert state(url, message) == (0, 0, ["TypeError"])
