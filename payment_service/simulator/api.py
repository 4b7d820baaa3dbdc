"""The HTTP interface of the simulator: the part of Stripe's that the gateway uses, and the ledger for checks."""

import re

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from payment_service.simulator.answers import json_response, refusal, response
from payment_service.simulator.idempotency import IdempotencyKeys
from payment_service.simulator.ledger import Ledger
from payment_service.simulator.payment_intents import PaymentIntents
from payment_service.simulator.refunds import Refunds
from payment_service.simulator.shapes import RefusedRequest

OPEN_TO_ALL = {"/healthz", "/readyz"}


def create_app(ledger: Ledger) -> Flask:
    keys = IdempotencyKeys(ledger)
    intents, refunds, checks = PaymentIntents(ledger, keys), Refunds(ledger, keys), Checks(ledger)
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
    app.before_request(require_test_key)
    app.register_error_handler(RefusedRequest, answer_refusal)
    app.register_error_handler(HTTPException, answer_http_error)
    app.post("/v1/payment_intents", endpoint="create_intent")(intents.create)
    app.get("/v1/payment_intents/search", endpoint="search_intents")(intents.search)
    app.get("/v1/payment_intents/<intent>", endpoint="retrieve_intent")(intents.retrieve)
    app.post("/v1/payment_intents/<intent>/confirm", endpoint="confirm_intent")(intents.confirm)
    app.post("/v1/payment_intents/<intent>/cancel", endpoint="cancel_intent")(intents.cancel)
    app.post("/v1/refunds", endpoint="create_refund")(refunds.create)
    app.get("/v1/refunds", endpoint="list_refunds")(refunds.list)
    app.get("/v1/refunds/<refund>", endpoint="retrieve_refund")(refunds.retrieve)
    app.get("/ledger")(checks.show_ledger)
    app.post("/clock")(checks.advance_clock)
    app.get("/healthz", endpoint="healthz")(lambda: json_response({"status": "ok"}))
    app.get("/readyz", endpoint="readyz")(checks.readyz)
    return app


class Checks:
    """What Stripe does not have: the whole ledger, and a clock that can be moved."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def show_ledger(self) -> Response:
        """All charges and refunds, or those of one `?order_id=`."""
        condition = "order_id = :order_id" if "order_id" in request.args else "true"
        with self._ledger.transaction() as transaction:
            charges = transaction.charges(condition, order_id=request.args.get("order_id"))
            refunds = transaction.refunds(condition, order_id=request.args.get("order_id"))
        return json_response({"charges": charges, "refunds": refunds})

    def advance_clock(self) -> Response:
        """Move the clock forward by `advance` seconds: keys are forgotten, refunds go on."""
        text = request.form.get("advance", "")
        if not re.fullmatch(r"[0-9]{1,9}", text):
            raise RefusedRequest("Pass advance=<seconds>.", code="parameter_invalid_integer", param="advance")
        self._ledger.advance(int(text))
        with self._ledger.transaction() as transaction:
            return json_response({"now": transaction.now})

    def readyz(self) -> Response:
        with self._ledger.transaction() as transaction:
            transaction.charges("false")
        return json_response({"status": "ready"})


def require_test_key() -> None:
    authorization = request.headers.get("Authorization", "")
    if request.path not in OPEN_TO_ALL and not re.fullmatch(r"Bearer sk_test_\w+", authorization):
        raise RefusedRequest(
            "The simulator takes test keys only: send the header 'Authorization: Bearer sk_test_...'.", status=401
        )


def answer_refusal(refused: RefusedRequest) -> Response:
    return response(refusal(refused))


def answer_http_error(error: HTTPException) -> Response:
    message = f"{error.description} ({request.method} {request.path})"
    kind = "invalid_request_error" if (status := error.code or 500) < 500 else "api_error"
    return answer_refusal(RefusedRequest(message, status=status, kind=kind))
