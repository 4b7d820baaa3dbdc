"""The inventory API: receive, correct and show stock."""

from operator import attrgetter

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from inventory_service import commands
from inventory_service.commands import StockChanged
from inventory_service.service import inventory_service
from inventory_service.stock import NotEnoughStock, StockItem, stock_item_id
from inventory_service.views import (
    CorrectionHeaders,
    Receipt,
    StockCorrection,
    StockItemPage,
    StockItemQuery,
    StockPath,
    StockView,
)
from ordersaga.http import app as web
from ordersaga.http.endpoints import accept, answer, read_transaction, request_key, respond, show
from ordersaga.http.etags import etag, expected_version, precondition_failed
from ordersaga.http.idempotency import Answer
from ordersaga.http.openapi import Keyed, only, problem
from ordersaga.http.paging import page_with_link
from ordersaga.http.parked import mount_parked
from ordersaga.http.problems import Problem
from ordersaga.store import aggregates
from ordersaga.store.transaction import Transaction

routes = APIBlueprint("stock", __name__, abp_responses={"default": problem()})
everyone = only("customer", "operator", "auditor")


def create_app() -> web.Api:
    """Raises MissingSetting when the environment lacks something."""
    app = web.create_app(inventory_service, routes, "Inventory", roles=("customer",))
    mount_parked(app)
    return app


@routes.get("/stock", responses={200: StockItemPage}, security=everyone)
def list_stock(query: StockItemQuery) -> Response:
    """List the stock of all products, a page at a time"""
    with read_transaction() as transaction:
        after = stock_item_id(query.after) if query.after else None
        ids = aggregates.ids_of_kind(transaction.connection, StockItem.Opened, query.limit + 1, after)
        transaction.load(ids)
        stock = [StockView.of(transaction.get(StockItem, id_)) for id_ in ids]
    page, following = page_with_link(stock, query.limit, attrgetter("sku"))
    return show(StockItemPage(stock=page, next=following))


@routes.get("/stock/<sku>", responses={200: StockView, 404: problem()}, security=everyone)
def show_stock(path: StockPath) -> Response:
    """Show the stock of one product"""
    with read_transaction() as transaction:
        item = transaction.get(StockItem, stock_item_id(path.sku))
    return show(StockView.of(item), item.version)


@routes.post(
    "/stock/<sku>/receipts",
    responses={
        201: StockView,
        409: problem("The first request with this Idempotency-Key is under way"),
        422: problem("Not acceptable, or the Idempotency-Key came with another request before"),
    },
    security=only("operator"),
)
def receive_stock(path: StockPath, header: Keyed, body: Receipt) -> Response:
    """Receive stock of a product"""

    def receive(transaction: Transaction) -> Answer:
        item = commands.receive_stock(transaction, path.sku, body.quantity)
        return answer(201, StockView.of(item), ETag=etag(item.version), Location=f"/stock/{item.sku}")

    return respond(accept(receive, request_key(header.idempotency_key, body)))


@routes.post(
    "/stock/<sku>/corrections",
    responses={
        201: StockView,
        404: problem("No stock of this product was ever received"),
        409: problem("Fewer pieces are available, or the first request with this Idempotency-Key is under way"),
        412: problem("The stock is not at the version that If-Match names"),
        422: problem("Not acceptable, or the Idempotency-Key came with another request before"),
    },
    security=only("operator"),
)
def correct_stock(path: StockPath, header: CorrectionHeaders, body: StockCorrection) -> Response:
    """Correct the stock of a product to what was counted; what is reserved for orders stays"""
    version = expected_version()

    def correct(transaction: Transaction) -> Answer:
        item = commands.correct_stock(transaction, path.sku, body.quantity, body.reason, version)
        return answer(201, StockView.of(item), ETag=etag(item.version), Location=f"/stock/{item.sku}")

    try:
        return respond(accept(correct, request_key(header.idempotency_key, body)))
    except StockChanged as error:
        raise precondition_failed(error.current) from None
    except NotEnoughStock as error:
        raise Problem(409, "not-enough-stock", f"{error}.") from None
