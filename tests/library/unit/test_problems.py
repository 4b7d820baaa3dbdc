"""Which errors of the database a caller may answer by sending the request again."""

from uuid import uuid4

import psycopg
import pytest
from flask import Flask, g
from psycopg_pool import PoolTimeout

from ordersaga.envelope.message import Cause
from ordersaga.http import problems


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (psycopg.OperationalError("connection refused"), "database-away"),
        (PoolTimeout("no connection within 2 s"), "database-away"),
        (psycopg.errors.LockNotAvailable(), "database-busy"),
        (psycopg.errors.QueryCanceled(), "database-busy"),
        (psycopg.errors.IdleInTransactionSessionTimeout(), "database-busy"),
        (psycopg.errors.OutOfMemory(), "database-busy"),
    ],
)
def test_what_the_database_had_no_time_for_is_answered_with_when_to_come_back(error: psycopg.Error, kind: str) -> None:
    app = Flask(__name__)
    problems.register(app)

    @app.before_request
    def begin() -> None:
        g.cause = Cause(uuid4(), None, "test")

    @app.get("/")
    def fail() -> str:
        raise error

    answer = app.test_client().get("/")
    assert (answer.status_code, answer.get_json()["type"]) == (503, f"urn:problem:{kind}")
    assert int(answer.headers["Retry-After"]) > 0
