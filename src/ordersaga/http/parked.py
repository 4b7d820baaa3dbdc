"""Parked messages over HTTP: operators and auditors read them, operators act on them."""

from operator import itemgetter
from typing import Any
from uuid import UUID

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from ordersaga.http import consumer, triage
from ordersaga.http.app import Api
from ordersaga.http.openapi import Responses, problem
from ordersaga.http.operating import EXTENSION, REFUSED, connected, handler, operator, operators, readers, respond_with
from ordersaga.http.paging import page_of
from ordersaga.http.parked_views import (
    ActionsList,
    ActionsPage,
    ActionView,
    Done,
    DryRunView,
    Edit,
    Hold,
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
from ordersaga.inbox.reactor import Reactor
from ordersaga.parked import dry_run as dry_runs
from ordersaga.parked import inspection, listing, operations, running_attempt, selection
from ordersaga.parked.listing import ParkedCursor, ParkedFilter
from ordersaga.parked.operator import UnknownMessage
from ordersaga.parked.selection import Choice, Verb

routes = APIBlueprint("parked", __name__, abp_responses={"default": problem()})
GONE = problem("It is not parked here, or no longer: it took effect, or was skipped")
NOT_PARKED = problem("It is not parked here, or no longer")
CHANGED = problem("A person has acted on it since it was read, or an attempt at it does not end")
position = itemgetter("position")


def mount_parked(app: Api) -> None:
    """Serve /parked and /consumer of the app's service."""
    app.extensions[EXTENSION] = app.service.handler()
    for each in (routes, triage.routes, consumer.routes):
        app.mount(each)


def cursor(text: str | None) -> ParkedCursor | None:
    return None if text is None else ParkedCursor.parse(text)


def next_of(row: dict[str, Any]) -> str:
    return str(listing.cursor_of(row))


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
        found = inspection.show(connection, path.message_id, query.refused_by)
    return respond_with(ParkedView.of(found, reaction=reaction_to(found)))


def reaction_to(found: dict[str, Any]) -> str:
    """The name of the function that handles a message; empty if none does, or if the broker refused the message."""
    group = handler()
    if not isinstance(group, Reactor) or found["refused_by"] != "reaction" or found["contract"] not in group.reactions:
        return ""
    return group.reactions[found["contract"]].function.__name__


OF_AN_ACTION: Responses = {200: Done, 404: GONE, 409: CHANGED}


def act(verb: Verb, message_id: UUID, body: Retry | Skip | Hold) -> Response:
    """Act on a message before a worker tries it again, once the attempt under way has ended."""
    choice = Choice(message_id, body.refused_by, body.seen)
    with connected() as connection:
        running_attempt.await_end(connection, [message_id])
        state = selection.act(connection, verb, choice, operator(body.reason), handler().known)
    return respond_with(Done.model_validate({"message_id": message_id, "state": state}))


@routes.post("/parked/<uuid:message_id>/retry", responses=OF_AN_ACTION, security=operators)
def retry_parked(path: ParkedPath, body: Retry) -> Response:
    """Retry a message now, with all its attempts; also one that is on hold"""
    return act("retry", path.message_id, body)


@routes.post("/parked/<uuid:message_id>/skip", responses=OF_AN_ACTION, security=operators)
def skip_parked(path: ParkedPath, body: Skip) -> Response:
    """Skip a message: it never takes effect here, or is never published. This cannot be undone"""
    return act("skip", path.message_id, body)


@routes.post("/parked/<uuid:message_id>/hold", responses=OF_AN_ACTION, security=operators)
def hold_parked(path: ParkedPath, body: Hold) -> Response:
    """Hold a message: it is not tried until a person releases, retries, edits or skips it; those behind it wait too"""
    return act("hold", path.message_id, body)


@routes.post("/parked/<uuid:message_id>/release", responses=OF_AN_ACTION, security=operators)
def release_parked(path: ParkedPath, body: Hold) -> Response:
    """Release a message that a person holds: it is due now, unless its failure group is on hold"""
    return act("release", path.message_id, body)


@routes.put(
    "/parked/<uuid:message_id>/body",
    responses={**OF_AN_ACTION, 422: REFUSED},
    security=operators,
)
def edit_parked(path: ParkedPath, body: Edit) -> Response:
    """Replace the body of a message that a reaction refused, and retry it; the original body is kept"""
    new, contracts = body.body.encode(), handler().contracts
    choice = Choice(path.message_id, body.refused_by, body.seen)
    with connected() as connection:
        running_attempt.await_end(connection, [path.message_id])
        with selection.before_attempts(connection, choice, handler().known) as version:
            person = operator(body.reason)
            state = operations.edit(connection, path.message_id, new, contracts, person, version, body.refused_by)
    return respond_with(Done.model_validate({"message_id": path.message_id, "state": state}))


@routes.post(
    "/parked/<uuid:message_id>/dry-run", responses={200: DryRunView, 404: NOT_PARKED, 422: REFUSED}, security=operators
)
def dry_run_parked(path: ParkedPath) -> Response:
    """Run the reaction, show the rows that it writes, roll back; a reaction with an outside step is not run"""
    with connected() as connection:
        run = dry_runs.dry_run(connection, path.message_id, handler())
    return respond_with(DryRunView.model_validate(run.as_json()))
