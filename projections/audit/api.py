"""The audit trail and the proof over HTTP, for auditors and operators."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from threading import BoundedSemaphore
from typing import Any, cast

from flask import Response, stream_with_context
from flask_openapi3.blueprint import APIBlueprint
from psycopg import Connection

from order_service.service import order_service
from ordersaga.audit import records
from ordersaga.audit.sealed_log import is_begun
from ordersaga.audit.store_records import records_of
from ordersaga.audit.verification import is_clean
from ordersaga.http.app import Api, api
from ordersaga.http.cursors import cursor_of
from ordersaga.http.endpoints import show
from ordersaga.http.openapi import only, problem
from ordersaga.http.paging import page_with_link
from ordersaga.http.problems import Problem, respond
from ordersaga.http.sending import begin_stream
from ordersaga.readside import why as causes
from ordersaga.readside.why import Node
from ordersaga.runtime.sessions import REPORT, connect
from ordersaga.store.history import fields, load_as_of
from projections.audit.past_saga import saga_as_of
from projections.audit.shapes import (
    ExportQuery,
    MessagePath,
    OrderPath,
    StateQuery,
    StateView,
    TrailFilters,
    TrailPage,
    TrailQuery,
    VerificationView,
)
from projections.audit.sources import Sources, SourceUnavailable, incomplete_notice
from projections.audit.text import to_csv, to_json_line
from projections.audit.trail import Trail, TrailEntry, TrailFilter, is_known
from projections.queries import search
from projections.service import projections

ORDERS = order_service.name
EXTENSION = "audit"

routes = APIBlueprint("audit", __name__, url_prefix="/api/audit", abp_responses={"default": problem()})
staff = only("operator", "auditor")
several = problem("Several ids have these digits")
MAX_EXPORTS = 2
"""At a time: each holds a thread, and a connection or the snapshot of a store, until its client has read it."""
EXPORTED = {"description": "A line each", "content": {"application/x-ndjson": {}, "text/csv": {}}}


def mount(app: Api, sources: Sources) -> None:
    """Serve the audit over these sources."""
    app.extensions[EXTENSION] = sources
    app.register_error_handler(SourceUnavailable, lambda error: respond(Problem(503, "unavailable", str(error))))
    app.mount(routes)


def sources() -> Sources:
    """The sources of this process."""
    return cast(Sources, api().extensions[EXTENSION])


@routes.get("/trail", responses={200: TrailPage, 404: problem(), 409: several}, security=staff)
def show_trail(query: TrailQuery) -> Response:
    """Who did what, when, why and where, with the outcome, oldest first"""
    with sources().databases() as (connections, missing):
        asked = asked_for(query, connections, missing)
        found = Trail(connections).page(asked, query.after, query.limit + 1)
    page, following = page_with_link(found, query.limit, lambda entry: cursor_of((entry.time, entry.id)))
    return show(TrailPage(entries=page, next=following, missing=missing))


@routes.get("/why/<message_id>", responses={200: Node, 404: problem(), 409: several}, security=staff)
def show_why(path: MessagePath) -> Response:
    """Show all causes and effects of a message"""
    with sources().database.connection() as connection:
        message_id = search.message_with(connection, path.message_id)
        first = causes.why(connection, message_id) if message_id else None
    if first is None:
        raise Problem(404, "not-found", f"No message {path.message_id} is in the event log.")
    return show(first)


@routes.get("/state/<order>", responses={200: StateView, 404: problem(), 409: several}, security=staff)
def show_state(path: OrderPath, query: StateQuery) -> Response:
    """An order as it was at a version or a time"""
    time = query.as_of if isinstance(query.as_of, datetime) else None
    version = query.as_of if isinstance(query.as_of, int) else None
    with sources().databases() as (connections, missing):
        if ORDERS in missing:
            require_available([ORDERS])
        order = search.order_with(connections[projections.name], path.order)
        recorded = load_as_of(connections[ORDERS], order, version, time) if order and ORDERS in connections else None
        known = saga_as_of(connections[projections.name], order, time) if order and time else None
    if recorded is None and known is None:
        raise Problem(404, "not-found", f"There was nothing of order {path.order} at {query.as_of}.")
    return show(StateView(recorded=fields(recorded), known=known))


@routes.get("/verification", responses={200: VerificationView}, security=staff)
def show_verification() -> Response:
    """What the sealer's last verification of each store found"""
    stores = sources().verifications()
    return show(VerificationView(clean=is_clean(stores), stores=stores))


