"""Refunds: made, found by id and by charge; the card says how the first one of a charge goes."""

import json

from flask import Response, request

from payment_service.cards import SUCCEEDED, TestCard, card_named
from payment_service.simulator import shapes
from payment_service.simulator.answers import failure, json_response, missing, refusal, response
from payment_service.simulator.idempotency import IdempotencyKeys, key_of_request
from payment_service.simulator.ledger import Ledger
from payment_service.simulator.shapes import RefusedRequest
from payment_service.simulator.statements import LedgerTransaction, Row, SimulatedAnswer


class Refunds:
    def __init__(self, ledger: Ledger, keys: IdempotencyKeys) -> None:
        self._ledger = ledger
        self._keys = keys

    def create(self) -> Response:
        asked = shapes.refund_asked(request.form)
        key = key_of_request()

        def execute(transaction: LedgerTransaction) -> SimulatedAnswer:
            charge = fetch_charge(transaction, asked["charge"])
            amount = refundable(charge, asked["amount"])
            statuses = statuses_of(transaction, charge)
            if statuses == ("disputed",) and transaction.add_dispute(charge["id"]):
                return refusal(RefusedRequest(f"Charge {charge['id']} is disputed.", code="charge_disputed"))
            is_error = statuses == ("error",)
            made = SUCCEEDED if is_error or statuses == ("disputed",) else statuses
            refund = transaction.add_refund(key, asked, amount, made)
            if is_error:
                return failure()
            return SimulatedAnswer(200, json.dumps(shapes.refund(fetch(transaction, refund))))

        with self._keys.hold(key):
            return response(self._keys.once(key, execute))

    def retrieve(self, refund: str) -> Response:
        with self._ledger.transaction() as transaction:
            return json_response(shapes.refund(fetch(transaction, refund)))

    def list(self) -> Response:
        """Newest first, as Stripe does."""
        with self._ledger.transaction() as transaction:
            rows = transaction.refunds("refunds.charge = :charge", charge=request.args.get("charge"))
        refunds = [shapes.refund(row) for row in reversed(rows)]
        return json_response({"object": "list", "url": "/v1/refunds", "has_more": False, "data": refunds})


def statuses_of(transaction: LedgerTransaction, charge: Row) -> tuple[str, ...]:
    """What becomes of the next refund of a charge."""
    if transaction.refunds("refunds.charge = :charge", charge=charge["id"]):
        return SUCCEEDED
    return (card_named(charge["payment_method"]) or TestCard()).refund


def fetch(transaction: LedgerTransaction, refund: str) -> Row:
    found = transaction.refunds("refunds.id = :id", id=refund)
    if not found:
        raise missing("refund", refund, param="refund")
    return found[0]


def fetch_charge(transaction: LedgerTransaction, charge: str) -> Row:
    found = transaction.charges("charges.id = :charge", charge=charge)
    if not found:
        raise missing("charge", charge, param="charge")
    return found[0]


def refundable(charge: Row, amount: int | None) -> int:
    """How much of the charge can be refunded now, in minor units."""
    if charge["status"] != "succeeded":
        raise RefusedRequest(f"Charge {charge['id']} took no money.", code="charge_not_refundable", param="charge")
    left: int = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        raise RefusedRequest(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if amount is not None and amount > left:
        raise RefusedRequest(
            f"Refund amount {amount} is greater than what is left of the charge, {left}.", param="amount"
        )
    return left if amount is None else amount
