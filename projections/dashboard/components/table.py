"""Short tables of typed rows; `order_grid.py` has the long one with pages."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from dash import html

from projections.dashboard.components.basic import Content, aria

Row = TypeVar("Row")


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A heading, and the content of a row below it."""

    heading: str
    show: Callable[[Row], Content]
    look: str = ""
    """CSS classes: `number` is right-aligned, `wide-only` is hidden on a telephone, `wraps` takes several lines there,
    `shrink` is shortened first."""


def table(caption: str, columns: list[Column[Row]], rows: Iterable[Row]) -> html.Div:
    """`caption` names the table for screen readers."""
    head = html.Tr([html.Th(each.heading, scope="col", className=each.look) for each in columns])
    body = [html.Tr([html.Td(each.show(row), className=each.look) for each in columns]) for row in rows]
    # A region that scrolls has to be reachable by keyboard.
    return html.Div(
        html.Table(
            [html.Caption(caption, className="hidden-text"), html.Thead(head), html.Tbody(body)], className="rows"
        ),
        className="scroll",
        tabIndex=0,
        role="region",
        **aria(label=caption),
    )
