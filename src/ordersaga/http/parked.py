"""Parked messages over HTTP: looked at by operators and auditors, acted on by operators, as on the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, cast

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from psycopg import Connection

from ordersaga.http.app import Api, api, caller
from ordersaga.http.endpoints import answer, respond
from ordersaga.http.openapi import View, only, problem
from ordersaga.http.paging import cut
from ordersaga.http.parked_views import (
    ActionsList,
    ActionsPage,
    ActionView,
    Done,
    DryRunView,
    Edit,
    ParkedList,
    ParkedPage,
    ParkedPath,
    ParkedRow,
    ParkedView,
    Retries,
    RetriesDone,
    Retry,
    Skip,
)
from ordersaga.http.problems import Problem
from ordersaga.inbox.handler import Handler
from ordersaga.parked import dry_run as dry_runs
from ordersaga.parked import inspection, operations
from ordersaga.parked.operations import Changed, Operator, Refused, UnknownMessage

routes = APIBlueprint("parked", __name__, abp_responses={"default": problem()})
readers, operators = only("operator", "auditor"), only("operator")
NOT_PARKED = problem("It is not parked here, or has left meanwhile")
CHANGED = problem("It has changed since it was looked at")
EXTENSION = "parked messages"
position = itemgetter("position")


def mount_parked(app: Api) -> None:
    """Serve /parked of the app's service."""
    app.extensions[EXTENSION] = app.service.handler()
    app.mount(routes)


def handler() -> Handler:
    return cast(Handler, api().extensions[EXTENSION])


@contextmanager
def connected() -> Iterator[Connection[Any]]:
    """What the library refuses becomes a problem document."""
    try:
        with api().database.connection() as connection:
            yield connection
    except UnknownMessage as error:
        raise Problem(404, "not-parked", f"Nothing was done: {error}.") from None
    except Changed as error:
        raise Problem(409, "changed-meanwhile", f"Nothing was done: {error}. Look again, then decide.") from None
    except Refused as error:
        raise Problem(422, "edit-refused", f"Nothing was done: {error}.") from None


def operator(reason: str) -> Operator:
    return Operator(caller().subject, reason)


def shown(view: View) -> Response:
    return respond(answer(200, view))


@routes.get("/parked", responses={200: ParkedList}, security=readers)
def list_parked(query: ParkedPage) -> Response:
    """Failures, and parked messages a page at a time"""
    with connected() as connection:
        failures = inspection.failure_groups(connection)
        rows = inspection.messages(connection, query.failure, query.limit + 1, query.state, query.key, query.after)
    page, following = cut(rows, query.limit, position)
    return shown(ParkedList(failures=failures, messages=[ParkedRow.of(row) for row in page], next=following))


@routes.get("/parked/actions", responses={200: ActionsList}, security=readers)
def list_actions(query: ActionsPage) -> Response:
    """Who did what to parked messages, and why; also to those that have left"""
    with connected() as connection:
        rows = inspection.actions(connection, query.message_id, query.limit + 1, query.before)
    page, following = cut(rows, query.limit, position)
    return shown(ActionsList(actions=[ActionView.model_validate(row) for row in page], next=following))


@routes.post("/parked/retries", responses={200: RetriesDone}, security=operators)
def retry_many(body: Retries) -> Response:
    """Try a failure group, or all that failed, again now; a batch at a time"""
    gone = 0
    with connected() as connection:
        found = inspection.failed_batch(connection, body.failure, body.after, body.limit + 1)
        batch, following = cut(found, body.limit, itemgetter(0))
        for _, message_id in batch:
            try:
                operations.retry(connection, message_id, operator(body.reason))
            except UnknownMessage:
                gone += 1
    return shown(RetriesDone(retried=len(batch) - gone, gone=gone, next=following))


@routes.get("/parked/<uuid:message_id>", responses={200: ParkedView, 404: NOT_PARKED}, security=readers)
def show_parked(path: ParkedPath) -> Response:
    """One parked message: headers, body, failure with traceback, what waits behind it, what was done to it"""
    with connected() as connection:
        return shown(ParkedView.of(inspection.show(connection, path.message_id)))


@routes.post(
    "/parked/<uuid:message_id>/retry", responses={200: Done, 404: NOT_PARKED, 409: CHANGED}, security=operators
)
def retry_parked(path: ParkedPath, body: Retry) -> Response:
    """Try a message again now, with all its attempts"""
    with connected() as connection:
        state = operations.retry(connection, path.message_id, operator(body.reason), body.seen)
    return shown(Done.model_validate({"message_id": path.message_id, "state": state}))


@routes.post("/parked/<uuid:message_id>/skip", responses={200: Done, 404: NOT_PARKED, 409: CHANGED}, security=operators)
def skip_parked(path: ParkedPath, body: Skip) -> Response:
    """Give a message up: it never takes effect here. This cannot be undone"""
    with connected() as connection:
        operations.skip(connection, path.message_id, operator(body.reason), body.seen)
    return shown(Done(message_id=path.message_id, state="skipped"))


@routes.put(
    "/parked/<uuid:message_id>/body",
    responses={200: Done, 404: NOT_PARKED, 409: CHANGED, 422: problem("Not acceptable, or not by the contract")},
    security=operators,
)
def edit_parked(path: ParkedPath, body: Edit) -> Response:
    """Replace the body of a message and try it again; the original is kept"""
    new, contracts = body.body.encode(), handler().contracts
    with connected() as connection:
        state = operations.edit(connection, path.message_id, new, contracts, operator(body.reason), body.seen)
    return shown(Done.model_validate({"message_id": path.message_id, "state": state}))


@routes.post("/parked/<uuid:message_id>/dry-run", responses={200: DryRunView, 404: NOT_PARKED}, security=operators)
def dry_run_parked(path: ParkedPath) -> Response:
    """Run the reaction, show the rows it makes, roll everything back; one with an outside step is not run"""
    with connected() as connection:
        run = dry_runs.dry_run(connection, path.message_id, handler())
    return shown(DryRunView.model_validate(run.as_json()))
