"""The HTTP interface of the simulator: the part of Stripe's that the gateway uses, and the ledger for checks."""

import json
import re
import select
import socket
import time
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from payment_service.cards import TestCard, card_named
from payment_service.simulator import shapes
from payment_service.simulator.idempotency import IdempotencyKeys, key_of_request
from payment_service.simulator.ledger import Ledger, LedgerTransaction, SimulatedAnswer
from payment_service.simulator.shapes import RefusedRequest

OPEN_TO_ALL = {"/healthz", "/readyz"}
LONGEST_SILENCE_SECONDS = 600


def create_app(ledger: Ledger) -> Flask:
    simulator = Simulator(ledger)
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
    app.before_request(require_test_key)
    app.register_error_handler(RefusedRequest, answer_refusal)
    app.register_error_handler(HTTPException, answer_http_error)
    app.post("/v1/payment_intents")(simulator.create_payment_intent)
    app.get("/v1/payment_intents/<intent>")(simulator.retrieve_payment_intent)
    app.post("/v1/refunds")(simulator.create_refund)
    app.get("/v1/refunds")(simulator.list_refunds)
    app.get("/ledger")(simulator.show_ledger)
    app.get("/healthz", endpoint="healthz")(lambda: json_response({"status": "ok"}))
    app.get("/readyz", endpoint="readyz")(simulator.readyz)
    return app


class Simulator:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._keys = IdempotencyKeys(ledger)

    def create_payment_intent(self) -> Response:
        asked = shapes.payment_asked(request.form)
        card = card_named(asked["payment_method"]) or TestCard()
        key = key_of_request()

        def charge(transaction: LedgerTransaction) -> SimulatedAnswer:
            charge = transaction.add_charge(key, asked, card.decline_code)
            if card.decline_code:
                return SimulatedAnswer(402, shapes.error_body(shapes.card_error(charge)))
            return SimulatedAnswer(200, json.dumps(shapes.payment_intent(charge)))

        with self._keys.hold(key):
            answer = self._keys.once(key, charge, card.failed_attempts)
            first_time = not answer.replayed
            if first_time and card.delay_ms:
                time.sleep(card.delay_ms / 1000)
        if first_time and card.silent:
            wait_until_client_hangs_up()
        return response(answer)

    def create_refund(self) -> Response:
        asked = shapes.refund_asked(request.form)
        key = key_of_request()

        def refund_charge(transaction: LedgerTransaction) -> SimulatedAnswer:
            amount = refundable(transaction, **asked)
            refund = transaction.add_refund(key, asked["charge"], amount)
            [row] = transaction.refunds("refunds.id = :id", id=refund)
            return SimulatedAnswer(200, json.dumps(shapes.refund(row)))

        with self._keys.hold(key):
            return response(self._keys.once(key, refund_charge))

    def retrieve_payment_intent(self, intent: str) -> Response:
        with self._ledger.transaction() as transaction:
            charges = transaction.charges("payment_intent = :intent", intent=intent)
        if not charges:
            raise missing("payment_intent", intent, param="intent")
        return json_response(shapes.payment_intent(charges[0]))

    def list_refunds(self) -> Response:
        """Newest first, as Stripe does."""
        with self._ledger.transaction() as transaction:
            rows = transaction.refunds("refunds.charge = :charge", charge=request.args.get("charge"))
        refunds = [shapes.refund(row) for row in reversed(rows)]
        return json_response({"object": "list", "url": "/v1/refunds", "has_more": False, "data": refunds})

    def show_ledger(self) -> Response:
        """All charges and refunds, or those of one `?order_id=`."""
        condition = "order_id = :order_id" if "order_id" in request.args else "true"
        with self._ledger.transaction() as transaction:
            charges = transaction.charges(condition, order_id=request.args.get("order_id"))
            refunds = transaction.refunds(condition, order_id=request.args.get("order_id"))
        return json_response({"charges": charges, "refunds": refunds})

    def readyz(self) -> Response:
        with self._ledger.transaction() as transaction:
            transaction.charges("false")
        return json_response({"status": "ready"})


def refundable(transaction: LedgerTransaction, charge: str, amount: int | None) -> int:
    """How much of the charge can be refunded now, in minor units."""
    charges = transaction.charges("charges.id = :charge", charge=charge)
    if not charges:
        raise missing("charge", charge, param="charge")
    if charges[0]["status"] != "succeeded":
        raise RefusedRequest(f"Charge {charge} took no money.", code="charge_not_refundable", param="charge")
    left: int = charges[0]["amount"] - charges[0]["amount_refunded"]
    if left == 0:
        raise RefusedRequest(f"Charge {charge} has already been refunded.", code="charge_already_refunded")
    if amount is not None and amount > left:
        raise RefusedRequest(
            f"Refund amount {amount} is greater than what is left of the charge, {left}.", param="amount"
        )
    return left if amount is None else amount


def require_test_key() -> None:
    authorization = request.headers.get("Authorization", "")
    if request.path not in OPEN_TO_ALL and not re.fullmatch(r"Bearer sk_test_\w+", authorization):
        raise RefusedRequest(
            "The simulator takes test keys only: send the header 'Authorization: Bearer sk_test_...'.", status=401
        )


def missing(kind: str, name: str, param: str) -> RefusedRequest:
    return RefusedRequest(f"No such {kind}: '{name}'", status=404, code="resource_missing", param=param)


def wait_until_client_hangs_up() -> None:
    connection: socket.socket = request.environ["werkzeug.socket"]
    select.select([connection], [], [], LONGEST_SILENCE_SECONDS)


def answer_refusal(refusal: RefusedRequest) -> Response:
    return response(SimulatedAnswer(refusal.status, shapes.error_body(refusal.error)))


def answer_http_error(error: HTTPException) -> Response:
    message = f"{error.description} ({request.method} {request.path})"
    kind = "invalid_request_error" if (status := error.code or 500) < 500 else "api_error"
    return answer_refusal(RefusedRequest(message, status=status, kind=kind))


def response(answer: SimulatedAnswer) -> Response:
    headers = {"Idempotent-Replayed": "true"} if answer.replayed else {}
    return Response(answer.body, answer.status, headers, mimetype="application/json")


def json_response(body: dict[str, Any]) -> Response:
    return Response(json.dumps(body), mimetype="application/json")
