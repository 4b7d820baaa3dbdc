"""The facts and the lines of one order."""

from dash import html
from dash.development.base_component import Component

from projections.dashboard.components import orders, words
from projections.dashboard.components.basic import Content, empty, mark, pairs
from projections.dashboard.components.event import identifier
from projections.dashboard.components.table import Column, table
from projections.queries.sagas import Saga, SagaLine
from projections.queries.timeline import Timeline


def facts(timeline: Timeline) -> Component:
    saga = timeline.saga
    rows: list[tuple[str, Content]] = [
        ("Order", identifier(saga.order_id)),
        ("Customer", saga.customer or words.NOTHING),
        ("Total", orders.total(saga)),
        ("Placed", words.moment(saga.placed_at)),
        ("Deadline", [words.moment(saga.complete_by), " ", mark("Overdue", "bad", "warning") if saga.overdue else ""]),
    ]
    if saga.waits_for:
        rows.append(("Waits for", [orders.WAITS[saga.waits_for], ", ", orders.waiting(saga, timeline.usual)]))
    elif saga.ended_at and saga.placed_at:
        rows.append(
            ("Ended", [words.moment(saga.ended_at), f", after {words.duration(saga.ended_at - saga.placed_at)}"])
        )
    rows.append(("Correlation", identifier(saga.correlation_id or words.NOTHING)))
    return pairs(*rows)


def lines(saga: Saga) -> Component:
    if not saga.lines:
        return empty("No lines yet")
    columns: list[Column[SagaLine]] = [
        Column("Product", lambda line: line.sku),
        Column("Quantity", lambda line: words.count(line.quantity), "number"),
        Column("Price", lambda line: words.money(line.unit_price, saga.currency), "number"),
        Column("Sum", lambda line: words.money(line.quantity * line.unit_price, saga.currency), "number"),
    ]
    total = html.P(["Total ", html.B(orders.total(saga))], className="lines-total")
    return html.Div([table("Lines of this order", columns, saga.lines), total])
