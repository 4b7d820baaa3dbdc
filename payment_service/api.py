"""The payment API: show payments, refund a part, and have failed refunds tried again; all else changes by messages."""

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from ordersaga.http import app as web
from ordersaga.http.endpoints import accept, answer, read_transaction, request_key, respond, show
from ordersaga.http.etags import etag
from ordersaga.http.idempotency import Answer
from ordersaga.http.openapi import Keyed, only, problem
from ordersaga.http.parked import mount_parked
from ordersaga.http.problems import Problem
from ordersaga.store.transaction import Transaction
from payment_service import commands
from payment_service.commands import MoreThanIsLeft, NoFailedRefund, NotCaptured, TooManyParts
from payment_service.payment import Payment
from payment_service.service import payment_service
from payment_service.views import PartRefund, PaymentPath, PaymentView, RefundRequest

routes = APIBlueprint("payments", __name__, abp_responses={"default": problem()})


def create_app() -> web.Api:
    """Raises MissingSetting when the environment lacks something."""
    app = web.create_app(payment_service, routes, "Payments", roles=("customer",))
    mount_parked(app)
    return app


@routes.get("/payments/<order_id>", responses={200: PaymentView, 404: problem()}, security=only("operator", "auditor"))
def show_payment(path: PaymentPath) -> Response:
    """Show the payment of an order"""
    with read_transaction() as transaction:
        payment = transaction.get(Payment, path.order_id)
    return show(PaymentView.of(payment), payment.version)


@routes.post(
    "/payments/<order_id>/refund",
    responses={202: PaymentView, 404: problem(), 409: problem("No refund of this order has failed")},
    security=only("operator"),
)
def request_refund(path: PaymentPath, body: RefundRequest) -> Response:
    """Have the failed refunds of an order tried again; a repeated request changes nothing"""

    def request_again(transaction: Transaction) -> Answer:
        return accepted(commands.request_refund(transaction, path.order_id, body.reason))

    try:
        return respond(accept(request_again))
    except NoFailedRefund as error:
        raise Problem(409, "no-failed-refund", f"{error}; only a failed refund can be tried again.") from None


@routes.post(
    "/payments/<order_id>/refunds",
    responses={
        202: PaymentView,
        404: problem(),
        409: problem("Not captured, less is left, or the first request with this Idempotency-Key is under way"),
        422: problem("Not acceptable, or the Idempotency-Key came with another request before"),
    },
    security=only("operator"),
)
def refund_part(path: PaymentPath, header: Keyed, body: PartRefund) -> Response:
    """Refund a part of a captured payment; the order stays confirmed"""

    def request_part(transaction: Transaction) -> Answer:
        return accepted(commands.request_part(transaction, path.order_id, body.amount, body.reason))

    try:
        return respond(accept(request_part, request_key(header.idempotency_key, body)))
    except NotCaptured as error:
        raise Problem(409, "not-captured", f"{error}; a part is refunded of a captured payment alone.") from None
    except MoreThanIsLeft as error:
        raise Problem(409, "more-than-is-left", f"{error}.") from None
    except TooManyParts as error:
        raise Problem(409, "too-many-parts", f"{error}.") from None


def accepted(payment: Payment) -> Answer:
    """The payment, whose refund follows."""
    return answer(202, PaymentView.of(payment), ETag=etag(payment.version), Location=f"/payments/{payment.id}")
