"""Event stores that are sealed, and what verify finds in them."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from order_service.announcements import announcements
from order_service.commands import put_product
from ordersaga.audit import records
from ordersaga.audit.checkpoint import KeptCheckpoints
from ordersaga.audit.findings import AuditFinding
from ordersaga.audit.note import Signer, VerifierKey
from ordersaga.audit.records import Record
from ordersaga.audit.sealed_log import LogFiles
from ordersaga.audit.sealer import StoreSealer
from ordersaga.audit.store_records import records_of
from ordersaga.audit.verify import verify
from ordersaga.envelope.message import Cause
from ordersaga.store.transaction import decide
from tests.support.databases import Database

AGES = timedelta(days=1000)


@dataclass
class Audited:
    """Event stores, and their logs in a directory."""

    stores: Mapping[str, Database]
    directory: Path
    signer: Signer = field(default_factory=lambda: Signer(Ed25519PrivateKey.generate()))

    def files(self, store: str = "order_service") -> LogFiles:
        return LogFiles(self.directory, store)

    @contextmanager
    def sealer(self, store: str = "order_service") -> Iterator[StoreSealer]:
        """With the rights of the auditor."""
        with (
            psycopg.connect(self.stores[store].auditor_url, autocommit=True) as connection,
            StoreSealer(self.files(store), self.signer, connection) as sealer,
        ):
            yield sealer

    def seal(self) -> int:
        """As sealers that are started, seal what there is and are stopped."""
        sealed = 0
        for store in self.stores:
            with self.sealer(store) as sealer:
                sealed += sealer.seal()
        return sealed

    def records(self) -> Iterator[Record]:
        """As they are now."""
        return records.records_of_all(list(self.stores), self.records_of)

    def records_of(self, store: str) -> Iterator[Record]:
        with psycopg.connect(self.stores[store].auditor_url) as connection:
            yield from records_of(connection, self.files(store))

    def export(self) -> str:
        return "".join(records.to_line(record) + "\n" for record in self.records())

    def findings(self, kept: KeptCheckpoints | None = None, patience: timedelta = AGES) -> list[AuditFinding]:
        return judged(self.records(), self.signer.verifier, kept=kept, patience=patience)

    def by_hand(self, statement: str, parameters: Any = (), store: str = "order_service") -> list[tuple[Any, ...]]:
        """As a superuser with the triggers switched off; the statement returns what it did."""
        with psycopg.connect(self.stores[store].owner_url) as connection:
            connection.execute("set session_replication_role = replica")
            done = connection.execute(statement, parameters).fetchall()
        assert done
        return done

    def price(self, sku: str, unit_price: int = 100) -> None:
        """One more event in the store of the orders."""
        with self.stores["order_service"].connect() as connection:
            decide(
                connection,
                announcements,
                Cause(uuid4(), actor="operator"),
                lambda transaction: put_product(transaction, sku, sku, unit_price, "EUR"),
            )


def judged(
    found: Any, key: VerifierKey, *, kept: KeptCheckpoints | None = None, patience: timedelta = AGES
) -> list[AuditFinding]:
    findings: list[AuditFinding] = []
    totals = verify(found, key, findings.append, kept=kept, patience=patience)
    assert sum(each.findings for each in totals) == len(findings)
    return findings


def judged_offline(export: str, key: VerifierKey, kept: KeptCheckpoints | None = None) -> list[AuditFinding]:
    """From the text alone."""
    return judged(records.read_export(io.StringIO(export)), key, kept=kept)
