"""The order API: place, list, show and cancel orders; the price list and the erasure of personal data are beside it."""

from datetime import datetime
from uuid import UUID

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from uuid_utils.compat import uuid7

from order_service import commands, contact, erasure_api, order_list, product_api
from order_service.commands import MixedCurrencies, RetiredProduct, UnknownProduct, UnpricedLine, VersionMismatch
from order_service.order import Order
from order_service.order_list_views import OrderPage, OrderQuery, OrderSummary
from order_service.service import order_service
from order_service.settings import OrderSettings
from order_service.views import (
    Cancellation,
    CancelOrderHeaders,
    NewOrder,
    OrderEventView,
    OrderHistory,
    OrderPath,
    OrderView,
    PlaceOrderHeaders,
)
from ordersaga.http import app as web
from ordersaga.http.admission import Admission, Saga
from ordersaga.http.as_of import AsOf
from ordersaga.http.cursors import cursor_of
from ordersaga.http.endpoints import (
    accept,
    answer,
    read_transaction,
    request_key,
    require_room,
    respond,
    respond_when_ended,
    show,
)
from ordersaga.http.etags import etag, expected_version, precondition_failed
from ordersaga.http.idempotency import Answer
from ordersaga.http.openapi import only, problem
from ordersaga.http.paging import page_with_link
from ordersaga.http.parked import mount_parked
from ordersaga.http.problems import FieldError, invalid
from ordersaga.store import history
from ordersaga.store.transaction import AggregateNotFound, Transaction

routes = APIBlueprint("orders", __name__, abp_responses={"default": problem()})
everyone = only("customer", "operator", "auditor")
SAGA = Saga(begins=Order.Placed, ends=(Order.Confirmed, Order.Cancelled))


def create_app() -> web.Api:
    """Raises MissingSetting when the environment lacks something."""
    app = web.create_app(order_service, routes, "Orders", roles=("customer",))
    longest = app.settings_as(OrderSettings).order_deadline_seconds / 4
    app.admission = Admission(order_service.name, order_service.database_url, SAGA, app.settings, longest)
    app.mount(product_api.routes)
    app.mount(erasure_api.routes)
    mount_parked(app)
    return app


@routes.post(
    "/orders",
    responses={
        200: OrderView,
        202: OrderView,
        409: problem("The first request with this Idempotency-Key is under way"),
        422: problem("Not acceptable, or the Idempotency-Key came with another request before"),
        503: problem("More orders are under way than end in time, or the database is away"),
    },
    security=only("customer"),
)
def post_order(header: PlaceOrderHeaders, body: NewOrder) -> Response:
    """Place an order at the prices of the price list"""
    order_id, lines = uuid7(), unpriced_lines(body)

    def place(transaction: Transaction) -> Answer:
        require_room()
        deadline = web.api().settings_as(OrderSettings).order_deadline
        customer = web.caller().subject
        sealed = contact.seal(web.api().sealer, transaction, order_id, customer, body.contact) if body.contact else None
        order = commands.place_order(transaction, order_id, customer, lines, body.card, deadline, sealed)
        return answer(202, OrderView.of(order), order.id, ETag=etag(order.version), Location=f"/orders/{order.id}")

    try:
        accepted = accept(place, request_key(header.idempotency_key, body))
    except (UnknownProduct, RetiredProduct) as error:
        raise invalid(f"{error}.", FieldError(field=f"lines.{error.index}.sku", message=str(error))) from None
    except MixedCurrencies as error:
        raise invalid(f"{error}.", FieldError(field="lines", message=str(error))) from None
    placed = accepted.subject
    assert placed is not None
    return respond_when_ended(accepted, lambda: ended(placed))


def unpriced_lines(body: NewOrder) -> list[UnpricedLine]:
    """The lines to order. Raises Problem when a SKU appears twice, which may be a mistake."""
    seen: set[str] = set()
    for index, line in enumerate(body.lines):
        if line.sku in seen:
            twice = FieldError(field=f"lines.{index}.sku", message="is named twice; add the quantities up")
            raise invalid(f"{line.sku} is named twice.", twice)
        seen.add(line.sku)
    return [UnpricedLine(line.sku, line.quantity) for line in body.lines]