@routes.get("/export", responses={200: EXPORTED, 503: problem("The maximum of exports is in progress")}, security=staff)
def export(query: ExportQuery) -> Response:
    """jsonl without filters: the records that `audit verify --export` reads; with filters, or as csv: the trail"""
    with sources().databases() as (connections, missing):
        require_available(missing)
        asked = asked_for(query, connections, missing)
    is_full = query.format == "jsonl" and asked == TrailFilter()
    if is_full:
        check_logs()
    lines = record_lines() if is_full else trail_lines(asked, query.format)
    slots = export_slots(api())
    if not slots.acquire(blocking=False):
        raise too_many_exports()
    begin_stream()
    media = "text/csv" if query.format == "csv" else "application/x-ndjson"
    disposition = {"Content-Disposition": f'attachment; filename="audit.{query.format}"'}
    response = Response(stream_with_context(lines), headers=disposition, mimetype=media)
    response.call_on_close(slots.release)
    return response


@cache
def export_slots(app: Api) -> BoundedSemaphore:
    """The semaphore of this process's exports."""
    return BoundedSemaphore(MAX_EXPORTS)


def too_many_exports() -> Problem:
    detail = f"{MAX_EXPORTS} exports are in progress, which is the maximum. Ask again when one has ended."
    return Problem(503, "too-many-exports", detail, headers={"Retry-After": "30"})


def record_lines() -> Iterator[str]:
    """The records of all stores."""
    logs, stores = sources().logs(), sources().stores

    def records_of_store(store: str) -> Iterator[records.Record]:
        with connect(stores[store], "ordersaga audit", REPORT, autocommit=False) as connection:
            yield from records_of(connection, logs[store])

    for record in records.records_of_all(sorted(logs), records_of_store):
        yield records.to_line(record) + "\n"


def trail_lines(asked: TrailFilter, format_: str) -> Iterator[str]:
    """The entries of the trail."""
    with sources().databases() as (connections, missing):
        require_available(missing)
        entries: Iterable[TrailEntry] = Trail(connections).entries(asked)
        if format_ == "csv":
            yield from to_csv(entries)
        else:
            yield from map(to_json_line, entries)


def check_logs() -> None:
    """Called before the response begins. Raises Problem: 404 when a store has no log."""
    logs = sources().logs()
    if not logs:
        raise Problem(404, "not-found", "This process was given no store to export.")
    for store, files in logs.items():
        if not is_begun(files):
            raise Problem(404, "not-found", f"Nothing of {store} has been sealed yet.")


def asked_for(query: TrailFilters, connections: dict[str, Connection[Any]], missing: list[str]) -> TrailFilter:
    """The filter of a request. Raises Problem: 404 when the order is unknown; AmbiguousId."""
    order = search.order_with(connections[projections.name], query.order) if query.order else None
    if query.order and not (order and is_known(connections, str(order))):
        raise Problem(
            404, "not-found", f"Nothing is known of order {order or query.order}. {incomplete_notice(missing)}".rstrip()
        )
    return query.filter(order)


def require_available(missing: list[str]) -> None:
    """Raises SourceUnavailable when a database is missing, because this answer has no field to name it."""
    if missing:
        raise SourceUnavailable(f"The database of {', '.join(missing)} does not answer.")
