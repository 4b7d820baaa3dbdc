"""The payment API: show payments, and have a failed refund tried again; all else changes by messages."""

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from ordersaga.http import app as web
from ordersaga.http.endpoints import accept, answer, read_transaction, respond, show
from ordersaga.http.etags import etag
from ordersaga.http.idempotency import Answer
from ordersaga.http.openapi import only, problem
from ordersaga.http.parked import mount_parked
from ordersaga.http.problems import Problem
from ordersaga.store.transaction import Transaction
from payment_service import commands
from payment_service.commands import NoFailedRefund
from payment_service.payment import Payment
from payment_service.service import payment_service
from payment_service.views import PaymentPath, PaymentView, RefundRequest

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
    responses={202: PaymentView, 404: problem(), 409: problem("The refund of this order has not failed")},
    security=only("operator"),
)
def request_refund(path: PaymentPath, body: RefundRequest) -> Response:
    """Have a failed refund tried again; a repeated request changes nothing"""

    def request_again(transaction: Transaction) -> Answer:
        payment = commands.request_refund(transaction, path.order_id, body.reason)
        view = PaymentView.of(payment)
        return answer(202, view, ETag=etag(payment.version), Location=f"/payments/{path.order_id}")

    try:
        return respond(accept(request_again))
    except NoFailedRefund as error:
        raise Problem(409, "no-failed-refund", f"{error}; only a failed refund can be tried again.") from None
