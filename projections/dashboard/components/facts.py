"""The facts and the lines of one order."""

from dash import dcc, html
from dash.development.base_component import Component

from projections.dashboard import addresses
from projections.dashboard.components import orders, words
from projections.dashboard.components.basic import Content, empty, mark, pairs
from projections.dashboard.components.copying import copyable
from projections.dashboard.components.event import identifier
from projections.dashboard.components.table import Column, table
from projections.queries.sagas import Saga, SagaLine
from projections.queries.timeline import Timeline


def facts(timeline: Timeline, trace_url: str = "") -> Component:
    saga = timeline.saga
    rows: list[tuple[str, Content]] = [
        ("Order", identifier(saga.order_id, "order id")),
        ("Customer", customer(saga)),
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
    rows.append(("Correlation", correlation(saga)))
    if timeline.entries:
        rows.append(("Trace", trace(timeline.entries[0].trace_id, trace_url)))
    return pairs(*rows)


def customer(saga: Saga) -> Content:
    """A link to the customer's orders."""
    return dcc.Link(saga.customer, href=addresses.orders_of(saga.customer)) if saga.customer else words.NOTHING


def correlation(saga: Saga) -> Content:
    """A link to the trail of the request, with all that followed from it."""
    if saga.correlation_id is None:
        return words.NOTHING
    link = dcc.Link(str(saga.correlation_id), href=addresses.audit(correlation=saga.correlation_id))
    return copyable(saga.correlation_id, "correlation id", link)


def trace(trace_id: str, trace_url: str) -> Component:
    """A link where the setting TRACE_URL says where traces are shown."""
    link = html.A(trace_id, href=trace_url.replace("{trace_id}", trace_id), target="_blank", rel="noreferrer")
    return copyable(trace_id, "trace id", link if trace_url else None)


def lines(saga: Saga) -> Component:
    if not saga.lines:
        return empty("No lines yet")
    columns: list[Column[SagaLine]] = [
        Column("Product", lambda line: dcc.Link(line.sku, href=addresses.product(line.sku))),
        Column("Quantity", lambda line: words.count(line.quantity), "number"),
        Column("Price", lambda line: words.money(line.unit_price, saga.currency), "number"),
        Column("Sum", lambda line: words.money(line.quantity * line.unit_price, saga.currency), "number"),
    ]
    total = html.P(["Total ", html.B(orders.total(saga))], className="lines-total")
    return html.Div([table("Lines of this order", columns, saga.lines), total])
