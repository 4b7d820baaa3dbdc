"""Sessions in Postgres: the server ends those of frozen processes; databases that cannot be used are refused."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from ordersaga.runtime import pooling
from ordersaga.runtime.bounded_connection import AnswerOverdue, BoundedConnection
from ordersaga.runtime.errors import ErrorKind, Unavailable, UnusableDatabase, classify
from ordersaga.runtime.links import DatabaseLink, lend
from ordersaga.runtime.sessions import API, MIGRATION, OPERATOR, REBUILD, REPORT, WORKER, connect, open_pool
from tests.conftest import AnyServers
from tests.support.api import keys
from tests.support.broker import TestBroker
from tests.support.databases import Database, Databases
from tests.support.pgbouncer import needs_pgbouncer, pooled
from tests.support.wait import until
from tests.support.wire import counted
from tests.support.workers import ROOT

FIRST, SECOND = 1, 2
LOCK = "select pg_advisory_xact_lock(%s)"
TWO_LOCKS = """
import sys
from dataclasses import replace
from ordersaga.runtime.sessions import WORKER, connect
connection = connect(sys.argv[1], "frozen", replace(WORKER, idle_in_transaction=2))
with connection.transaction():
    connection.execute("select pg_advisory_xact_lock(1)")
    print("has the first lock", flush=True)
    connection.execute("select pg_advisory_xact_lock(2)")
    print("has both locks", flush=True)
    sys.stdin.read()
