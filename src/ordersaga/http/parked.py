"""Parked messages over HTTP: operators and auditors read them, operators act on them."""

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
from ordersaga.http.paging import page_of
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
    ParkedQuery,
    ParkedRow,
    ParkedView,
    RetriesDone,
    Retry,
    RetryMany,
    Skip,
)
from ordersaga.http.problems import Problem
from ordersaga.inbox.handler import Handler
from ordersaga.parked import dry_run as dry_runs
from ordersaga.parked import inspection, listing, operations
from ordersaga.parked.listing import ParkedCursor, ParkedFilter
from ordersaga.parked.operator import ActionRefused, Changed, Operator, UnknownMessage

routes = APIBlueprint("parked", __name__, abp_responses={"default": problem()})
readers, operators = only("operator", "auditor"), only("operator")
NOT_PARKED = problem("It is not parked here, or no longer")
CHANGED = problem("It has changed since it was read")
REFUSED = problem("Not acceptable; or the broker refused the message, which has no such action")
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
    """Turns the errors of `parked` into problem documents."""
    try:
        with api().database.connection() as connection:
            yield connection
    except UnknownMessage as error:
        raise Problem(404, "not-parked", f"Nothing was done: {error}.") from None
    except Changed as error:
        raise Problem(409, "changed-meanwhile", f"Nothing was done: {error}. Read it again, then decide.") from None
    except ActionRefused as error:
        raise Problem(422, "action-refused", f"Nothing was done: {error}.") from None


def operator(reason: str) -> Operator:
    return Operator(caller().subject, reason)


def cursor(text: str | None) -> ParkedCursor | None:
    return None if text is None else ParkedCursor.parse(text)


def next_of(row: dict[str, Any]) -> str:
    return str(listing.cursor_of(row))


def respond_with(view: View) -> Response:
    return respond(answer(200, view))


@routes.get("/parked", responses={200: ParkedList}, security=readers)
def list_parked(query: ParkedPage) -> Response:
    """Failure groups, and a page of parked messages"""
    wanted = ParkedFilter(query.failure, query.state, query.key, query.refused_by)
    with connected() as connection:
        failures = inspection.failure_groups(connection)
        rows = listing.messages(connection, wanted, query.limit + 1, cursor(query.after))
    page, following = page_of(rows, query.limit, next_of)
    return respond_with(ParkedList(failures=failures, messages=[ParkedRow.of(row) for row in page], next=following))


@routes.get("/parked/actions", responses={200: ActionsList}, security=readers)
def list_actions(query: ActionsPage) -> Response:
    """Who did what to parked messages, and why; also to those no longer parked"""
    with connected() as connection:
        rows = inspection.actions(connection, query.message_id, query.limit + 1, query.before)
    page, following = page_of(rows, query.limit, position)
    return respond_with(ActionsList(actions=[ActionView.model_validate(row) for row in page], next=following))


@routes.post("/parked/retries", responses={200: RetriesDone}, security=operators)
def retry_many(body: RetryMany) -> Response:
    """Retry a failure group, or all failed messages, now; a batch at a time"""
    gone = 0
    with connected() as connection:
        wanted = ParkedFilter(failure=body.failure, failed=True)
        found = listing.messages(connection, wanted, body.limit + 1, cursor(body.after))
        batch, following = page_of(found, body.limit, next_of)
        for row in batch:
            try:
                operations.retry(connection, row["message_id"], operator(body.reason), refused_by=row["refused_by"])
            except UnknownMessage:
                gone += 1
    return respond_with(RetriesDone(retried=len(batch) - gone, gone=gone, next=following))


@routes.get("/parked/<uuid:message_id>", responses={200: ParkedView, 404: NOT_PARKED}, security=readers)
def show_parked(path: ParkedPath, query: ParkedQuery) -> Response:
    """One parked message: headers, body, failure with traceback, followers, actions"""
    with connected() as connection:
        return respond_with(ParkedView.of(inspection.show(connection, path.message_id, query.refused_by)))


@routes.post(
    "/parked/<uuid:message_id>/retry", responses={200: Done, 404: NOT_PARKED, 409: CHANGED}, security=operators
)
def retry_parked(path: ParkedPath, body: Retry) -> Response:
    """Retry a message now, with all its attempts"""
    with connected() as connection:
        state = operations.retry(connection, path.message_id, operator(body.reason), body.seen, body.refused_by)
    return respond_with(Done.model_validate({"message_id": path.message_id, "state": state}))


@routes.post("/parked/<uuid:message_id>/skip", responses={200: Done, 404: NOT_PARKED, 409: CHANGED}, security=operators)
def skip_parked(path: ParkedPath, body: Skip) -> Response:
    """Skip a message: it never takes effect here, or is never published. This cannot be undone"""
    with connected() as connection:
        operations.skip(connection, path.message_id, operator(body.reason), body.seen, body.refused_by)
    return respond_with(Done(message_id=path.message_id, state="skipped"))


@routes.put(
    "/parked/<uuid:message_id>/body",
    responses={200: Done, 404: NOT_PARKED, 409: CHANGED, 422: REFUSED},
    security=operators,
)
def edit_parked(path: ParkedPath, body: Edit) -> Response:
    """Replace the body of a message that a reaction refused, and retry it; the original body is kept"""
    new, contracts = body.body.encode(), handler().contracts
    with connected() as connection:
        person = operator(body.reason)
        state = operations.edit(connection, path.message_id, new, contracts, person, body.seen, body.refused_by)
    return respond_with(Done.model_validate({"message_id": path.message_id, "state": state}))


@routes.post(
    "/parked/<uuid:message_id>/dry-run", responses={200: DryRunView, 404: NOT_PARKED, 422: REFUSED}, security=operators
)
def dry_run_parked(path: ParkedPath) -> Response:
    """Run the reaction, show the rows that it writes, roll back; a reaction with an outside step is not run"""
    with connected() as connection:
        run = dry_runs.dry_run(connection, path.message_id, handler())
    return respond_with(DryRunView.model_validate(run.as_json()))
