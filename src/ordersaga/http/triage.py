"""Triage over HTTP: notes on failure groups, hold and release, runs of retries, several messages at once."""

from dataclasses import asdict
from operator import attrgetter

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from ordersaga.http import operating
from ordersaga.http.endpoints import answer, respond
from ordersaga.http.openapi import Responses, problem
from ordersaga.http.paging import page_of
from ordersaga.http.triage_views import (
    ActionOutcome,
    Annotate,
    FailurePath,
    GroupInFull,
    GroupSkipped,
    GroupsList,
    GroupView,
    Outcomes,
    RunPath,
    RunsList,
    RunsPage,
    RunView,
    Selection,
    SkipGroup,
    StartRun,
    TriageActionView,
    Why,
)
from ordersaga.parked import failure_notes, inspection, operator_actions, retry_runs, selection
from ordersaga.parked.failure_notes import FailureNote
from ordersaga.parked.inspection import FailureGroup
from ordersaga.parked.listing import ParkedFilter
from ordersaga.parked.retry_runs import RetryRun
from ordersaga.parked.selection import Choice

routes = APIBlueprint("triage", __name__, abp_responses={"default": problem()})
NO_GROUP = problem("No parked message has failed so, and nobody has written about it")
NO_RUN = problem("There is no run of this number")
OF_GROUP: Responses = {200: GroupView, 404: NO_GROUP}


def now_of(groups: list[FailureGroup], failure: str) -> FailureGroup | None:
    return next((group for group in groups if group.failure == failure), None)


def run_view(run: RetryRun) -> RunView:
    return RunView.model_validate(asdict(run))


@routes.get("/parked/groups", responses={200: GroupsList}, security=operating.readers)
def list_groups() -> Response:
    """Failure groups: those that have messages, and those that people wrote about"""
    with operating.connected() as connection:
        now = inspection.failure_groups(connection)
        written = {note.failure: note for note in failure_notes.written(connection)}
    known = [GroupView.of(written.pop(group.failure, FailureNote.of_group(group)), group) for group in now]
    return operating.respond_with(GroupsList(groups=[*known, *(GroupView.of(note, None) for note in written.values())]))


@routes.get("/parked/groups/<failure>", responses={200: GroupInFull, 404: NO_GROUP}, security=operating.readers)
def show_group(path: FailurePath) -> Response:
    """One failure group: note, owner, link, hold, its messages now, and what people did"""
    with operating.connected() as connection:
        note = failure_notes.find(connection, path.failure)
        now = now_of(inspection.failure_groups(connection), path.failure)
        rows = operator_actions.of_failure(connection, path.failure)
    actions = [TriageActionView.model_validate(row) for row in rows]
    return operating.respond_with(GroupInFull.of(note, now, actions=actions))


def changed(failure: str, note: FailureNote) -> Response:
    with operating.connected() as connection:
        now = now_of(inspection.failure_groups(connection), failure)
    return operating.respond_with(GroupView.of(note, now))


@routes.put("/parked/groups/<failure>", responses={**OF_GROUP, 422: operating.REFUSED}, security=operating.operators)
def annotate_group(path: FailurePath, body: Annotate) -> Response:
    """Write note, owner or link of a failure group; they stay when its last message is gone"""
    with operating.connected() as connection:
        said = (body.note, body.owner, body.link)
        note = failure_notes.annotate(connection, path.failure, operating.operator(body.reason), *said)
    return changed(path.failure, note)


@routes.post("/parked/groups/<failure>/hold", responses=OF_GROUP, security=operating.operators)
def hold_group(path: FailurePath, body: Why) -> Response:
    """Put a failure group on hold: none of its messages is tried, nor one that will fail so, until it is released"""
    with operating.connected() as connection:
        note = failure_notes.hold(connection, path.failure, operating.operator(body.reason))
    return changed(path.failure, note)


@routes.post("/parked/groups/<failure>/release", responses=OF_GROUP, security=operating.operators)
def release_group(path: FailurePath, body: Why) -> Response:
    """End the hold of a failure group: its messages are due now"""
    with operating.connected() as connection:
        note = failure_notes.release(connection, path.failure, operating.operator(body.reason))
    return changed(path.failure, note)


@routes.post(
    "/parked/groups/<failure>/skip",
    responses={200: GroupSkipped, 409: problem("It has another number of messages now")},
    security=operating.operators,
)
def skip_group(path: FailurePath, body: SkipGroup) -> Response:
    """Skip the messages of a failure group, a thousand at most. This cannot be undone"""
    with operating.connected() as connection:
        person = operating.operator(body.reason)
        done = selection.skip_group(connection, path.failure, body.messages, person)
    return operating.respond_with(GroupSkipped.model_validate(done._asdict()))


@routes.post("/parked/selection", responses={200: Outcomes}, security=operating.operators)
def act_on_selection(body: Selection) -> Response:
    """Retry, skip, hold or release several messages; each has an outcome of its own"""
    choices = [Choice(each.message_id, each.refused_by, each.seen) for each in body.messages]
    with operating.connected() as connection:
        person, known = operating.operator(body.reason), operating.handler().known
        results = selection.act_on_each(connection, body.action, choices, person, known)
    outcomes = [
        ActionOutcome.model_validate({**choice._asdict(), "outcome": outcome, "detail": detail})
        for choice, outcome, detail in results
    ]
    return operating.respond_with(Outcomes(outcomes=outcomes))


@routes.post(
    "/parked/runs",
    responses={201: RunView, 409: problem("Another run retries these messages"), 422: operating.REFUSED},
    security=operating.operators,
)
def start_run(body: StartRun) -> Response:
    """Retry what has failed until now: a few messages at once, the others at a rate if enough of the first succeed"""
    wanted = ParkedFilter(body.failure, body.state, body.key, body.refused_by, failed=True)
    with operating.connected() as connection:
        person = operating.operator(body.reason)
        run = retry_runs.start(connection, wanted, person, body.first, body.rate, body.max_failed)
    return respond(answer(201, run_view(run), Location=f"/parked/runs/{run.run}"))


@routes.get("/parked/runs", responses={200: RunsList}, security=operating.readers)
def list_runs(query: RunsPage) -> Response:
    """Runs of retries and how far they are, the newest first"""
    with operating.connected() as connection:
        found = retry_runs.page(connection, query.limit + 1, query.before)
    page, following = page_of(found, query.limit, attrgetter("run"))
    return operating.respond_with(RunsList(runs=list(map(run_view, page)), next=following))


@routes.get("/parked/runs/<int:run>", responses={200: RunView, 404: NO_RUN}, security=operating.readers)
def show_run(path: RunPath) -> Response:
    """A run of retries: its state, and how many messages it has retried, with what result"""
    with operating.connected() as connection:
        return operating.respond_with(run_view(retry_runs.find(connection, path.run)))


@routes.post("/parked/runs/<int:run>/stop", responses={200: RunView, 404: NO_RUN}, security=operating.operators)
def stop_run(path: RunPath, body: Why) -> Response:
    """Stop a run: it retries no further message; one that has ended stays as it is"""
    with operating.connected() as connection:
        return operating.respond_with(run_view(retry_runs.stop(connection, path.run, operating.operator(body.reason))))
