"""ExplorerStage: a stack whose processes have failpoints, with its products, and an endpoint that takes webhooks."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import requests
from rich.console import Console

from devstack.chaos.client import RecordedClient
from devstack.chaos.explorer.arming import Arming
from devstack.chaos.history import History
from devstack.chaos.stage import Stage, staged
from devstack.chaos.wiring import Wiring
from devstack.demo.customers import token
from devstack.ports import LOOPBACK
from devstack.processes import SERVICES
from devstack.state import State
from inventory_service.stock import stock_item_id
from ordersaga.cli.errors import Failed

SETTINGS = {
    "ORDER_DEADLINE_SECONDS": "60",
    "STRIPE_TIMEOUT_SECONDS": "2",
    "IDLE_IN_TRANSACTION_TIMEOUT_SECONDS": "2",
    "AUDIT_SEAL_SECONDS": "0.5",
    "WEBHOOK_ALLOW": LOOPBACK,
    "WEBHOOK_HTTP": "true",
    "ACCESS_LOG": "off",
}
"""A session that stalls in a transaction is ended by Postgres; the environment wins."""
ROOM = "select setval(pg_get_serial_sequence('outbox', 'position'), 1000000)"
"""Before the first row, for rows that are made old."""
TEA, CUP = "explorer-tea", "explorer-cup"
MOST_AT_ONCE = 5
REFUSED = tuple(f"explorer-refused-{number}" for number in range(MOST_AT_ONCE))
"""One for each of the entries that are under way together."""
PLENTY = 8_000
EXPLORER = "explorer"
"""The operator who acts outside the history."""
REFUSE = """
create table explorer_refused (item uuid primary key, until timestamptz not null);
grant select on explorer_refused to public;
create or replace function explorer_refuses() returns trigger language plpgsql as $$
begin
    if clock_timestamp() < (select until from explorer_refused where item = new.originator_id) then
        raise exception 'the shelf is locked';
    end if;
    return new;
end $$;
create or replace trigger explorer_refuses before insert on stored_events
    for each row when (new.topic like 'stock.%') execute function explorer_refuses()
"""
"""Reservations of a product are refused until a moment, so that their messages are parked."""
UNTIL = """
insert into explorer_refused values (%s, clock_timestamp() + make_interval(secs => %s))
on conflict (item) do update set until = excluded.until
"""


@dataclass(frozen=True)
class ExplorerStage:
    """What entries work with."""

    stage: Stage
    arming: Arming
    history: History

    def execute(self, database: str, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement as the owner of a database. Returns its rows."""
        url = self.stage.stack.environments.owner_urls()[database]
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def refuse(self, sku: str, seconds: float) -> None:
        """Reservations of this product fail for so long from now; 0: no longer."""
        self.execute("inventory_service", UNTIL, stock_item_id(sku), seconds)

    def post(self, process: str, path: str, body: Mapping[str, Any]) -> requests.Response:
        """As an operator who is not in the history."""
        headers = {"Authorization": f"Bearer {token(self.stage.scene.state, 'operator', EXPLORER)}"}
        url = f"{self.stage.scene.url(process)}{path}"
        return requests.post(url, json=body, headers=headers, timeout=15, proxies={"http": ""})


@contextmanager
def explorer_stage(directory: Path, console: Console, caller: Mapping[str, str]) -> Iterator[ExplorerStage]:
    """The stack, ready and with its products, for as long as the block lasts.

    Raises Failed when something does not start or refuses.
    """
    arming = Arming(directory / "failpoints")

    def prepare(_: State, wiring: Wiring) -> None:
        arming.wire(wiring)

    with (
        staged(directory, console, {**SETTINGS, **caller}, prepare=prepare, proxied=False, fresh=True) as stage,
        History(directory / "history.jsonl") as history,
        endpoint() as url,
    ):
        explorer = ExplorerStage(stage, arming, history)
        for database in SERVICES:
            explorer.execute(database, ROOM)
        stock(explorer)
        subscribe(explorer, url)
        yield explorer


def stock(explorer: ExplorerStage) -> None:
    client = RecordedClient.of(explorer.stage, explorer.history)
    for sku in (TEA, CUP, *REFUSED):
        for done in (client.price(sku, 890), client.receive(sku, PLENTY)):
            if done.outcome != "ok":
                raise Failed(f"The exploration cannot begin: {done.kind}: {done.error}")
    explorer.execute("inventory_service", REFUSE)


def subscribe(explorer: ExplorerStage, url: str) -> None:
    answer = explorer.post("projections-api", "/webhooks", {"url": url, "events": ["*"], "reason": "exploration"})
    if not answer.ok:
        raise Failed(f"The exploration cannot begin: {answer.status_code}: {answer.text}")


class TakesAll(BaseHTTPRequestHandler):
    """Answers every webhook with 204."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that was killed is what entries are about."""


@contextmanager
def endpoint() -> Iterator[str]:
    """The URL of an endpoint on loopback that takes every webhook."""
    server = QuietServer((LOOPBACK, 0), TakesAll)
    threading.Thread(target=server.serve_forever, name="webhooks endpoint", daemon=True).start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
