"""The erasure of a customer's personal data over HTTP."""

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from order_service.views import CustomerPath, EraseRequest, ErasureView
from ordersaga.http import app as web
from ordersaga.http.endpoints import answer, read_transaction, respond
from ordersaga.http.openapi import only, problem
from ordersaga.privacy.erasure import erase

routes = APIBlueprint("personal data", __name__, abp_responses={"default": problem()})


@routes.delete(
    "/customers/<subject>/personal-data",
    responses={200: ErasureView},
    security=only("operator"),
)
def erase_personal_data(path: CustomerPath, body: EraseRequest) -> Response:
    """Make a customer's personal data unreadable forever; later data is sealed under a new key"""
    with read_transaction() as transaction:
        erased = erase(transaction.connection, path.subject, web.caller().subject, body.reason, web.api().erasures)
    return respond(answer(200, ErasureView(subject=path.subject, keys_erased=len(erased.keys))))
