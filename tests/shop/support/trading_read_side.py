"""Three services that trade, and the read side that hears of it when a test says so."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any
from uuid import UUID

import psycopg

from order_service.commands import UnpricedLine
from ordersaga.envelope.message import Message, to_headers
from ordersaga.inbox.delivery import Delivery, Received, read
from ordersaga.inbox.handler import Handler
from ordersaga.readside.rebuild.findings import RebuildFinding
from ordersaga.readside.rebuild.rebuild import LOG, Rebuild
from ordersaga.readside.rebuild.result import RebuildResult
from ordersaga.store.lazy_transaction import LazyTransaction
from projections.service import projections
from tests.shop.support.saga import Saga
from tests.shop.support.saga_on_postgres import open_shop, parties_on_postgres
from tests.support.databases import Database, Databases
from tests.support.party import DatabaseParty

TABLES = (LOG, *projections.views)
CARDS = ("pm_card_visa", "pm_card_visa", "pm_card_chargeDeclined")


@dataclass
class ReadSide:
    """Every message is moved by hand, without a broker."""

    parties: dict[str, DatabaseParty]
    database: Database
    saga: Saga
    heard: set[UUID] = field(default_factory=set)
    projector: Handler = field(default_factory=projections.handler)

    @property
    def urls(self) -> dict[str, str]:
        """As owners."""
        owners = {name: party.database.owner_url for name, party in self.parties.items()}
        return {**owners, "projections": self.database.owner_url}

    def trade(self) -> None:
        """Orders paid, declined, rejected and cancelled after shipping, and one under way."""
        self.saga.receive_stock("cup", 9)
        for number in range(5):
            self.saga.place([UnpricedLine("cup", 1 + 9 * (number // 4))], CARDS[number % 3])
        self.saga.settle()
        self.saga.cancel(self.saga.orders[-5])
        self.saga.settle()
        self.saga.place([UnpricedLine("cup", 1)], CARDS[0])

    def unheard(self) -> list[Message]:
        """What was announced since it was last asked, in the order of time."""
        said = (message for party in self.parties.values() for message in party.said_after(0))
        new = sorted((message for message in said if message.id not in self.heard), key=attrgetter("time"))
        self.heard |= {message.id for message in new}
        return new

    def project(self, messages: Sequence[Message] | None = None) -> None:
        """The projector receives these messages, or all that it has not heard."""
        messages = self.unheard() if messages is None else messages
        if messages:
            with self.database.connect() as connection, LazyTransaction(connection) as lazy:
                received = [arrived(message) for message in messages]
                look = self.projector.look(connection, received)
                self.projector.handle(lazy, [each for each in received if each.id not in look.known], look)

    def contents(self) -> dict[str, list[Any]]:
        """Every row of the log and of the views."""
        return {table: self.database.rows(f"select * from {table} order by 1, 2") for table in TABLES}  # noqa: S608

    def rebuild(self, **options: Any) -> tuple[RebuildResult, list[RebuildFinding]]:
        found: list[RebuildFinding] = []
        result = Rebuild(projections, self.urls, found.append, **{"patience": 0, **options}).run()
        assert result.findings == len(found)
        return result, found

    def as_owner(self, statements: str) -> None:
        with psycopg.connect(self.database.owner_url) as connection:
            connection.execute(statements.encode())

    def by_hand(self, statement: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        """As the owner; the statement returns what it did."""
        with psycopg.connect(self.database.owner_url) as connection:
            done = connection.execute(statement, parameters).fetchall()
        assert done
        return done


@contextmanager
def trading(databases: Databases) -> Iterator[ReadSide]:
    """A read side that has heard of everything so far."""
    parties = parties_on_postgres(databases)
    side = ReadSide(parties, databases("projections"), open_shop(parties))
    side.trade()
    side.project()
    try:
        yield side
    finally:
        for party in parties.values():
            party.close()


def arrived(message: Message) -> Received:
    delivery = Delivery(0, message.routing_key, to_headers(message), message.body.encode())
    received = read(delivery, projections.known_contracts)
    assert isinstance(received, Received)
    return received
