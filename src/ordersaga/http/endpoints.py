"""The steps of an endpoint: accept a command once, read, answer, wait for the end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from flask import Response, g, request
from pydantic import BaseModel

from ordersaga.http.app import api, caller
from ordersaga.http.idempotency import Answer, RequestKey, once
from ordersaga.http.waiting import preferred_wait, wait_for
from ordersaga.store.transaction import Transaction, decide


def answer(status: int, view: BaseModel, subject: UUID | None = None, **headers: str) -> Answer:
    """The answer to a command: status, the view as body, headers such as `ETag`, and the id of its subject."""
    return Answer(status, view.model_dump_json(), headers, subject)


def accept(command: Callable[[Transaction], Answer], key: RequestKey | None = None) -> Answer:
    """Run a command in a new transaction; with a key it takes effect once."""
    app = api()
    with app.database.connection() as connection:
        work = once(connection, key, command) if key else command
        return decide(connection, app.announcements, g.cause, work)


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
    """A transaction for reading, on a connection in autocommit: each query has its own snapshot."""
    app = api()
    with app.database.connection() as connection:
        yield Transaction(connection, app.announcements, g.cause)


def respond(answer: Answer) -> Response:
    """The answer as a Flask response; a replayed one has the header `Idempotency-Replayed: true`."""
    response = Response(answer.body, answer.status, answer.headers, mimetype="application/json")
    if answer.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def respond_when_ended(accepted: Answer, find: Callable[[], Answer | None]) -> Response:
    """The answer that `find` returns within the time of `Prefer: wait`, else the accepted one.

    It holds no database connection between two calls of `find`. A replayed request may wait too.
    """
    seconds = preferred_wait(request.headers.get("Prefer", ""))
    if not seconds:
        return respond(accepted)
    with api().waiting_room.place() as may_wait:
        if not may_wait:
            return respond(accepted)
        response = respond(wait_for(find, seconds) or accepted)
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