"""
WAITS = "select count(*) from pg_stat_activity where application_name = 'frozen' and wait_event_type = 'Lock'"


@pytest.fixture(scope="module")
def database(databases: Databases) -> Database:
    return databases()


@contextmanager
def program(text: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", text, *arguments], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_process_frozen_while_it_waits_for_its_second_lock_loses_both_within_seconds(database: Database) -> None:
    with database.connect() as holder, program(TWO_LOCKS, database.url) as frozen:
        assert frozen.stdout
        with holder.transaction():
            holder.execute(LOCK, (SECOND,))
            assert frozen.stdout.readline() == "has the first lock\n"
            until(lambda: database.rows(WAITS) == [(1,)])
            os.kill(frozen.pid, signal.SIGSTOP)
        with connect(database.url, "other", WORKER) as other, other.transaction():
            other.execute(LOCK, (FIRST,))
            other.execute(LOCK, (SECOND,))


def test_every_session_of_a_pool_has_the_limits_of_its_kind_and_what_the_url_says_wins(database: Database) -> None:
    url, limits = f"{database.url}?keepalives_idle=7", replace(API, lock=1.5)
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
    with open_pool(url, "pooled", limits, 1, min_size=1) as pool, pool.connection() as connection:
        shown = [connection.execute(f"show {name}".encode()).fetchone() for name in names]
        assert connection.info.get_parameters()["keepalives_idle"] == "7"
    assert shown == [("1500ms",), ("10s",), ("5s",)]


def hasty(connection: Connection[Any]) -> Connection[Any]:
    """The same session, which waits a moment only."""
    assert isinstance(connection, BoundedConnection)
    assert connection.longest_wait == WORKER.statement + WORKER.unreachable
    connection.longest_wait = 0.15
    return connection


def test_a_session_whose_answers_are_lost_is_given_up_and_opened_again(database: Database) -> None:
    with counted(database.url) as (url, traffic):
        link = DatabaseLink("database", url)
        connection = hasty(link.connection())
        traffic.is_silent = True
        with (
            pytest.raises(AnswerOverdue, match=r"no answer from Postgres for 0\.15 s") as lost,
            connection.transaction(),
        ):
            connection.execute("select 1")
        assert classify(lost.value) is ErrorKind.UNAVAILABLE
        traffic.is_silent = False
        assert link.connection().execute("select 2").fetchone() == (2,)
        link.close()


def test_a_pool_gives_up_a_session_whose_answers_are_lost(database: Database) -> None:
    with counted(database.url) as (url, traffic), open_pool(url, "pooled", WORKER, 1, min_size=1) as pool:
        with lend(pool) as connection:
            traffic.is_silent = True
            with pytest.raises(AnswerOverdue):
                hasty(connection).execute("select 1")
        traffic.is_silent = False
        with lend(pool) as connection:
            assert connection.execute("select 2").fetchone() == (2,)


def test_a_stream_that_goes_on_is_not_given_up_and_readers_of_whole_tables_have_no_bound(database: Database) -> None:
    """Each piece of a COPY and each batch of a cursor is an answer of its own."""
    rows = "select repeat('x', 9000), pg_sleep(0.06) from generate_series(1, 5)"
    with connect(database.url, "stream", WORKER) as connection, connection.transaction():
        hasty(connection)
        with connection.cursor() as cursor, cursor.copy(f"copy ({rows}) to stdout".encode()) as copy:
            assert len(list(copy.rows())) == 5
        with connection.cursor("stream") as cursor:
            cursor.itersize = 1
            assert len(list(cursor.execute(rows.encode()))) == 5
    assert [each.answer for each in (OPERATOR, REPORT, REBUILD, MIGRATION)] == [0, 0, 0, 0]


@pytest.fixture
def latin(servers: AnyServers, database: Database) -> Iterator[str]:
    """The URL of a database whose encoding is not UTF-8."""
    name = Identifier(f"{database.name}_latin1")
    with psycopg.connect(servers.postgres.superuser_url(), autocommit=True) as owner:
        owner.execute(SQL("create database {} encoding 'LATIN1' locale 'C' template template0").format(name))
        try:
            yield servers.postgres.superuser_url(f"{database.name}_latin1")
        finally:
            owner.execute(SQL("drop database {} with (force)").format(name))


PROCESSES = {
    "worker": ["-m", "tests.support.counting"],
    "API": [
        "-m",
        "gunicorn",
        "--config",
        "python:ordersaga.http.gunicorn_conf",
        "tests.support.counting_api:create_app()",
    ],
    "relay": ["-m", "ordersaga.relay.daemon"],
    "sealer": ["-m", "ordersaga.audit"],
    "command": ["-m", "ordersaga.cli", "--app", "tests.support.counting", "parked", "list"],
}


@pytest.mark.parametrize("process", PROCESSES)
def test_every_process_refuses_a_database_that_cannot_hold_every_text(
    latin: str, servers: AnyServers, broker: TestBroker, tmp_path: Path, process: str
) -> None:
    broker.declare()
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    variables = {"COUNTING_DATABASE_URL": latin, "AMQP_URL": servers.amqp_url("relay"), "HTTP_PORT": "0"}
    variables |= {"AUDIT_CHECKPOINTS": str(tmp_path), "AUDIT_SIGNING_KEY": key, "TOKEN_PUBLIC_KEY": keys()[1]}
    command = [sys.executable, *PROCESSES[process]]
    ended = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60, check=False
    )
    said = ended.stdout + ended.stderr
    assert (ended.returncode, "Traceback" in said) == (4 if process == "API" else 2, False), said
    assert said.count("has the encoding LATIN1, which cannot hold every text. Create it with") == 1, said


def test_a_worker_says_in_one_line_why_it_cannot_use_its_database(database: Database) -> None:
    link = DatabaseLink("database", database.relay_url)
    with pytest.raises(Unavailable) as refused:
        link.connection()
    link.down(refused.value)
    granted = "The URL must be of the role of this service; `ordersaga migrate` grants it its rights"
    assert link.problem == f"database is away: permission denied for table inbox. {granted}"
    with pytest.raises(Unavailable, match=r"relation \"inbox\" does not exist\. Run `ordersaga migrate`$"):
        DatabaseLink("database", database.server.superuser_url()).connection()


@needs_pgbouncer
@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_a_pooler_that_shares_sessions_is_refused_in_one_sentence(
    database: Database, tmp_path: Path, mode: str
) -> None:
    with pooled(database.url, mode, tmp_path) as url, pytest.raises(UnusableDatabase) as refused:
        connect(url, "test", WORKER)
    assert "Pool it by session (PgBouncer: pool_mode = session)" in str(refused.value)


@needs_pgbouncer
def test_a_pooler_that_gives_every_session_a_server_of_its_own_is_used(database: Database, tmp_path: Path) -> None:
    with pooled(database.url, "session", tmp_path) as url, connect(url, "test", WORKER) as connection:
        assert connection.execute("show lock_timeout").fetchone() == ("10s",)


@pytest.mark.parametrize(
    ("backends", "shared"),
    [([1, 2, 1], False), ([1, 1], True), ([1, 2, 3], True)],
    ids=["each has its own", "both have one", "one has had two"],
)
def test_a_shared_session_is_told_by_the_server_processes_that_answer(
    database: Database, monkeypatch: pytest.MonkeyPatch, backends: list[int], shared: bool
) -> None:
    answers = iter(backends)
    monkeypatch.setattr(pooling, "backend_of", lambda _: next(answers))
    with database.connect() as one, database.connect() as other:
        assert pooling.is_shared(one, other) is shared
