"""Settled: waits until an entry has nothing under way, and judges the orders that it placed."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from typing import Any
from uuid import UUID

import psycopg
from eventsourcing.domain import BaseAggregate

from devstack.chaos.checker import money, terminal
from devstack.chaos.checker.evidence import NO_LEDGER, Evidence
from devstack.chaos.checker.settle import AWAY, not_drained, not_parked, not_ready
from devstack.chaos.explorer.stage import ExplorerStage
from devstack.chaos.verdict import Offence
from devstack.demo.books import Books
from inventory_service.reservation import Reservation
from order_service.order import Order
from ordersaga.store import aggregates
from payment_service.payment import Payment

POLL_SECONDS = 0.2
DEADLINES = "select name, aggregate_id, due_at from deadlines where aggregate_id = any(%(orders)s)"
UNDELIVERED = "select id, subscription_id, state from webhook_deliveries where state <> 'delivered'"


def settle_orders(explorer: ExplorerStage, orders: Sequence[str], seconds: float) -> list[str]:
    """Wait until everything is ready, drained and unparked and these orders have ended, for at most so long.

    Returns what is not, each as a sentence.
    """
    end = time.monotonic() + seconds
    while (missing := unsettled(explorer, orders)) and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
    return missing


def unsettled(explorer: ExplorerStage, orders: Sequence[str]) -> list[str]:
    """What is not settled: the answers to every question, those about processes first."""
    try:
        with Evidence(explorer.stage.scene.application, (), NO_LEDGER) as evidence:
            found = chain(
                not_ready(explorer.stage),
                not_parked(evidence),
                undelivered(evidence),
                not_ended(evidence, orders),
                not_drained(evidence),
            )
            return list(found)
    except AWAY as error:
        return [f"A server does not answer: {error}"]


def undelivered(evidence: Evidence) -> Iterator[str]:
    for row in evidence.rows("projections", UNDELIVERED):
        yield f"Webhook delivery {row.id} is {row.state}."


def not_ended(evidence: Evidence, orders: Sequence[str]) -> Iterator[str]:
    for offence in judge_terminal(evidence, orders, books_of(evidence, orders)):
        yield f"{offence.subject}: {offence.detail}."


def judge(explorer: ExplorerStage, orders: Sequence[str]) -> list[Offence]:
    """What is wrong with these orders once all is settled: their money, their stock, their ends."""
    with Evidence.of(explorer.stage, ()) as evidence:
        books = books_of(evidence, orders)
        found = [*judge_terminal(evidence, orders, books), *money.judge(books).offences]
    missing = set(orders) - {str(order.id) for order in books.orders}
    return [*(Offence(f"order {order}", "is acknowledged and not recorded") for order in sorted(missing)), *found]


def judge_terminal(evidence: Evidence, orders: Sequence[str], books: Books) -> Sequence[Offence]:
    deadlines = evidence.rows("order_service", DEADLINES, orders=[UUID(order) for order in orders])
    return terminal.judge(books, deadlines).offences


def books_of(evidence: Evidence, orders: Sequence[str]) -> Books:
    """The books of these orders alone: reading all of them takes longer with each entry."""
    ids, books = [UUID(order) for order in orders], Books()
    with ExitStack() as opened:

        def load(database: str) -> dict[UUID, BaseAggregate[UUID]]:
            connection: psycopg.Connection[Any] = opened.enter_context(psycopg.connect(evidence.urls[database]))
            return {id_: history.aggregate for id_, history in aggregates.load(connection, ids).items()}

        books.orders = [each for each in load("order_service").values() if isinstance(each, Order)]
        books.payments = {id_: each for id_, each in load("payment_service").items() if isinstance(each, Payment)}
        reservations = load("inventory_service").items()
        books.reservations = {id_: each for id_, each in reservations if isinstance(each, Reservation)}
    for charge in evidence.ledger["charges"]:
        if charge["status"] == "succeeded" and charge["order_id"] in orders:
            books.charges[charge["order_id"]].append(charge)
    return books
