"""Event stores that are sealed, and what verify finds in them."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid4, uuid5

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

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
from ordersaga.store.transaction import Transaction, decide
from tests.support.counting import Counter, announcements
from tests.support.databases import Database

AGES = timedelta(days=1000)


@dataclass
class Audited:
    """Event stores, and their logs in a directory."""

    stores: Mapping[str, Database]
    directory: Path
    signer: Signer = field(default_factory=lambda: Signer(Ed25519PrivateKey.generate()))

    @property
    def first(self) -> str:
        return next(iter(self.stores))

    def files(self, store: str = "") -> LogFiles:
        """Of the store, by default the first."""
        return LogFiles(self.directory, store or self.first)

    @contextmanager
    def sealer(self, store: str = "") -> Iterator[StoreSealer]:
        """With the rights of the auditor."""
        store = store or self.first
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

    def by_hand(self, statement: str, parameters: Any = (), store: str = "") -> list[tuple[Any, ...]]:
        """As a superuser with the triggers switched off; the statement returns what it did."""
        with psycopg.connect(self.stores[store or self.first].owner_url) as connection:
            connection.execute("set session_replication_role = replica")
            done = connection.execute(statement, parameters).fetchall()
        assert done
        return done

    def count(self, name: str) -> None:
        """One more event in the first store, which is the counting service's: the counter of this name goes on."""
        with self.stores[self.first].connect() as connection:
            decide(connection, announcements, Cause(uuid4(), actor="operator"), partial(count, name=name))


def count(transaction: Transaction, name: str) -> None:
    """It is opened at first."""
    id_ = uuid5(NAMESPACE_OID, name)
    if counter := transaction.find(Counter, id_):
        counter.keep(1)
    else:
        counter = Counter(id=id_)
    transaction.save(counter)


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