def ended(order_id: UUID) -> Answer | None:
    """The order, or None until its saga has ended."""
    with read_transaction() as transaction:
        order = transaction.get(Order, order_id)
    if order.state == "placed":
        return None
    return answer(200, OrderView.of(order), ETag=etag(order.version), Location=f"/orders/{order_id}")


@routes.get("/orders", responses={200: OrderPage}, security=everyone)
def list_orders(query: OrderQuery) -> Response:
    """List orders, newest first, a page at a time; a customer sees only their own"""
    wanted, caller = query.wanted(), web.caller()
    if caller.role == "customer":
        if wanted.customer not in (None, caller.subject):
            return show(OrderPage(orders=[], next=None))
        wanted = wanted._replace(customer=caller.subject)
    with read_transaction() as transaction:
        found = order_list.page(transaction.connection, wanted, query.limit + 1, query.after)
        listed, following = page_with_link(found, query.limit, cursor_of)
        orders = order_list.current(transaction, listed, wanted)
    response = show(OrderPage(orders=[OrderSummary.of(order) for order in orders], next=following))
    if following:
        response.headers["Link"] = f'<{following}>; rel="next"'
    return response


@routes.get("/orders/<order_id>", responses={200: OrderView, 404: problem()}, security=everyone)
def show_order(path: OrderPath, query: AsOf) -> Response:
    """Show an order as it is, or as it was at a version or a time"""
    with read_transaction() as transaction:
        order = require_visible(order_as_of(transaction, path.order_id, query.as_of))
        if order.contact is None or web.caller().role == "auditor":
            return show(OrderView.of(order), order.version)
        opened = contact.unseal(web.api().sealer, transaction, order)
    if opened is None:
        # Not conditional: erasing changes the answer, but not the version that is the ETag.
        return respond(answer(200, OrderView.of(order, contact_erased=True), ETag=etag(order.version)))
    return show(OrderView.of(order, opened), order.version)


def order_as_of(transaction: Transaction, order_id: UUID, moment: int | datetime | None) -> Order:
    if moment is None:
        return transaction.get(Order, order_id)
    version, time = (moment, None) if isinstance(moment, int) else (None, moment)
    order = history.load_as_of(transaction.connection, order_id, version, time)
    if not isinstance(order, Order) or (version and order.version < version):
        raise AggregateNotFound(f"order {order_id} had no version {moment}")
    return order


def require_visible(order: Order) -> Order:
    """The order. Raises AggregateNotFound for another customer's, so that a customer cannot learn that it exists."""
    caller = web.caller()
    if caller.role == "customer" and order.customer != caller.subject:
        raise AggregateNotFound(f"{order.id} is not an order of {caller.subject}")
    return order


@routes.get("/orders/<order_id>/events", responses={200: OrderHistory, 404: problem()}, security=everyone)
def show_events(path: OrderPath) -> Response:
    """List the events of an order"""
    with read_transaction() as transaction:
        require_visible(transaction.get(Order, path.order_id))
        events = history.events_of(transaction.connection, path.order_id)
    return show(OrderHistory(events=[OrderEventView(**event._asdict()) for event in events]), events[-1].version)


@routes.post(
    "/orders/<order_id>/cancellation",
    responses={
        200: OrderView,
        404: problem(),
        409: problem("The first request with this Idempotency-Key is under way"),
        412: problem("The order is not at the version that If-Match names"),
        422: problem("Not acceptable, or the Idempotency-Key came with another request before"),
    },
    security=only("customer", "operator"),
)
def post_cancellation(path: OrderPath, header: CancelOrderHeaders, body: Cancellation) -> Response:
    """Cancel an order, before or after its confirmation"""
    version = expected_version()

    def cancel(transaction: Transaction) -> Answer:
        require_visible(transaction.get(Order, path.order_id))
        order = commands.cancel_order(transaction, path.order_id, body.reason, version)
        return answer(200, OrderView.of(order), ETag=etag(order.version))

    try:
        return respond(accept(cancel, request_key(header.idempotency_key, body)))
    except VersionMismatch as error:
        raise precondition_failed(error.current) from None
