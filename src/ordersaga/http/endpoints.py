"""The steps of an endpoint: accept a command once, read, answer, wait for the end."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from uuid import UUID
from wsgiref.types import WSGIEnvironment

from flask import Response, g, request
from pydantic import BaseModel
from werkzeug.datastructures import Headers

from ordersaga.http.app import api, caller
from ordersaga.http.etags import version_of
from ordersaga.http.idempotency import Answer, RequestKey, once
from ordersaga.http.waiting import Wait, preferred_wait, resumed, suspend
from ordersaga.store.aggregates import NOTHING, continued
from ordersaga.store.transaction import Transaction, decide


class AnswerResponse(Response):
    """A complete body with headers that need no correction: to look for some is 4 % of the CPU of a request."""

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        if self.status_code in (204, 304) or not self.headers.get("Location", "").isascii():
            return super().get_wsgi_headers(environ)
        return self.headers


def answer(status: int, view: BaseModel, subject: UUID | None = None, **headers: str) -> Answer:
    """The answer to a command: status, the view as body, headers such as `ETag`, and the id of its subject."""
    return Answer(status, view.model_dump_json(), headers, subject)


def accept(command: Callable[[Transaction], Answer], key: RequestKey | None = None) -> Answer:
    """Run a command in a new transaction; with a key it takes effect once.

    The relay learns at once that there is something to publish.
    """
    app = api()
    with app.database.connection() as connection:
        work = once(connection, key, command) if key else command
        return decide(connection, app.announcements, g.cause, work, app.doorbell.ring)


def require_room() -> None:
    """The first step of a command that begins a saga: a repeat of an accepted request does not come here.

    Raises Problem (503) while more sagas are under way than end in time.
    """
    if admission := api().admission:
        admission.require_room()


def request_key(key: str | None, body: BaseModel) -> RequestKey | None:
    """The key of this request, if it has one; keys of different callers and roles are distinct."""
    return RequestKey.of(caller(), key, request.method, request.path, body) if key else None


@contextmanager
def read_transaction() -> Iterator[Transaction]:
    """A transaction for reading, on a connection in autocommit: each query has its own snapshot.

    After a wait it has the aggregate that was waited for, without a query.
    """
    app = api()
    with app.database.connection() as connection:
        transaction = Transaction(connection, app.announcements, g.cause)
        if (wait := resumed()) and wait.rows:
            transaction.have((), continued(connection, wait.rows, NOTHING))
        yield transaction


def respond(answer: Answer) -> Response:
    """The answer as a Flask response; a replayed one has the header `Idempotency-Replayed: true`."""
    response = AnswerResponse(answer.body, answer.status, answer.headers, mimetype="application/json")
    if answer.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def respond_when_ended(accepted: Answer, find: Callable[[], Answer | None]) -> Response:
    """The answer that `find` returns within the time of `Prefer: wait`, else the accepted one.

    `find` returns None until there is an end. It is called when the version of the subject has changed; the request
    has neither a thread nor a connection to the database until then. A replayed request may wait too.

    Raises:
        ValueError: the answer has no subject to wait for.
    """
    seconds = preferred_wait(request.headers.get("Prefer", ""))
    if not seconds:
        return respond(accepted)
    if accepted.subject is None:
        raise ValueError("an answer that may wait names its subject: answer(status, view, subject)")
    until, seen = time.monotonic() + seconds, version_of(accepted.headers.get("ETag", ""))
    go_on = partial(go_on_with, accepted, find, seconds)
    wait = Wait(accepted.subject, seen, until, go_on)
    if accepted.replayed and (ended := find()):
        return waited(replace(ended, replayed=True), seconds)
    return suspend_or(accepted, wait)


def go_on_with(accepted: Answer, find: Callable[[], Answer | None], seconds: int, wait: Wait) -> Response:
    """The answer after a wait, unless there is more to wait for."""
    api().waiting_room.leave()
    if not wait.changed_to:
        return waited(accepted, seconds)
    if ended := find():
        return waited(replace(ended, replayed=accepted.replayed), seconds)
    wait.seen = wait.changed_to
    return suspend_or(accepted, wait)


def suspend_or(accepted: Answer, wait: Wait) -> Response:
    """The accepted answer if nobody else may wait."""
    return suspend(wait, api().watch) if api().waiting_room.enter() else respond(accepted)


def waited(answer: Answer, seconds: int) -> Response:
    response = respond(answer)
    response.headers["Preference-Applied"] = f"wait={seconds}"
    return response


def show(view: BaseModel, version: int | None = None) -> Response:
    """200, or 304 when the caller has this ETag; the ETag is the version, else a hash of the content."""
    response = respond(answer(200, view))
    if version is None:
        response.add_etag()
    else:
        response.set_etag(str(version))
    response.make_conditional(request)
    return response
