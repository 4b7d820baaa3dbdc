"""The grid of orders, usable by keyboard."""

from typing import Any

import dash_ag_grid as dag  # type: ignore[import-untyped]
from dash import html

from ordersaga.readside.short_ids import short
from projections.dashboard.addresses import address
from projections.dashboard.components import orders, words
from projections.dashboard.components.basic import aria
from projections.queries.sagas import Saga, UsualWait, Waiting

COLUMNS = [
    {
        "field": "state",
        "headerName": "State",
        "cellRenderer": "Mark",
        "cellDataType": False,
        "minWidth": 232,
        "maxWidth": 240,
    },
    {"field": "id", "headerName": "Order", "cellRenderer": "OrderLink", "minWidth": 120, "flex": 1},
    {"field": "customer", "headerName": "Customer", "minWidth": 110, "flex": 1},
    {"field": "total", "headerName": "Amount", "type": "rightAligned", "minWidth": 100, "maxWidth": 130},
    {"field": "waits", "headerName": "Waits for, or reason", "minWidth": 190, "flex": 2},
    {
        "field": "duration",
        "headerName": "Duration",
        "type": "rightAligned",
        "minWidth": 110,
        "maxWidth": 150,
        "tooltipField": "usual",
    },
    {
        "field": "placed",
        "headerName": "Placed",
        "type": "rightAligned",
        "minWidth": 150,
        "maxWidth": 190,
        "tooltipField": "placed_utc",
    },
]
GRID = {
    "suppressCellFocus": False,
    "rowHeight": 36,
    "headerHeight": 34,
    "animateRows": False,
    "tooltipShowDelay": 300,
    "localeText": {"noRowsToShow": "No order matches. Clear a filter to see more.", "loadingOoo": "Loading orders"},
    "suppressMovableColumns": True,
}


def grid(id_: str) -> html.Section:
    """An empty grid; its rows are the property `rowData`."""
    made = dag.AgGrid(
        id=id_,
        columnDefs=COLUMNS,
        defaultColDef={"sortable": False, "resizable": True, "suppressHeaderMenuButton": True},
        getRowId="params.data.id",
        dashGridOptions=GRID,
        eventListeners={"cellKeyDown": ["open_row(params)"]},
        columnSize="responsiveSizeToFit",
        style={"height": "100%"},
    )
    return html.Section(made, className="rows-grid", **aria(label="Orders, newest first"))


def row(saga: Saga, usual: dict[Waiting, UsualWait]) -> dict[str, Any]:
    text, tone, icon_name = orders.shown_state(saga)
    usual_of = usual.get(saga.waits_for) if saga.waits_for else None
    return {
        "id": str(saga.order_id),
        "short": short(saga.order_id),
        "href": address(f"orders/{saga.order_id}"),
        "state": {"text": text, "tone": tone, "icon": icon_name},
        "customer": saga.customer,
        "total": orders.total(saga),
        "waits": orders.WAITS[saga.waits_for] if saga.waits_for else orders.reason(saga),
        "duration": duration(saga),
        "usual": f"usually {orders.usual_time(usual_of)}" if usual_of else "",
        "placed": words.clock(saga.placed_at) if saga.placed_at else words.NOTHING,
        "placed_utc": words.utc(saga.placed_at) if saga.placed_at else "",
    }


def duration(saga: Saga) -> str:
    """From placed to ended; for an unfinished order the time that it has waited for the current step."""
    if saga.waited_seconds is not None:
        return f"{words.duration(saga.waited_seconds)} so far"
    if saga.ended_at and saga.placed_at:
        return words.duration(saga.ended_at - saga.placed_at)
    return words.NOTHING
