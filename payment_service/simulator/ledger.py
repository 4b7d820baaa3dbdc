"""The ledger of the simulated card processor: requests with answers, charges and refunds, in one sqlite file."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from threading import Lock
from typing import Any

SCHEMA = """
create table if not exists requests (
    idempotency_key text primary key,
    fingerprint text not null,
    attempts integer not null,
    status integer,  -- null until executed
    body text
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
    created integer not null
) strict;
create index if not exists charges_of_order on charges (order_id);
create index if not exists refunds_of_charge on refunds (charge);
"""
CHARGES = """
select charges.*, requests.attempts, coalesce(sum(refunds.amount), 0) as amount_refunded
from charges join requests using (idempotency_key) left join refunds on refunds.charge = charges.id
where {condition} group by charges.id order by charges.rowid
"""
REFUNDS = """
select refunds.*, requests.attempts, charges.order_id, charges.currency, charges.payment_intent
from refunds join requests using (idempotency_key) join charges on charges.id = refunds.charge
where {condition} order by refunds.rowid
"""

Row = dict[str, Any]


@dataclass(frozen=True)
class SimulatedAnswer:
    status: int
    body: str
    replayed: bool = False


@dataclass(frozen=True)
class KeyAttempt:
    """`number` counts the requests with the key; `other_request` when the key was used for another request."""

    number: int
    answer: SimulatedAnswer | None
    other_request: bool


class LedgerTransaction:
    """The statements that a `Ledger.transaction` can run, a method each."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def _rows(self, statement: str, **values: object) -> list[Row]:
        return [dict(row) for row in self._connection.execute(statement, values)]

    def add_attempt(self, key: str, fingerprint: str) -> KeyAttempt:
        row = self._rows(
            """insert into requests values (:key, :fingerprint, 1, null, null)
               on conflict (idempotency_key) do update set attempts = attempts + 1,
                   fingerprint = iif(status is null, excluded.fingerprint, fingerprint)
               returning *""",
            key=key,
            fingerprint=fingerprint,
        )[0]
        answer = SimulatedAnswer(row["status"], row["body"], replayed=True) if row["status"] else None
        return KeyAttempt(row["attempts"], answer, row["fingerprint"] != fingerprint)

    def keep_answer(self, key: str, answer: SimulatedAnswer) -> None:
        self._rows(
            "update requests set status = :status, body = :body where idempotency_key = :key",
            key=key,
            status=answer.status,
            body=answer.body,
        )

    def add_charge(self, key: str, asked: Row, decline_code: str | None) -> Row:
        """`asked` has order_id, amount, currency and payment_method."""
        return self._rows(
            """insert into charges values (:id, :intent, :key, :order_id, :amount, :currency,
                   :payment_method, :decline_code, :status, :created) returning *, 0 as amount_refunded""",
            **asked,
            id=f"ch_sim_{token_hex(12)}",
            intent=f"pi_sim_{token_hex(12)}",
            key=key,
            decline_code=decline_code,
            status="failed" if decline_code else "succeeded",
            created=int(time.time()),
        )[0]

    def add_refund(self, key: str, charge: str, amount: int) -> str:
        refund = f"re_sim_{token_hex(12)}"
        self._rows(
            "insert into refunds values (:id, :charge, :key, :amount, :created)",
            id=refund,
            charge=charge,
            key=key,
            amount=amount,
            created=int(time.time()),
        )
        return refund

    def charges(self, condition: str = "true", **values: object) -> list[Row]:
        return self._rows(CHARGES.format(condition=condition), **values)

    def refunds(self, condition: str = "true", **values: object) -> list[Row]:
        return self._rows(REFUNDS.format(condition=condition), **values)


class Ledger:
    """Durable before it answers (WAL, synchronous=full); locked, so that two simulators cannot share a file."""

    def __init__(self, file: Path) -> None:
        """Raises sqlite3.Error when the file is no ledger, not writable, or open elsewhere."""
        self._lock = Lock()
        self._connection = sqlite3.connect(file, timeout=1, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        for setting in ("locking_mode = exclusive", "journal_mode = wal", "synchronous = full", "foreign_keys = on"):
            self._connection.execute(f"pragma {setting}")
        self._connection.executescript(f"begin immediate; {SCHEMA} commit")

    @contextmanager
    def transaction(self) -> Iterator[LedgerTransaction]:
        with self._lock, self._connection:
            self._connection.execute("begin immediate")
            yield LedgerTransaction(self._connection)
