"""Orders that have come to their end on real databases, and a hand that takes rows away from them."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg

from order_service.commands import UnpricedLine
from ordersaga.envelope.message import Message
from ordersaga.readside import event_log
from ordersaga.reconcile.findings import ReconcileFinding
from ordersaga.reconcile.reconcile import Reconciliation
from shop import services
from tests.shop.support.saga import Saga
from tests.support.databases import Database
from tests.support.party import DatabaseParty

CARDS = ("pm_card_visa", "pm_card_visa", "pm_card_chargeDeclined")


@dataclass
class Shop:
    """Three services and the read side; every message is moved from one to the other without a broker."""

    parties: dict[str, DatabaseParty]
    projections: Database
    saga: Saga
    logged: dict[str, int] = field(default_factory=dict)

    @property
    def urls(self) -> dict[str, str]:
        owners = {name: party.database.owner_url for name, party in self.parties.items()}
        return {**owners, "projections": self.projections.owner_url}

    def trade(self) -> None:
        self.saga.receive_stock("cup", 4)
        for card in CARDS:
            self.saga.place([UnpricedLine("cup", 1)], card)
        self.saga.place([UnpricedLine("cup", 9)], "pm_card_visa")
        self.saga.settle()
        self.saga.cancel(self.saga.orders[1])
        self.saga.settle()
        self.log()

    def log(self) -> None:
        """The read side hears of everything."""
        for name, party in self.parties.items():
            messages = party.said_after(self.logged.get(name, 0))
            self.logged[name] = self.logged.get(name, 0) + len(messages)
            with self.projections.connect() as connection:
                event_log.append(connection, messages)

    def by_hand(self, database: str, statement: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        """As a superuser with the triggers switched off; the statement returns what it did."""
        with psycopg.connect(self.urls[database]) as connection:
            connection.execute("set session_replication_role = replica")
            done = connection.execute(statement, parameters).fetchall()
        assert done
        return done

    def message(self, service: str, contract: str) -> Message:
        return next(m for m in self.parties[service].said_after(0) if m.contract == contract)

    def messages_of(self, order: UUID) -> list[Message]:
        return [m for party in self.parties.values() for m in party.said_after(0) if m.key == str(order)]

    def findings(self, patience: float = 0, **scope: Any) -> list[ReconcileFinding]:
        found: list[ReconcileFinding] = []
        totals = Reconciliation(services, self.urls, found.append, patience=patience, **scope).run()
        assert totals.findings == len(found)
        return found

    def named(self, **scope: Any) -> list[tuple[str, str, UUID | None]]:
        return sorted((f.kind, f.place, f.message_id) for f in self.findings(**scope))
