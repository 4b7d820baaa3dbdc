"""Causes and effects as a graph from top to bottom."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import dash_cytoscape as cyto  # type: ignore[import-untyped]
from dash import html

from ordersaga.readside.events import LoggedEvent
from projections.dashboard.components.basic import aria
from projections.dashboard.components.kinds import kind_of
from projections.queries.timeline import Edge

ACROSS, DOWN = 174, 68
"""Pixels between neighbouring messages."""


def graph(id_: str, height: int) -> html.Div:
    """An empty graph; assets/graph.js colours it, and the list beside it has the same content as text."""
    drawn = cyto.Cytoscape(
        id=id_,
        elements=[],
        stylesheet=[],
        layout={"name": "preset", "fit": True, "padding": 16},
        style={"width": "100%", "height": f"{height}px"},
        userZoomingEnabled=False,
        autoungrabify=True,
        autounselectify=True,
        responsive=True,
        maxZoom=1.2,
        wheelSensitivity=1,
    )
    return html.Div(drawn, role="img", **aria(label="Causes and effects; the list of messages has the same content"))


def elements(events: Sequence[LoggedEvent], edges: Iterable[Edge]) -> list[dict[str, Any]]:
    """Nodes with their positions, and the arrows between them."""
    ids = {event.message_id for event in events}
    pairs = [(each.cause, each.effect) for each in edges if each.cause in ids and each.effect in ids]
    positions = arrange([event.message_id for event in events], {effect: cause for cause, effect in pairs})
    nodes = [
        {
            "data": {"id": str(event.message_id), "label": kind_of(event.contract).text},
            "classes": kind_of(event.contract).tone,
            "position": {"x": positions[event.message_id][0] * ACROSS, "y": positions[event.message_id][1] * DOWN},
        }
        for event in events
    ]
    return nodes + [{"data": {"source": str(cause), "target": str(effect)}} for cause, effect in pairs]


def arrange(ids: Sequence[UUID], cause_of: dict[UUID, UUID]) -> dict[UUID, tuple[float, int]]:
    """(column, row) of each id: effects are below their cause, the first one straight below, others beside it."""
    positions: dict[UUID, tuple[float, int]] = {}
    widths: dict[int, int] = {}
    for id_ in ids:
        cause = positions.get(cause_of[id_]) if id_ in cause_of else None
        depth = cause[1] + 1 if cause else 0
        column = max(widths.get(depth, 0), int(cause[0]) if cause else 0)
        positions[id_] = (column, depth)
        widths[depth] = column + 1
    return positions
