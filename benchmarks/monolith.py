"""What whole sagas are measured against: the same shop as one Flask handler, one transaction, one database."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg
import requests
from flask import Flask, request
from psycopg.sql import SQL, Identifier
from psycopg_pool import ConnectionPool

from benchmarks.customers import DECLINED_CARD, SKUS
from devstack import ports
from devstack.ports import LOOPBACK
from devstack.state import ROOT
from ordersaga.http.app import THREADS
from tests.support.wait import until

VARIABLE = "MONOLITH_DATABASE_URL"
SCHEMA = """
create table stock (sku text primary key, unit_price int not null, on_hand int not null check (on_hand >= 0));
create table orders (id uuid primary key, key text unique, sku text, quantity int, total int, card text, state text);
create table payments (order_id uuid primary key, charge_id text not null, amount int not null);
"""
STOCK = "insert into stock select 'product-' || number, 990, 1000000 from generate_series(0, %s) as number"
TAKE = "update stock set on_hand = on_hand - %s where sku = %s returning unit_price"
PAY = "insert into payments values (%s, %s, %s)"
KEEP = "insert into orders values (%s, %s, %s, %s, %s, %s, %s)"


def create_app() -> Flask:
    """No token, no contract, no event, no message, nothing that could be undone later."""
    app = Flask("monolith")
    pool = ConnectionPool(os.environ[VARIABLE], min_size=THREADS, max_size=THREADS, open=True)

    @app.post("/orders")
    def place_order() -> dict[str, Any]:
        wanted, id_ = request.get_json(), uuid4()
        (line,), card, key = wanted["lines"], wanted["card"], request.headers["Idempotency-Key"]
        state = "cancelled" if card == DECLINED_CARD else "confirmed"
        with pool.connection() as connection:
            found = connection.execute(TAKE, (line["quantity"], line["sku"])).fetchone()
            assert found is not None
            total = found[0] * line["quantity"]
            if state == "confirmed":
                connection.execute(PAY, (id_, f"ch_{id_.hex}", total))
            else:
                connection.execute(TAKE, (-line["quantity"], line["sku"]))
            connection.execute(KEEP, (id_, key, line["sku"], line["quantity"], total, card, state))
        return {"order_id": id_, "state": state}

    return app


class Monolith(NamedTuple):
    pid: int
    port: int


@contextmanager
def monolith(superuser_url: str, database_url: str, name: str) -> Iterator[Monolith]:
    """A server like those of the APIs, with a database of its own."""
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(SQL("create database {}").format(Identifier(name)))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(SCHEMA)
        connection.execute(STOCK, (SKUS - 1,))
    port = ports.choose(set())
    options = ["--bind", f"{LOOPBACK}:{port}", "--worker-class", "gthread", "--threads", str(THREADS)]
    options += ["--keep-alive", "15", "--no-control-socket", "--log-level", "error", "benchmarks.monolith:create_app()"]
    environment = os.environ | {VARIABLE: database_url}
    process = subprocess.Popen([sys.executable, "-m", "gunicorn", *options], cwd=ROOT, env=environment)
    try:
        until(lambda: answers(port))
        yield Monolith(process.pid, port)
    finally:
        process.terminate()
        process.wait()


def answers(port: int) -> bool:
    try:
        return requests.get(f"http://{LOOPBACK}:{port}/", timeout=5).status_code == 404
    except (requests.ConnectionError, requests.Timeout):
        return False
