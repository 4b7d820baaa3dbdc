"""The audit over HTTP, for auditors and operators; mounted into the read side's app."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
from flask import Response, stream_with_context
from flask_openapi3.blueprint import APIBlueprint
from psycopg import Connection

from messaging.history import load_as_of
from messaging.settings import database_urls
from messaging.web.app import api
from messaging.web.endpoints import show
from messaging.web.openapi import only, problem
from messaging.web.paging import linked
from messaging.web.problems import Problem
from projections.audit import live, records
from projections.audit import why as causes
from projections.audit.known import saga_as_of
from projections.audit.log import LogFiles, is_begun
from projections.audit.sealing import last_verification
from projections.audit.shapes import (
    ExportQuery,
    MessagePath,
    OrderPath,
    StateQuery,
    StateView,
    TrailPage,
    TrailQuery,
    VerificationView,
)
from projections.audit.text import fields, to_csv, to_json_line
from projections.audit.trail import Entry, Filter, Trail, is_known
from projections.audit.why import Node
from projections.cursors import cursor_of
from projections.event_log import READ_SIDE
from projections.settings import ProjectionsSettings

ORDERS = "order_service"

routes = APIBlueprint("audit", __name__, url_prefix="/api/audit", abp_responses={"default": problem()})
staff = only("operator", "auditor")
EXPORTED = {"description": "A line each", "content": {"application/x-ndjson": {}, "text/csv": {}}}


@routes.get("/trail", responses={200: TrailPage, 404: problem()}, security=staff)
def show_trail(query: TrailQuery) -> Response:
    """Who did what, when, why, from where, and what came of it, oldest first"""
    asked = query.filter()
    with databases() as connections:
        check_order(connections, asked)
        found = Trail(connections).page(asked, query.after, query.limit + 1)
    page, following = linked(found, query.limit, lambda entry: cursor_of((entry.time, entry.id)))
    return show(TrailPage(entries=page, next=following))


@routes.get("/why/<uuid:message_id>", responses={200: Node, 404: problem()}, security=staff)
def show_why(path: MessagePath) -> Response:
    """What a message came from and all that came of it"""
    with api().database.connection() as connection:
        first = causes.why(connection, path.message_id)
    if first is None:
        raise Problem(404, "not-found", f"No message {path.message_id} is in the event log.")
    return show(first)


@routes.get("/state/<uuid:order>", responses={200: StateView, 404: problem()}, security=staff)
def show_state(path: OrderPath, query: StateQuery) -> Response:
    """An order as it was at a version or a time"""
    import_module(f"{ORDERS}.announcements")
    time = query.as_of if isinstance(query.as_of, datetime) else None
    version = query.as_of if isinstance(query.as_of, int) else None
    with databases() as connections:
        recorded = load_as_of(connections[ORDERS], path.order, version, time) if ORDERS in connections else None
        known = saga_as_of(connections[READ_SIDE], path.order, time) if time else None
    if recorded is None and known is None:
        raise Problem(404, "not-found", f"There was nothing of order {path.order} at {query.as_of}.")
    return show(StateView(recorded=fields(recorded), known=known))


@routes.get("/verification", responses={200: VerificationView}, security=staff)
def show_verification() -> Response:
    """What the sealer's last verification of each store found"""
    stores = {store: last_verification(LogFiles(directory(), store)) for store in sorted(service_urls())}
    verified = [each for each in stores.values() if each]
    clean = all(each["findings"] == 0 for each in verified) if stores and all(stores.values()) else None
    return show(VerificationView(clean=clean, stores=stores))


@routes.get("/export", responses={200: EXPORTED}, security=staff)
def export(query: ExportQuery) -> Response:
    """jsonl without filters: all that `audit verify --export` needs; with filters, and as csv: the trail"""
    asked = query.filter()
    everything = query.format == "jsonl" and asked == Filter()
    with databases() as connections:
        check_order(connections, asked)
    if everything:
        check_logs()
    lines = all_records() if everything else the_trail(asked, query.format)
    media = "text/csv" if query.format == "csv" else "application/x-ndjson"
    disposition = {"Content-Disposition": f'attachment; filename="audit.{query.format}"'}
    return Response(stream_with_context(lines), headers=disposition, mimetype=media)


def all_records() -> Iterator[str]:
    for store, url in sorted(service_urls().items()):
        with psycopg.connect(url) as connection:
            for record in live.records(connection, LogFiles(directory(), store)):
                yield records.to_line(record) + "\n"


def the_trail(asked: Filter, format_: str) -> Iterator[str]:
    with databases() as connections:
        entries: Iterable[Entry] = Trail(connections).entries(asked)
        if format_ == "csv":
            yield from to_csv(entries)
        else:
            yield from map(to_json_line, entries)


@contextmanager
def databases() -> Iterator[dict[str, Connection[Any]]]:
    """The read side's own, and each service's that this process was given, as the role that it was given for it.

    Raises:
        Problem: 503, one does not answer.
    """
    try:
        with ExitStack() as stack:
            found = {READ_SIDE: stack.enter_context(api().database.connection())}
            for name, url in service_urls().items():
                found[name] = stack.enter_context(psycopg.connect(url, autocommit=True, connect_timeout=2))
            yield found
    except psycopg.OperationalError as error:
        raise Problem(503, "unavailable", "A database that the audit reads does not answer.") from error


def service_urls() -> dict[str, str]:
    return {name: url for name, url in database_urls().items() if name != READ_SIDE}


def directory() -> Path:
    """Raises Problem: 503."""
    checkpoints = api().own_settings(ProjectionsSettings).audit_checkpoints
    if not checkpoints:
        raise Problem(503, "unavailable", "This process was not given AUDIT_CHECKPOINTS, the directory of the logs.")
    return Path(checkpoints)


def check_logs() -> None:
    """Before the answer has begun. Raises Problem: 404."""
    stores = service_urls()
    if not stores:
        raise Problem(404, "not-found", "This process was given no store to export.")
    for store in stores:
        if not is_begun(LogFiles(directory(), store)):
            raise Problem(404, "not-found", f"Nothing of {store} has been sealed yet.")


def check_order(connections: dict[str, Connection[Any]], asked: Filter) -> None:
    if asked.order and not is_known(connections[READ_SIDE], asked.order):
        raise Problem(404, "not-found", f"Nothing is known of order {asked.order}.")
