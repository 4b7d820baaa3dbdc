"""A message that is announced from the caller's own transaction is kept with its changes, or not at all."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.errors import LockNotAvailable
from psycopg.rows import dict_row
from sqlalchemy import Engine, text, update
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from ordersaga.consumer.receiver import Receiver
from ordersaga.envelope.message import Cause, Message, to_headers
from ordersaga.inbox.delivery import Delivery
from ordersaga.inbox.reactions import Reactions
from ordersaga.inbox.reactor import Reactor
from ordersaga.runtime.errors import NoTransaction
from ordersaga.store.announce import announce, announce_async, content_hash
from ordersaga.store.announcements import Announcements
from ordersaga.store.transaction import Transaction
from tests.conftest import AnyServers
from tests.library.billing import Invoice, InvoicePaid, announcements, billing_database, engine_of


@pytest.fixture(scope="module")
def url(servers: AnyServers) -> Iterator[str]:
    with billing_database(servers) as url:
        yield url


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    with engine_of(url) as engine:
        yield engine


@pytest.fixture
def invoice(url: str) -> UUID:
    """One that is not paid yet."""
    id_ = uuid4()
    with psycopg.connect(url) as connection:
        connection.execute("insert into invoices values (%s, false)", (id_,))
    return id_


ROW = "select message_id, contract, source, key, sequence, event_hash, correlation_id, actor, body from outbox"
MARK_PAID = "update invoices set paid = true where id = %s"


def kept(url: str, invoice: UUID) -> tuple[list[tuple[Any, ...]], bool]:
    """What the outbox says of the invoice, and whether the table says that it is paid."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(f"{ROW} where key = %s", (str(invoice),)).fetchall()
        paid = connection.execute("select paid from invoices where id = %s", (invoice,)).fetchone()
    assert paid is not None
    return rows, paid[0]


def the_row(message: Message) -> tuple[Any, ...]:
    m = message
    return m.id, m.contract, m.source, m.key, m.sequence, m.event_hash, m.cause.correlation_id, m.cause.actor, m.body


def test_with_psycopg_message_and_change_are_kept_together(url: str, invoice: UUID) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(MARK_PAID, (invoice,))
        message = announce(connection, InvoicePaid(invoice_id=invoice, cents=5))
        assert kept(url, invoice) == ([], False)
    assert kept(url, invoice) == ([the_row(message)], True)
    assert (message.source, message.key, message.sequence) == ("billing", str(invoice), 0)
    assert message.event_hash == content_hash("billing.invoice_paid.v1", str(invoice), message.body)


ANNOUNCING = """
import sys, uuid, psycopg
from typing import ClassVar
from ordersaga import Announcements, Cause, Contract, Transaction, announce
class Said(Contract):
    NAME: ClassVar[str] = "billing.said.v1"
    SOURCE: ClassVar[str] = "billing"
    KEY: ClassVar[str] = "about"
    about: str
with psycopg.connect(sys.argv[1]) as connection:
    announce(connection, Said(about="this"))
    transaction = Transaction(connection, Announcements("billing"), Cause(uuid.uuid4()))
    transaction.announce(Said(about="that"))
    transaction.flush()
print(*(name for name in ("sqlalchemy", "flask", "alembic", "cryptography") if name in sys.modules))
"""


