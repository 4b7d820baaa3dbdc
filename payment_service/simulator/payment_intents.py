"""Payment intents: created, confirmed, cancelled, found by id and by search; the card says what goes wrong."""

import json
import re
import time

from flask import Response, request

from payment_service.cards import TestCard, card_named
from payment_service.simulator import shapes
from payment_service.simulator.answers import (
    failure,
    json_response,
    missing,
    refusal,
    response,
    wait_until_client_hangs_up,
)
from payment_service.simulator.idempotency import IdempotencyKeys, key_of_request
from payment_service.simulator.ledger import Ledger
from payment_service.simulator.shapes import RefusedRequest
from payment_service.simulator.statements import LedgerTransaction, Row, SimulatedAnswer


class PaymentIntents:
    def __init__(self, ledger: Ledger, keys: IdempotencyKeys) -> None:
        self._ledger = ledger
        self._keys = keys

    def create(self) -> Response:
        """With confirm=true it is confirmed by the same request."""
        asked = shapes.payment_asked(request.form)
        is_confirmed = shapes.is_confirmed(request.form)
        card, key = card_of(asked), key_of_request()

        def execute(transaction: LedgerTransaction) -> SimulatedAnswer:
            earlier = transaction.intents("payment_intents.order_id = :order_id", order_id=asked["order_id"])
            intent = transaction.add_intent(asked)
            if len(earlier) < card.stored_intent_failures:
                return failure()
            if is_confirmed:
                return charge(transaction, key, intent, card)
            return SimulatedAnswer(200, json.dumps(shapes.payment_intent(fetch(transaction, intent["id"]))))

        return self._answer(key, card if is_confirmed else TestCard(), execute)

    def confirm(self, intent: str) -> Response:
        shapes.refuse_unknown(request.form, shapes.CONFIRM_PARAMETERS)
        key = key_of_request()
        with self._ledger.transaction() as transaction:
            card = card_of(fetch(transaction, intent))
        return self._answer(key, card, lambda transaction: charge(transaction, key, fetch(transaction, intent), card))

    def cancel(self, intent: str) -> Response:
        shapes.refuse_unknown(request.form, shapes.CANCEL_PARAMETERS)

        def execute(transaction: LedgerTransaction) -> SimulatedAnswer:
            found = fetch(transaction, intent)
            if found["status"] not in ("requires_confirmation", "requires_payment_method"):
                return refusal(unexpected_state(found, "cancel"))
            transaction.set_status(intent, "canceled")
            return SimulatedAnswer(200, json.dumps(shapes.payment_intent(fetch(transaction, intent))))

        return self._answer(key_of_request(), TestCard(), execute)

    def retrieve(self, intent: str) -> Response:
        with self._ledger.transaction() as transaction:
            return json_response(shapes.payment_intent(fetch(transaction, intent)))

    def search(self) -> Response:
        """By the order's id in the metadata; the index is late, as Stripe's is."""
        query = request.args.get("query", "")
        match = re.fullmatch(r"metadata\[(?:'order_id'|\"order_id\")\]:(?:'([^']*)'|\"([^\"]*)\")", query)
        if not match:
            raise RefusedRequest("The simulator searches for metadata['order_id']:'<id>' only.", param="query")
        with self._ledger.transaction() as transaction:
            found = transaction.searchable_intents(match[1] or match[2])
        data = [shapes.payment_intent(row) for row in found]
        return json_response(
            {"object": "search_result", "url": "/v1/payment_intents/search", "has_more": False, "data": data}
        )

    def _answer(self, key: str, card: TestCard, execute: shapes.Execute) -> Response:
        """Execute once; the card delays the first answer, or drops it, or none ever comes."""
        if card.mute:
            wait_until_client_hangs_up()
            return response(failure(stored=False))
        with self._keys.hold(key):
            answer = self._keys.once(key, execute)
            first_time = not answer.replayed
            if first_time and card.delay_ms:
                time.sleep(card.delay_ms / 1000)
        if first_time and card.silent:
            wait_until_client_hangs_up()
        return response(answer)


def charge(transaction: LedgerTransaction, key: str, intent: Row, card: TestCard) -> SimulatedAnswer:
    """Charge an intent that was not confirmed before, unless the card asks for a failure first."""
    if intent["status"] != "requires_confirmation":
        return refusal(unexpected_state(intent, "confirm"))
    if intent["failures"] < card.rate_limited:
        transaction.count_failure(intent["id"])
        return refusal(RefusedRequest("Too many requests: slow down.", status=429, code="rate_limit"), stored=False)
    if intent["failures"] < card.failed_attempts:
        transaction.count_failure(intent["id"])
        return failure(stored=False)
    if intent["failures"] < card.stored_failures:
        transaction.count_failure(intent["id"])
        if card.charged_before_failure:
            transaction.add_charge(key, intent, card.decline_code)
        return failure()
    transaction.add_charge(key, intent, card.decline_code)
    charged = fetch(transaction, intent["id"])
    if card.decline_code:
        return SimulatedAnswer(402, shapes.error_body(shapes.card_error(charged)))
    return SimulatedAnswer(200, json.dumps(shapes.payment_intent(charged)))


def fetch(transaction: LedgerTransaction, intent: str) -> Row:
    found = transaction.intents("payment_intents.id = :intent", intent=intent)
    if not found:
        raise missing("payment_intent", intent, param="intent")
    return found[0]


def card_of(asked: Row) -> TestCard:
    return card_named(asked["payment_method"]) or TestCard()


def unexpected_state(intent: Row, doing: str) -> RefusedRequest:
    return RefusedRequest(
        f"You cannot {doing} this PaymentIntent because it has a status of {intent['status']}.",
        code="payment_intent_unexpected_state",
    )
