"""What the endpoints for operators share: the connection with its errors, the person who acts, the answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from flask import Response
from psycopg import Connection
from psycopg.errors import LockNotAvailable

from ordersaga.http.app import api, caller
from ordersaga.http.endpoints import answer, respond
from ordersaga.http.openapi import View, only, problem
from ordersaga.http.problems import Problem
from ordersaga.inbox.handler import Handler
from ordersaga.parked.failure_notes import UnknownFailure
from ordersaga.parked.operator import ActionRefused, Changed, Operator, TookEffect, UnknownMessage
from ordersaga.parked.retry_runs import RunsAlready, UnknownRun
from ordersaga.parked.running_attempt import AttemptRuns
from ordersaga.parked.selection import CountChanged

EXTENSION = "parked messages"
REFUSED = problem("Not acceptable; or the broker refused the message, which has no such action")
readers, operators = only("operator", "auditor"), only("operator")


def handler() -> Handler:
    return cast(Handler, api().extensions[EXTENSION])


PROBLEMS: dict[type[Exception], tuple[int, str, str]] = {
    TookEffect: (404, "took-effect", ""),
    UnknownMessage: (404, "not-parked", ""),
    UnknownFailure: (404, "no-such-failure", ""),
    UnknownRun: (404, "no-such-run", ""),
    Changed: (409, "changed-meanwhile", " Read it again, then decide."),
    CountChanged: (409, "changed-meanwhile", " Look at them, then decide."),
    RunsAlready: (409, "runs-already", ""),
    AttemptRuns: (409, "attempt-runs", " Do it again."),
    ActionRefused: (422, "action-refused", ""),
}
"""Error -> status, type of the problem document, advice; a class before those that it derives from."""


@contextmanager
def connected() -> Iterator[Connection[Any]]:
    """Turns the errors of `parked` into problem documents."""
    try:
        with api().database.connection() as connection:
            yield connection
    except LockNotAvailable:
        raise problem_of(AttemptRuns("an attempt at a message of its key runs")) from None
    except tuple(PROBLEMS) as error:
        raise problem_of(error) from None


def problem_of(error: Exception) -> Problem:
    status, kind, advice = next(found for known, found in PROBLEMS.items() if isinstance(error, known))
    return Problem(status, kind, f"Nothing was done: {error}.{advice}")


def operator(reason: str) -> Operator:
    return Operator(caller().subject, reason)


def respond_with(view: View) -> Response:
    return respond(answer(200, view))
