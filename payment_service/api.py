"""The payment API: show payments; payments change by messages alone."""

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from ordersaga.http import app as web
from ordersaga.http.endpoints import read_transaction, show
from ordersaga.http.openapi import only, problem
from ordersaga.http.parked import mount_parked
from payment_service.payment import Payment
from payment_service.service import payment_service
from payment_service.views import PaymentPath, PaymentView

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
