"""Services and a read side whose messages are moved by hand, and what reconcile finds in their databases."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg

from ordersaga.readside import event_log
from ordersaga.reconcile.findings import ReconcileFinding
from ordersaga.reconcile.reconcile import Reconciliation
from ordersaga.service import Service
from tests.support.databases import Database
from tests.support.party import DatabaseParty


class MovedByHand(ABC):
    """Databases by name; every message is moved from one to the other without a broker."""

    services: Sequence[Service]
    logged: dict[str, int]
    """Source -> how many of its messages the read side has."""

    @property
    @abstractmethod
    def urls(self) -> Mapping[str, str]:
        """Database -> URL of its owner."""

    def log(self, parties: Iterable[DatabaseParty], read_side: Database) -> None:
        """The read side receives everything."""
        for party in parties:
            name = party.announcements.source
            messages = party.said_after(self.logged.get(name, 0))
            self.logged[name] = self.logged.get(name, 0) + len(messages)
            with read_side.connect() as connection:
                event_log.append(connection, messages)

    def by_hand(self, database: str, statement: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        """As a superuser with the triggers switched off; the statement returns what it did."""
        with psycopg.connect(self.urls[database]) as connection:
            connection.execute("set session_replication_role = replica")
            done = connection.execute(statement, parameters).fetchall()
        assert done
        return done

    def findings(self, patience: float = 0, **scope: Any) -> list[ReconcileFinding]:
        found: list[ReconcileFinding] = []
        totals = Reconciliation(self.services, self.urls, found.append, patience=patience, **scope).run()
        assert totals.findings == len(found)
        return found

    def named(self, **scope: Any) -> list[tuple[str, str, UUID | None]]:
        return sorted((f.kind, f.place, f.message_id) for f in self.findings(**scope))
