"""The ledger of the simulated card processor: requests, intents, charges and refunds, in one sqlite file."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from payment_service.simulator.statements import LedgerTransaction

SCHEMA = """
create table if not exists requests (
    idempotency_key text primary key,
    fingerprint text not null,
    attempts integer not null,
    status integer,  -- null until executed
    body text,
    created integer not null default 0
) strict;
create table if not exists payment_intents (
    id text primary key,
    order_id text,
    amount integer not null check (amount > 0),
    currency text not null,
    payment_method text not null,
    status text not null check (
        status in ('requires_confirmation', 'succeeded', 'requires_payment_method', 'canceled')),
    failures integer not null default 0,  -- requests to confirm it that the card let fail
    created integer not null
) strict;
create table if not exists charges (
    id text primary key,
    payment_intent text not null unique,
    idempotency_key text not null references requests,
    order_id text,
    amount integer not null check (amount > 0),
    currency text not null,
    payment_method text not null,
    decline_code text,
    status text not null check (status in ('succeeded', 'failed')),
    created integer not null
) strict;
create table if not exists refunds (
    id text primary key,
    charge text not null references charges,
    idempotency_key text not null references requests,
    amount integer not null check (amount > 0),
    created integer not null,
    first_status text not null default 'succeeded',
    later_status text not null default 'succeeded',
    changes_at integer not null default 0,
    part text  -- of the payment, as the caller names it
) strict;
create table if not exists disputes (charge text primary key references charges) strict;
create index if not exists intents_of_order on payment_intents (order_id);
create index if not exists charges_of_order on charges (order_id);
create index if not exists refunds_of_charge on refunds (charge);
"""
ADDED = {
    "requests": ("created integer not null default 0",),
    "refunds": (
        "first_status text not null default 'succeeded'",
        "later_status text not null default 'succeeded'",
        "changes_at integer not null default 0",
        "part text",
    ),
}
"""Columns that a ledger of an older simulator lacks."""
INTENTS_OF_OLDER_CHARGES = """
insert or ignore into payment_intents
select payment_intent, order_id, amount, currency, payment_method,
    iif(status = 'succeeded', status, 'requires_payment_method'), 0, created
from charges
"""


class Ledger:
    """Durable before it answers (WAL, synchronous=full); locked, so that two simulators cannot share a file.

    `clock` gives seconds since 1970; `advance` moves it forward.
    """

    def __init__(self, file: Path, clock: Callable[[], float] = time.time) -> None:
        """Raises sqlite3.Error when the file is no ledger, not writable, or open elsewhere."""
        self._clock = clock
        self._ahead = 0
        self._lock = Lock()
        self._connection = sqlite3.connect(file, timeout=1, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        for setting in ("locking_mode = exclusive", "journal_mode = wal", "synchronous = full", "foreign_keys = on"):
            self._connection.execute(f"pragma {setting}")
        self._connection.executescript(f"begin immediate; {SCHEMA} commit")
        self._add_what_is_missing()

    def _add_what_is_missing(self) -> None:
        for table, columns in ADDED.items():
            present = {row["name"] for row in self._connection.execute(f"pragma table_info({table})")}
            for column in columns:
                if column.split()[0] not in present:
                    self._connection.execute(f"alter table {table} add column {column}")
        self._connection.execute(INTENTS_OF_OLDER_CHARGES)

    def advance(self, seconds: int) -> None:
        """Move the clock of this process forward."""
        self._ahead += seconds

    @contextmanager
    def transaction(self) -> Iterator[LedgerTransaction]:
        with self._lock, self._connection:
            self._connection.execute("begin immediate")
            yield LedgerTransaction(self._connection, int(self._clock()) + self._ahead)
