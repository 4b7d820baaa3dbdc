"""The orders API under more orders than end in time: it refuses new ones until those under way have ended."""

from collections import deque
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests
from psycopg import Connection

from order_service import commands
from order_service.announcements import announcements
from order_service.api import SAGA
from order_service.commands import UnpricedLine
from order_service.order import Order
from ordersaga.envelope.message import Cause
from ordersaga.http.admission import MAX_EVENTS, NEWEST_EVENTS, OPEN_SAGAS
from ordersaga.store.transaction import Transaction, decide
from tests.conftest import AnyServers
from tests.support.api import Api, running, token
from tests.support.databases import Database, Databases
from tests.support.wait import until

ALICE = token(subject="alice")
LINES = [UnpricedLine("tea", 1)]


@pytest.fixture
def store(servers: AnyServers, database: Databases) -> Database:
    """With tea on the price list."""
    store = database("order_service")
    with store.connect() as connection:
        decide(connection, announcements, Cause(uuid4()), lambda t: commands.put_product(t, "tea", "Tea", 890, "EUR"))
    return store


@pytest.fixture
def session(store: Database) -> Iterator[Connection[Any]]:
    with store.connect() as connection:
        yield connection


def place(api: Api, key: str = "") -> requests.Response:
    body = {"lines": [{"sku": "tea", "quantity": 1}], "card": "pm_card_visa"}
    return api.call("POST", "/orders", ALICE, {"Idempotency-Key": key or str(uuid4())}, json=body)


def place_many(connection: Connection[Any], number: int) -> list[UUID]:
    ids = [uuid4() for _ in range(number)]

    def place_them(transaction: Transaction) -> None:
        for id_ in ids:
            commands.place_order(transaction, id_, "bob", LINES, "pm_card_visa", timedelta(minutes=15))

    decide(connection, announcements, Cause(uuid4()), place_them)
    return ids


def confirm(connection: Connection[Any], ids: list[UUID]) -> None:
    """As the worker does when the message comes that their payment is captured."""

    def confirm_them(transaction: Transaction) -> None:
        for id_ in ids:
            order = transaction.get(Order, id_)
            order.confirm("ch_1")
            commands.save_ended(transaction, order)

    decide(connection, announcements, Cause(uuid4(), causation_id=uuid4()), confirm_them)


def until_refused(request: Callable[[], requests.Response]) -> requests.Response:
    return until(lambda: [response for response in (request(),) if response.status_code != 202])[0]


def under_way(store: Database) -> list[UUID]:
    return [id_ for (id_,) in store.rows("select aggregate_id from deadlines")]


def test_while_more_orders_are_under_way_than_end_in_time_new_ones_alone_are_refused(
    store: Database, session: Connection[Any], tmp_path: Path
) -> None:
    with running(store, tmp_path, SAGA_LATENCY_LIMIT_SECONDS="1") as api:
        accepted = place(api, key="kept").json()
        waiting: deque[UUID] = deque()

        def place_one_more() -> requests.Response:
            """Of ten times as many customers as the worker has time for; it takes the orders in turn."""
            waiting.extend(place_many(session, 50))
            confirm(session, [waiting.popleft() for _ in range(5)])
            return place(api)

        refused = until_refused(place_one_more)
        before = api.count()
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:problem:overloaded")
        assert int(refused.headers["Retry-After"]) > 0
        assert api.count() == before, "nothing of it was stored"
        repeated = place(api, key="kept")
        assert (repeated.status_code, repeated.headers["Idempotency-Replayed"]) == (202, "true")
        assert api.call("GET", f"/orders/{accepted['order_id']}", ALICE).status_code == 200
        cancelled = api.call("POST", f"/orders/{accepted['order_id']}/cancellation", ALICE, json={"reason": "late"})
        assert cancelled.json()["state"] == "cancelled"
        confirm(session, under_way(store))
        until(lambda: place(api).status_code == 202)
        assert metric(api, "ordersaga_requests_shed_total", limit="latency") >= 1
        assert api.log.read_text().count("requests are refused") == 1


def metric(api: Api, name: str, **labels: str) -> float:
    wanted = ",".join(f'{label}="{value}"' for label, value in sorted({"service": "order_service", **labels}.items()))
    lines = api.call("GET", "/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name}{{{wanted}}}"))


def test_a_thousand_orders_that_wait_for_their_payment_keep_out_nobody_but_the_number_has_an_end(
    store: Database, session: Connection[Any], tmp_path: Path
) -> None:
    with running(store, tmp_path, OPEN_SAGAS_LIMIT="1100", SAGA_LATENCY_LIMIT_SECONDS="0.1") as api:
        place_many(session, 1085)
        assert until_refused(lambda: place(api)).json()["type"] == "urn:problem:overloaded"
        assert len(under_way(store)) >= 1100
        assert metric(api, "ordersaga_requests_shed_total", limit="open") == 1
        assert "OPEN_SAGAS_LIMIT" in api.log.read_text(), "the log names the setting that refuses"


@pytest.mark.parametrize("end", [confirm, lambda connection, ids: cancel(connection, ids[0])])
def test_only_an_order_under_way_has_a_deadline(
    store: Database, session: Connection[Any], end: Callable[[Connection[Any], list[UUID]], None]
) -> None:
    ended, other = place_many(session, 2)
    end(session, [ended])
    assert under_way(store) == [other]


def cancel(connection: Connection[Any], id_: UUID) -> None:
    decide(connection, announcements, Cause(uuid4()), lambda t: commands.cancel_order(t, id_, "changed my mind"))


def test_a_deadline_that_another_session_holds_makes_nobody_wait(store: Database, session: Connection[Any]) -> None:
    """The worker takes it at this moment, because it has passed."""
    [order] = place_many(session, 1)
    with store.connect() as worker, worker.transaction():
        worker.execute("select from deadlines for update")
        session.execute("set lock_timeout = '1 s'")
        confirm(session, [order])
    assert store.rows("select topic from stored_events where originator_id = %s and originator_version = 2", [order])


def test_a_look_at_the_sagas_reads_the_newest_events_by_their_position_however_many_there_are(
    store: Database, session: Connection[Any]
) -> None:
    """With statistics that know nothing of them too."""
    place_many(session, 1500)
    parameters = {"begins": "order.placed", "topics": list(SAGA.topics), "after": 1000, "most": MAX_EVENTS}
    session.execute("set plan_cache_mode = force_generic_plan")
    plan = "\n".join(line for (line,) in session.execute(f"explain (analyze, costs off) {NEWEST_EVENTS}", parameters))
    assert plan.count("stored_events_position") == 2, plan
    assert "Seq Scan" not in plan, plan
    assert session.execute(OPEN_SAGAS, (1200,)).fetchall()[0][1] == 1200
