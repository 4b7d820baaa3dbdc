"""What an API does when something that it needs is missing."""

import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event
from uuid import uuid4

import psycopg
import pytest
import requests
from psycopg.sql import SQL, Identifier

from tests.support.api import Api, is_alive, running, token
from tests.support.databases import Database, Databases
from tests.support.wait import until

ALICE = token()


@pytest.fixture
def api(database: Databases, tmp_path: Path) -> Iterator[Api]:
    with running(database(), tmp_path) as api:
        yield api


def open_counter(api: Api) -> requests.Response:
    return api.call("POST", "/counters", ALICE, {"Idempotency-Key": str(uuid4())}, json={"number": 1})


def end_connections(database: Database, may_come_back: bool) -> None:
    """What a restart of the server does to its clients, or that it stays away."""
    with psycopg.connect(database.server.superuser_url(), autocommit=True) as owner:
        allow = SQL("alter database {} allow_connections {}")
        owner.execute(allow.format(Identifier(database.name), SQL("true" if may_come_back else "false")))
        query = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s"
        owner.execute(query, [database.name]).fetchall()


def test_the_first_request_after_a_restart_of_the_database_succeeds(api: Api) -> None:
    assert open_counter(api).status_code == 202
    end_connections(api.database, may_come_back=True)
    assert open_counter(api).status_code == 202


def test_while_the_database_is_away_requests_are_put_off_and_afterwards_served(api: Api) -> None:
    end_connections(api.database, may_come_back=False)
    refused = open_counter(api)
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:problem:database-away")
    assert int(refused.headers["Retry-After"]) > 0
    ready = api.call("GET", "/readyz")
    assert ready.status_code == 503
    assert "counting does not answer" in ready.json()["problems"][0]
    assert api.call("GET", "/healthz").status_code == 200
    end_connections(api.database, may_come_back=True)
    until(lambda: api.call("GET", "/readyz").status_code == 200, seconds=10)
    assert open_counter(api).status_code == 202


def test_a_request_that_waits_for_a_lock_is_put_off_and_says_when_to_come_back(
    database: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCK_TIMEOUT_SECONDS", "0.2")
    with running(database(), tmp_path) as api:
        with psycopg.connect(api.database.owner_url) as person:
            person.execute("lock table idempotency_keys in exclusive mode")
            refused = open_counter(api)
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:problem:database-busy")
        assert int(refused.headers["Retry-After"]) > 0
        assert open_counter(api).status_code == 202


def test_readiness_names_what_an_unmigrated_database_lacks(database: Databases, tmp_path: Path) -> None:
    whole = database()
    with psycopg.connect(whole.owner_url, autocommit=True) as owner:
        owner.execute("drop table idempotency_keys")
        owner.execute("alter table outbox drop column tracestate")
    with running(whole, tmp_path, is_alive) as api:
        answer = api.call("GET", "/readyz")
    assert answer.status_code == 503
    keys, outbox = answer.json()["problems"]
    assert "lacks idempotency_keys (" in keys
    assert "lacks outbox (tracestate). Run ordersaga migrate." in outbox


@pytest.mark.parametrize("asked", [signal.SIGQUIT, signal.SIGINT])
def test_one_asked_to_end_at_once_while_connections_pour_in_ends(
    database: Databases, tmp_path: Path, asked: signal.Signals
) -> None:
    """Each new connection may start a thread, and a signal may come at any point of that: three times of three."""
    whole, over = database(), Event()

    def pour(address: tuple[str, int]) -> None:
        while not over.is_set():
            with suppress(OSError):
                socket.create_connection(address, 1).close()

    for _ in range(3):
        over.clear()
        with running(whole, tmp_path) as api, ThreadPoolExecutor(3) as callers:
            try:
                host, port = api.url.removeprefix("http://").split(":")
                for _ in range(3):
                    callers.submit(pour, (host, int(port)))
                api.call("GET", "/healthz")
                api.process.send_signal(asked)
                assert api.process.wait(10) == 0
            finally:
                over.set()
