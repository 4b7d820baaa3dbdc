"""Fold a stretch of the event log into every view; live, in a rebuild and for a moment in the past it is the same."""

from collections.abc import Iterable
from typing import Any

from psycopg import Connection

from contracts import CONTRACTS
from projections.views import minutes, payments, sagas, stock, totals

VIEWS = {
    "saga_view": sagas.FOLD,
    "stock_view": stock.FOLD,
    "payment_view": payments.FOLD,
    "minute_view": minutes.FOLD,
    "total_view": totals.FOLD,
}
"""By table. Each statement adds the messages of a stretch that was never folded before, in any order of stretches."""

OF_ORDERS = [name for name, contract in CONTRACTS.items() if contract.KEY == "order_id"]
OF_PAYMENTS = [name for name in OF_ORDERS if name.startswith("payments.")]


def fold(connection: Connection[Any], first: int, last: int, views: Iterable[str] = VIEWS) -> None:
    """Add the messages from position `first` to `last` to views, found by the session's search_path."""
    stretch = {"first": first, "last": last, "of_orders": OF_ORDERS, "of_payments": OF_PAYMENTS}
    for view in views:
        connection.execute(VIEWS[view], stretch)