def test_with_psycopg_neither_sqlalchemy_nor_flask_is_loaded(url: str) -> None:
    done = subprocess.run([sys.executable, "-c", ANNOUNCING, url], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_with_psycopg_neither_is_kept_when_the_caller_rolls_back(url: str, invoice: UUID) -> None:
    with psycopg.connect(url, autocommit=True) as connection, connection.transaction(force_rollback=True):
        connection.execute(MARK_PAID, (invoice,))
        announce(connection, InvoicePaid(invoice_id=invoice))
    assert kept(url, invoice) == ([], False)


def test_cursors_of_the_callers_liking_do_not_matter(url: str, invoice: UUID) -> None:
    """Django's connections, for one, have cursors that bind on the client."""
    options: dict[str, Any] = {"row_factory": dict_row, "cursor_factory": psycopg.ClientCursor}
    with psycopg.connect(url, **options) as connection:
        message = announce(connection, InvoicePaid(invoice_id=invoice))
    assert kept(url, invoice)[0] == [the_row(message)]


def test_what_the_caller_gives_is_what_the_message_has(url: str, invoice: UUID) -> None:
    id_, cause = uuid4(), Cause(uuid4(), actor="ada")
    with psycopg.connect(url) as connection:
        data = InvoicePaid(invoice_id=invoice)
        message = announce(connection, data, id=id_, sequence=7, cause=cause)
    assert (message.id, message.source, message.sequence, message.cause) == (id_, "billing", 7, cause)
    assert kept(url, invoice)[0] == [the_row(message)]


def test_with_a_connection_of_sqlalchemy_both_are_kept_or_neither(url: str, engine: Engine, invoice: UUID) -> None:
    change = update(Invoice).where(Invoice.id == invoice).values(paid=True)
    with engine.connect() as connection:
        announce(connection, InvoicePaid(invoice_id=invoice))
        connection.execute(change)
    assert kept(url, invoice) == ([], False)
    with engine.connect() as connection:
        message = announce(connection, InvoicePaid(invoice_id=invoice))
        connection.execute(change)
        connection.commit()
    assert kept(url, invoice) == ([the_row(message)], True)


@pytest.mark.parametrize("make", [Session, lambda engine: scoped_session(sessionmaker(engine))])
def test_with_a_session_of_sqlalchemy_both_are_kept_or_neither(
    url: str, engine: Engine, invoice: UUID, make: Any
) -> None:
    session = make(engine)
    session.get_one(Invoice, invoice).paid = True
    announce(session, InvoicePaid(invoice_id=invoice))
    session.rollback()
    assert kept(url, invoice) == ([], False)
    session.get_one(Invoice, invoice).paid = True
    message = announce(session, InvoicePaid(invoice_id=invoice))
    session.commit()
    session.close()
    assert kept(url, invoice) == ([the_row(message)], True)


def test_a_session_writes_the_change_before_the_message_so_that_messages_of_a_key_are_in_order_of_commits(
    url: str, engine: Engine, invoice: UUID
) -> None:
    with Session(engine, autoflush=False) as session, psycopg.connect(url) as other:
        session.get_one(Invoice, invoice).paid = True
        announce(session, InvoicePaid(invoice_id=invoice))
        with pytest.raises(LockNotAvailable):
            other.execute("select from invoices where id = %s for update nowait", (invoice,))


def test_in_autocommit_it_is_refused_because_the_message_would_be_kept_without_the_change(
    url: str, invoice: UUID
) -> None:
    data = InvoicePaid(invoice_id=invoice)
    with psycopg.connect(url, autocommit=True) as connection, pytest.raises(NoTransaction):
        announce(connection, data)
    with engine_of(url, isolation_level="AUTOCOMMIT") as engine, engine.connect() as connection:
        with pytest.raises(NoTransaction):
            announce(connection, data)
        with Session(connection) as session, pytest.raises(NoTransaction):
            announce(session, data)
    assert kept(url, invoice)[0] == []


def test_another_kind_of_connection_is_refused_with_the_way_that_works(url: str) -> None:
    with pytest.raises(TypeError, match="announce_async"):
        announce(object(), InvoicePaid(invoice_id=uuid4()))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="AsyncConnection"):
        asyncio.run(announce_async(object(), InvoicePaid(invoice_id=uuid4())))  # type: ignore[arg-type]


