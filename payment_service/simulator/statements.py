"""The statements of one transaction of the ledger."""

import sqlite3
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

KEYS_KEPT_SECONDS = 24 * 3600
"""A key that is older is forgotten: a request with it is a new one."""
SEARCHABLE_AFTER_SECONDS = 60
"""A new payment intent is found by search after this time only; by its id it is found at once."""
REFUND_SECONDS = 2
"""The time after which a refund goes on to its second status."""

REFUND_STATUS = "iif(:now < refunds.changes_at, refunds.first_status, refunds.later_status)"
CHARGES = f"""
select charges.*, requests.attempts,
    coalesce(sum(iif({REFUND_STATUS} in ('succeeded', 'pending'), refunds.amount, 0)), 0) as amount_refunded
from charges join requests using (idempotency_key) left join refunds on refunds.charge = charges.id
where {{condition}} group by charges.id order by charges.rowid
"""  # noqa: S608 - constants
REFUNDS = f"""
select refunds.id, refunds.charge, refunds.idempotency_key, refunds.amount, refunds.created, refunds.part,
    {REFUND_STATUS} as status, requests.attempts, charges.order_id, charges.currency, charges.payment_intent
from refunds join requests using (idempotency_key) join charges on charges.id = refunds.charge
where {{condition}} order by refunds.rowid
"""  # noqa: S608 - constants
ADD_ATTEMPT = """
insert into requests values (:key, :fingerprint, 1, null, null, :now)
on conflict (idempotency_key) do update set
    attempts = iif(created <= :pruned, 1, attempts + 1),
    fingerprint = iif(status is null or created <= :pruned, excluded.fingerprint, fingerprint),
    status = iif(created <= :pruned, null, status),
    body = iif(created <= :pruned, null, body),
    created = iif(created <= :pruned, :now, created)
returning *
"""

Row = dict[str, Any]


@dataclass(frozen=True)
class SimulatedAnswer:
    """An answer; one that is not `stored` leaves the idempotency key free."""

    status: int
    body: str
    replayed: bool = False
    stored: bool = True


@dataclass(frozen=True)
class KeyAttempt:
    """An earlier answer, if there is one; `other_request` when the key was used for another request."""

    answer: SimulatedAnswer | None
    other_request: bool


class LedgerTransaction:
    """A method for each statement; `now` is in seconds since 1970."""

    def __init__(self, connection: sqlite3.Connection, now: int) -> None:
        self._connection = connection
        self.now = now

    def _rows(self, statement: str, **values: object) -> list[Row]:
        return [dict(row) for row in self._connection.execute(statement, {"now": self.now, **values})]

    def add_attempt(self, key: str, fingerprint: str) -> KeyAttempt:
        pruned = self.now - KEYS_KEPT_SECONDS
        row = self._rows(ADD_ATTEMPT, key=key, fingerprint=fingerprint, pruned=pruned)[0]
        answer = SimulatedAnswer(row["status"], row["body"], replayed=True) if row["status"] else None
        return KeyAttempt(answer, row["fingerprint"] != fingerprint)

    def keep_answer(self, key: str, answer: SimulatedAnswer) -> None:
        self._rows(
            "update requests set status = :status, body = :body where idempotency_key = :key",
            key=key,
            status=answer.status,
            body=answer.body,
        )

    def add_intent(self, asked: Row) -> Row:
        """`asked` has order_id, amount, currency and payment_method."""
        return self._rows(
            """insert into payment_intents values (:id, :order_id, :amount, :currency, :payment_method,
                   'requires_confirmation', 0, :now) returning *""",
            **asked,
            id=f"pi_sim_{token_hex(12)}",
        )[0]

    def intents(self, condition: str, **values: object) -> list[Row]:
        """Newest first; `latest_charge` and `decline_code` are of its charge."""
        return self._rows(
            f"""select payment_intents.*, charges.id as latest_charge, decline_code
                from payment_intents left join charges on charges.payment_intent = payment_intents.id
                where {condition} order by payment_intents.rowid desc""",  # noqa: S608 - constants
            **values,
        )

    def searchable_intents(self, order_id: str) -> list[Row]:
        """What the search index has of an order."""
        condition = "payment_intents.order_id = :order_id and payment_intents.created <= :indexed"
        return self.intents(condition, order_id=order_id, indexed=self.now - SEARCHABLE_AFTER_SECONDS)

    def count_failure(self, intent: str) -> None:
        self._rows("update payment_intents set failures = failures + 1 where id = :intent", intent=intent)

    def set_status(self, intent: str, status: str) -> None:
        self._rows("update payment_intents set status = :status where id = :intent", intent=intent, status=status)

    def add_charge(self, key: str, intent: Row, decline_code: str | None) -> None:
        self._rows(
            """insert into charges values (:charge, :id, :key, :order_id, :amount, :currency,
                   :payment_method, :decline, :outcome, :now)""",
            **intent,
            charge=f"ch_sim_{token_hex(12)}",
            key=key,
            decline=decline_code,
            outcome="failed" if decline_code else "succeeded",
        )
        self.set_status(intent["id"], "requires_payment_method" if decline_code else "succeeded")

    def add_refund(self, key: str, asked: Row, amount: int, statuses: tuple[str, ...]) -> str:
        refund = f"re_sim_{token_hex(12)}"
        self._rows(
            "insert into refunds values (:id, :charge, :key, :amount, :now, :first, :later, :changes_at, :part)",
            id=refund,
            charge=asked["charge"],
            part=asked["part"],
            key=key,
            amount=amount,
            first=statuses[0],
            later=statuses[-1],
            changes_at=self.now + REFUND_SECONDS,
        )
        return refund

    def add_dispute(self, charge: str) -> bool:
        """Whether it is the first of this charge."""
        return bool(
            self._rows("insert into disputes values (:charge) on conflict do nothing returning 1", charge=charge)
        )

    def charges(self, condition: str = "true", **values: object) -> list[Row]:
        return self._rows(CHARGES.format(condition=condition), **values)

    def refunds(self, condition: str = "true", **values: object) -> list[Row]:
        return self._rows(REFUNDS.format(condition=condition), **values)
