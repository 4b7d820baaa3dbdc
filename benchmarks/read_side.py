"""`python -m benchmarks.read_side`: what dashboard and audit ask, with a million events in the log and with few."""

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from typing import Any
from uuid import UUID

from psycopg import Connection
from rich.console import Console
from rich.table import Table

import tests.shop.support.schemas  # noqa: F401 - makes the shop's databases known
from benchmarks.place import Place
from benchmarks.rows import Row, compare
from devstack.servers.private import private_servers
from ordersaga.readside import events
from ordersaga.readside.events import EventFilter
from ordersaga.readside.why import why
from projections.audit.trail import Trail, TrailFilter
from projections.queries import figures, payments, sagas, search, stock, timeline
from projections.queries.sagas import SagaFilter
from projections.queries.timeline import Timeline
from tests.shop.support.read_side import filled
from tests.support.databases import Database, Databases

FEW = 4_000
"""Orders, of some five events each, beside those that make a million."""
ROUNDS = 5
PLACED = "orders.order_placed.v1"
CANCELLED = "orders.order_cancelled.v1"

Question = Callable[[Connection[Any]], object]


def id_of(number: int, step: int) -> UUID:
    """As the filled read side numbers orders (step 0) and their messages."""
    return UUID(f"{number:08x}-0000-7000-8000-{step:012x}")


def timeline_of(connection: Connection[Any], order_id: UUID) -> Timeline:
    saga = sagas.fetch_one(connection, order_id)
    assert saga, "the database was filled with it"
    return timeline.of_saga(connection, saga)


def on_the_dashboard(orders: int) -> dict[str, Question]:
    """Every query that its pages make, with each filter."""
    some = orders // 2
    placed = datetime.now(UTC) - timedelta(seconds=some)
    asked: dict[str, Question] = {
        "figures": figures.figures,
        "unfinished orders": sagas.unfinished,
        "usual times": sagas.usual_waits,
        "orders, newest": sagas.page,
        "orders, deep in": lambda c: sagas.page(c, behind=sagas.SagaCursor(placed, id_of(some, 0))),
        "an order's timeline": lambda c: timeline_of(c, id_of(some, 0)),
        "events, newest": events.page,
        "events, behind a position": lambda c: events.after(c, events.head(c) - 100),
        "stock": stock.page,
        "payments": payments.page,
    }
    of_orders = {
        "state": SagaFilter(state="cancelled"),
        "waiting": SagaFilter(waits_for="payment"),
        "overdue": SagaFilter(overdue=True),
        "customer": SagaFilter(customer="customer-7"),
        "nobody": SagaFilter(customer="nobody"),
        "since": SagaFilter(since=placed, until=placed + timedelta(minutes=1)),
    }
    of_events = {
        "contract": EventFilter(contract=CANCELLED),
        "key": EventFilter(key=str(id_of(some, 0))),
        "source": EventFilter(source="payment_service"),
        "actor": EventFilter(actor="customer-7"),
        "actor and contract": EventFilter(actor="customer-7", contract=CANCELLED),
        "correlation": EventFilter(correlation_id=id_of(some, 99)),
        "since": EventFilter(since=placed, until=placed + timedelta(minutes=1)),
    }
    sought = {"order": str(id_of(some, 0)), "part of an id": str(id_of(some, 0))[:8], "customer": "customer-7"}
    asked |= {f"orders by {name}": partial(sagas.page, wanted=wanted) for name, wanted in of_orders.items()}
    asked |= {f"events by {name}": partial(events.page, wanted=wanted) for name, wanted in of_events.items()}
    return asked | {f"search: {name}": partial(search.search, text=text) for name, text in sought.items()}


def trail_page(connection: Connection[Any], wanted: TrailFilter) -> object:
    return Trail({"projections": connection}).page(wanted)


def of_the_audit(orders: int) -> dict[str, Question]:
    """A page of the trail by each filter, and why something happened."""
    some = orders // 2
    since = datetime.now(UTC) - timedelta(seconds=some)
    filters = {
        "all": TrailFilter(),
        "order": TrailFilter(order=str(id_of(some, 0))),
        "actor": TrailFilter(actor="customer-7"),
        "correlation": TrailFilter(correlation=id_of(some, 99)),
        "type": TrailFilter(type=PLACED),
        "since": TrailFilter(since=since, until=since + timedelta(minutes=1)),
        "actor and type": TrailFilter(actor="customer-7", type=CANCELLED),
    }
    asked: dict[str, Question] = {
        f"trail by {name}": partial(trail_page, wanted=wanted) for name, wanted in filters.items()
    }
    return asked | {"why": lambda c: why(c, id_of(some, 4))}


def milliseconds(connection: Connection[Any], question: Question) -> float:
    """Median of some rounds, after one that fills the caches."""
    question(connection)
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        question(connection)
        taken.append(1000 * (time.perf_counter() - began))
    return median(taken)


def answers(database: Database, questions: Mapping[str, Question]) -> dict[str, float]:
    with database.connect() as connection:
        return {name: milliseconds(connection, question) for name, question in questions.items()}


def both(databases: Databases, orders: int) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Milliseconds by part and question, with many events and with few."""
    found = []
    for number in (orders, FEW):
        database = filled(databases("projections"), number)
        parts = {"dashboard": on_the_dashboard(number), "audit": of_the_audit(number)}
        found.append({part: answers(database, questions) for part, questions in parts.items()})
    many, few = found
    return many, few


def measure(place: Place) -> list[Row]:
    """The slowest of each part; the reference is the same question with few events."""
    if place.size.read_side_orders is None:
        return []
    with place.fresh_databases() as fresh:
        many, few = both(fresh, place.size.read_side_orders)
    rows = []
    for part, taken in many.items():
        slowest = max(taken, key=lambda name: taken[name])
        rows.append(compare(f"{part}_slowest_query_ms_at_1m", "ms", [taken[slowest]], [few[part][slowest]]))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.read_side", description=__doc__)
    parser.add_argument("--orders", type=int, default=200_000, help="some five events each")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="read-side-") as directory, private_servers(directory) as servers:
        many, few = both(Databases(servers.postgres), options.orders)
    table = Table("question", "ms", f"ms with {FEW:,} orders")
    for part, taken in many.items():
        for name, value in taken.items():
            table.add_row(name, f"{value:.2f}", f"{few[part][name]:.2f}")
    Console().print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