def test_with_an_asynchronous_connection_both_are_kept_or_neither(url: str, invoice: UUID) -> None:
    data = InvoicePaid(invoice_id=invoice)

    async def pay(rolls_back: bool) -> Message:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            with pytest.raises(NoTransaction):
                await announce_async(connection, data)
            async with connection.transaction(force_rollback=rolls_back):
                await connection.execute(MARK_PAID, (invoice,))
                return await announce_async(connection, data)

    asyncio.run(pay(rolls_back=True))
    assert kept(url, invoice) == ([], False)
    message = asyncio.run(pay(rolls_back=False))
    assert kept(url, invoice) == ([the_row(message)], True)


def test_with_an_asynchronous_session_of_sqlalchemy_it_runs_in_the_sessions_greenlet(url: str, invoice: UUID) -> None:
    pytest.importorskip("greenlet")

    async def pay() -> Message:
        engine = create_async_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        async with AsyncSession(engine) as session:
            (await session.get_one(Invoice, invoice)).paid = True
            message = await session.run_sync(announce, InvoicePaid(invoice_id=invoice))
            await session.commit()
        await engine.dispose()
        return message

    message = asyncio.run(pay())
    assert kept(url, invoice) == ([the_row(message)], True)


def test_a_retry_under_the_same_id_takes_effect_once_and_other_content_under_it_is_parked(url: str) -> None:
    id_, invoice, heard = uuid4(), uuid4(), []
    reactions = Reactions()
    reactions.to(InvoicePaid)(lambda message, _: heard.append(message.cents))
    receiver = Receiver("billing", Reactor(reactions, announcements))
    with psycopg.connect(url, autocommit=True) as connection:
        for cents in (5, 5, 6):
            with connection.transaction():
                message = announce(connection, InvoicePaid(invoice_id=invoice, cents=cents), id=id_)
            delivery = Delivery(0, message.routing_key, to_headers(message), message.body.encode())
            receiver.receive(connection, receiver.read([delivery]))
        assert heard == [5]
        parked = connection.execute("select state, error from parked_messages where key = %s", (str(invoice),))
        assert parked.fetchall() == [("dead", "ForkedHistory")]


def test_a_transaction_announces_with_its_own_source_and_cause(url: str, invoice: UUID) -> None:
    cause = Cause(uuid4(), uuid4(), "ada")
    with psycopg.connect(url) as connection:
        transaction = Transaction(connection, announcements, cause)
        message = transaction.announce(InvoicePaid(invoice_id=invoice))
        assert connection.execute("select from outbox where key = %s", (str(invoice),)).rowcount == 0
        transaction.flush()
    assert (message.source, message.cause) == ("billing", cause)
    assert kept(url, invoice)[0] == [the_row(message)]


def test_a_contract_is_announced_by_an_event_or_without_one_and_not_both_ways() -> None:
    class Paid:
        """An event."""

    def paid(_: Any) -> InvoicePaid:
        raise NotImplementedError

    by_itself = Announcements("billing")
    by_itself.without_event(InvoicePaid)
    with pytest.raises(ValueError, match="without an event"):
        by_itself.of(Paid)(paid)  # type: ignore[type-var]
    by_event = Announcements("billing")
    by_event.of(Paid)(paid)  # type: ignore[type-var]
    with pytest.raises(ValueError, match="by an event"):
        by_event.without_event(InvoicePaid)


def test_the_outbox_of_sqlalchemy_is_the_table_that_psycopg_writes(url: str, engine: Engine) -> None:
    """Both take every column of a message; the rest have defaults."""
    with engine.connect() as connection:
        announce(connection, InvoicePaid(invoice_id=uuid4()))
        by_sqlalchemy = connection.execute(text("select * from outbox order by position desc limit 1")).mappings().one()
        connection.rollback()
    with psycopg.connect(url, row_factory=dict_row) as connection:
        announce(connection, InvoicePaid(invoice_id=uuid4()))
        row = connection.execute("select * from outbox order by position desc limit 1").fetchone()
        connection.rollback()
    assert row is not None
    empty = {name for name, value in row.items() if value is None}
    assert {name for name, value in by_sqlalchemy.items() if value is None} == empty == {"causation_id"}
