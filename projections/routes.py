"""The API of the read side: orders and their timelines, the event log, stock, payments, figures, search."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from psycopg import Connection

from ordersaga.http.app import api, caller
from ordersaga.http.cursors import cursor_of
from ordersaga.http.endpoints import show
from ordersaga.http.openapi import only, problem
from ordersaga.http.paging import page_with_link
from ordersaga.readside import events
from ordersaga.store.transaction import AggregateNotFound
from projections.queries import figures, notes, payments, sagas, search, stock, timeline
from projections.queries.figures import Figures
from projections.queries.notes import OrderNote
from projections.queries.sagas import Saga
from projections.queries.timeline import Timeline
from projections.shapes import (
    EventPage,
    EventQuery,
    FiguresQuery,
    LoggedEventView,
    MessagePath,
    NewNote,
    PageView,
    PaymentPage,
    PaymentQuery,
    SagaPage,
    SagaPath,
    SagaQuery,
    SearchQuery,
    SearchView,
    StockPage,
    StockQuery,
    UnfinishedPage,
    UnfinishedQuery,
)

routes = APIBlueprint("read", __name__, url_prefix="/api", abp_responses={"default": problem()})
everyone = only("customer", "operator", "auditor")
staff = only("operator", "auditor")
several = problem("Several ids have these digits")


@contextmanager
def read_connection() -> Iterator[Connection[Any]]:
    """A connection to the read side's database, in one transaction."""
    with api().database.connection() as connection:
        yield connection


def show_page(view: PageView) -> Response:
    response = show(view)
    if view.next:
        response.headers["Link"] = f'<{view.next}>; rel="next"'
    return response


@routes.get("/sagas", responses={200: SagaPage}, security=everyone)
def list_sagas(query: SagaQuery) -> Response:
    """List orders, newest first; a customer sees only their own"""
    wanted, customer = query.wanted(), customer_of_caller()
    if customer and wanted.customer not in (None, customer):
        return show_page(SagaPage(sagas=[], next=None))
    with read_connection() as connection:
        found = sagas.page(
            connection, wanted._replace(customer=customer or wanted.customer), query.limit + 1, query.after
        )
    page, following = page_with_link(found, query.limit, lambda saga: cursor_of((saga.placed_at, saga.order_id)))
    return show_page(SagaPage(sagas=page, next=following))


def customer_of_caller() -> str | None:
    """The customer who calls, and who sees only their own orders; None for operators and auditors."""
    return caller().subject if caller().role == "customer" else None


@routes.get("/unfinished", responses={200: UnfinishedPage}, security=staff)
def list_unfinished(query: UnfinishedQuery) -> Response:
    """List unfinished orders, the longest waiting first, and how long other orders waited"""
    with read_connection() as connection:
        found = sagas.unfinished(connection, query.limit + 1, query.after, query.waits_for)
        usual = sagas.usual_waits(connection)
    page, following = page_with_link(found, query.limit, lambda saga: cursor_of((saga.waits_since, saga.order_id)))
    return show_page(UnfinishedPage(sagas=page, usual=usual, next=following))


@routes.get("/sagas/<order_id>", responses={200: Saga, 404: problem(), 409: several}, security=everyone)
def show_saga(path: SagaPath) -> Response:
    """Show one order: its state, what it waits for and since when; the first or last digits of its id are enough"""
    with read_connection() as connection:
        return show(visible_saga(connection, path.order_id))


@routes.get("/sagas/<order_id>/timeline", responses={200: Timeline, 404: problem(), 409: several}, security=everyone)
def show_timeline(path: SagaPath) -> Response:
    """Show one order: its four steps with their compensation, its messages with their causes, its payment"""
    with read_connection() as connection:
        saga = visible_saga(connection, path.order_id)
        return show(timeline.of_saga(connection, saga, with_notes=customer_of_caller() is None))


def visible_saga(connection: Connection[Any], digits: str) -> Saga:
    """The order. Raises AggregateNotFound for another customer's too, so that nobody learns that it exists."""
    customer = customer_of_caller()
    order_id = search.order_with(connection, digits, customer)
    saga = sagas.fetch_one(connection, order_id) if order_id else None
    if saga is None or customer not in (None, saga.customer):
        raise AggregateNotFound(f"{digits} is not an order that {caller().subject} may see")
    return saga


@routes.post(
    "/sagas/<order_id>/notes", responses={201: OrderNote, 404: problem(), 409: several}, security=only("operator")
)
def add_note(path: SagaPath, body: NewNote) -> Response:
    """Add a note to an order; it stands in the timeline and in the audit trail, and is never changed"""
    with read_connection() as connection:
        saga = visible_saga(connection, path.order_id)
        note = notes.add(connection, saga.order_id, caller().subject, body.text)
    return Response(note.model_dump_json(), 201, mimetype="application/json")


@routes.get("/events", responses={200: EventPage}, security=staff)
def list_events(query: EventQuery) -> Response:
    """List the messages of the event log, newest first"""
    with read_connection() as connection:
        found = events.page(connection, query.wanted(), query.limit + 1, query.after)
    page, following = page_with_link(found, query.limit, lambda event: cursor_of((event.time, event.position)))
    return show_page(EventPage(events=page, next=following))


@routes.get("/events/<message_id>", responses={200: LoggedEventView, 404: problem(), 409: several}, security=staff)
def show_event(path: MessagePath) -> Response:
    """Show one message with all its causes and effects"""
    with read_connection() as connection:
        message_id = search.message_with(connection, path.message_id)
        event = events.fetch_one(connection, message_id) if message_id else None
        if event is None:
            raise AggregateNotFound(f"there is no message {path.message_id}")
        linked = events.linked(connection, event.message_id)
    return show(LoggedEventView(event=event, linked=linked))


@routes.get("/stock", responses={200: StockPage}, security=staff)
def list_stock(query: StockQuery) -> Response:
    """List products with price and stock"""
    with read_connection() as connection:
        found = stock.page(connection, query.limit + 1, query.after)
    page, following = page_with_link(found, query.limit, lambda product: cursor_of(product.sku))
    return show_page(StockPage(products=page, next=following))


@routes.get("/payments", responses={200: PaymentPage}, security=staff)
def list_payments(query: PaymentQuery) -> Response:
    """List payments, the last changed first"""
    with read_connection() as connection:
        found = payments.page(connection, query.state, query.limit + 1, query.after)
    page, following = page_with_link(found, query.limit, lambda payment: cursor_of((payment.last_at, payment.order_id)))
    return show_page(PaymentPage(payments=page, next=following))


@routes.get("/figures", responses={200: Figures}, security=staff)
def show_figures(query: FiguresQuery) -> Response:
    """Show the numbers, rates and durations of orders"""
    with read_connection() as connection:
        return show(figures.figures(connection, query.minutes))


@routes.get("/search", responses={200: SearchView}, security=staff)
def find(query: SearchQuery) -> Response:
    """Find orders, messages, customers, products and payments by id, first or last digits of an id, name or SKU"""
    with read_connection() as connection:
        return show(SearchView(found=search.search(connection, query.q)))
