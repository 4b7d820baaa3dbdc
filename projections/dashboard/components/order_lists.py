"""Short tables of orders: the newest, and the unfinished ones that wait longest."""

from dash.development.base_component import Component

from projections.dashboard.components import orders, words
from projections.dashboard.components.basic import empty
from projections.dashboard.components.table import Column, table
from projections.queries.sagas import Saga, UsualWait, Waiting


def recent(rows: list[Saga]) -> Component:
    if not rows:
        return empty("No orders yet", "Start some with ./ordersaga up --traffic 5, or place one over HTTP.")
    columns: list[Column[Saga]] = [
        Column("Order", orders.order_link),
        Column("State", orders.state_mark),
        Column("Reason", orders.reason, "muted wide-only"),
        Column("Amount", orders.total, "number"),
        Column("Placed", lambda saga: words.moment(saga.placed_at), "number"),
    ]
    return table("Recent orders", columns, rows)


def waiting(rows: list[Saga], usual: dict[Waiting, UsualWait]) -> Component:
    if not rows:
        return empty("No order is unfinished", "Every order has ended.", "check")

    def usual_of(saga: Saga) -> UsualWait | None:
        return usual.get(saga.waits_for) if saga.waits_for else None

    columns: list[Column[Saga]] = [
        Column("Order", orders.order_link),
        Column("Waits for", lambda saga: words.plainly(orders.WAITS[saga.waits_for]) if saga.waits_for else ""),
        Column("Waits", lambda saga: orders.waiting_time(saga, usual_of(saga)), "number"),
        Column("Usually", lambda saga: orders.usual_time(usual_of(saga)), "number"),
    ]
    return table("Unfinished orders", columns, rows)
