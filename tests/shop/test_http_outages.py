"""What the HTTP services do when something they need is missing, and what a placed order costs when nothing is."""

import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event
from uuid import uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from order_service.api import create_app
from tests.support.api import ROOT, Api, environment, gunicorn, is_alive, running, token
from tests.support.databases import Database, Databases
from tests.support.wait import until

CUSTOMER, OPERATOR = token(), token("operator", "olga")
TERMS = {"name": "Tea", "unit_price": 890, "currency": "EUR"}
ORDER = {"lines": [{"sku": "tea", "quantity": 1}], "card": "pm_card_visa"}
CONTACT = {
    "name": "Ada Byron",
    "email": "ada@example.com",
    "address": {"lines": ["12 Dorset St"], "postal_code": "W1U 6QS", "city": "London", "country": "GB"},
}


@pytest.fixture
def api(database: Databases, tmp_path: Path) -> Iterator[Api]:
    with running(database("order_service"), tmp_path) as api:
        yield api


def end_connections(database: Database, may_come_back: bool) -> None:
    """What a restart of the server does to its clients, or that it stays away."""
    with psycopg.connect(database.server.superuser_url(), autocommit=True) as owner:
        allow = SQL("alter database {} allow_connections {}")
        owner.execute(allow.format(Identifier(database.name), SQL("true" if may_come_back else "false")))
        query = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s"
        owner.execute(query, [database.name]).fetchall()


def test_the_first_request_after_a_restart_of_the_database_succeeds(api: Api) -> None:
    assert api.call("PUT", "/products/tea", OPERATOR, json=TERMS).status_code == 201
    end_connections(api.database, may_come_back=True)
    assert api.call("PUT", "/products/tea", OPERATOR, json={**TERMS, "unit_price": 1}).status_code == 200


def test_while_the_database_is_away_requests_are_put_off_and_afterwards_served(api: Api) -> None:
    end_connections(api.database, may_come_back=False)
    refused = api.call("PUT", "/products/tea", OPERATOR, json=TERMS)
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:problem:database-away")
    assert int(refused.headers["Retry-After"]) > 0
    ready = api.call("GET", "/readyz")
    assert ready.status_code == 503
    assert "order_service does not answer" in ready.json()["problems"][0]
    assert api.call("GET", "/healthz").status_code == 200
    end_connections(api.database, may_come_back=True)
    until(lambda: api.call("GET", "/readyz").status_code == 200, seconds=10)
    assert api.call("PUT", "/products/tea", OPERATOR, json=TERMS).status_code == 201


def test_readiness_names_what_an_unmigrated_database_lacks(database: Databases, tmp_path: Path) -> None:
    whole = database("order_service")
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
    whole, over = database("order_service"), Event()

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


@pytest.mark.parametrize(
    ("variable", "text"),
    [("ORDER_SERVICE_DATABASE_URL", ""), ("TOKEN_PUBLIC_KEY", ""), ("ORDER_DEADLINE_SECONDS", "0")],
)
def test_a_missing_or_impossible_variable_is_named_and_ends_the_process(
    database: Databases, variable: str, text: str
) -> None:
    variables = environment(database("order_service"), 0) | {variable: text}
    done = subprocess.run(
        gunicorn("order_service"), env=variables, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode != 0
    assert re.search(f"^order_service api: .*{variable}", done.stderr, re.MULTILINE)


@pytest.mark.parametrize("contact", [None, CONTACT], ids=["without contact", "with contact"])
def test_a_placed_order_costs_five_statements_and_its_contact_one_more(
    database: Databases, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, contact: object
) -> None:
    """Begin, the key and its lock, the customer's key, the products, one write, commit."""
    for name, text in environment(database("order_service"), 0).items():
        monkeypatch.setenv(name, text)
    app = create_app()
    app.database.pool.wait()
    client = app.test_client()
    assert client.put("/products/tea", headers=bearer(OPERATOR), json=TERMS).status_code == 201
    headers = {**bearer(CUSTOMER), "Idempotency-Key": str(uuid4())}
    with (tmp_path / "wire").open("w+") as wire:
        with app.database.pool.connection() as first, app.database.pool.connection() as second:
            for connection in (first, second):
                connection.pgconn.trace(wire.fileno())
        placed = client.post("/orders", headers=headers, json={**ORDER, "contact": contact})
        app.database.pool.close()
    assert placed.status_code == 202
    statements = re.findall(r"\tF\t\d+\t(Query|Execute)\t", (tmp_path / "wire").read_text())
    assert statements == ["Query", *["Execute"] * (4 if contact else 3), "Query"]


def bearer(caller: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {caller}"}
