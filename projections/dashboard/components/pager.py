"""Pages of a keyset list: what is shown, and the way to the rows before and behind."""

from typing import Any

from dash import dcc, html

from projections.dashboard.components.words import count

End = list[Any]
"""The last row of a page in values that the browser keeps."""


def pager(name: str, back: str, on: str) -> html.Div:
    """The buttons are `<name>-back` and `<name>-on`; the ends of the pages before are in `<name>-behind`.

    `<name>-shown` is for the fingerprint of the rows.
    """
    return html.Div(
        [
            html.Span(id=f"{name}-said", className="muted", role="status"),
            html.Span(className="top-space"),
            html.Button(back, id=f"{name}-back", className="plain-button"),
            html.Button(on, id=f"{name}-on", className="plain-button"),
            dcc.Store(id=f"{name}-behind", data=[]),
            dcc.Store(id=f"{name}-end"),
            dcc.Store(id=f"{name}-shown"),
        ],
        className="pager",
    )


def turned(by: object, name: str, behind: list[End], end: End | None) -> list[End]:
    """The ends of the pages before the page to show; whatever is not a button starts at the first page."""
    if by == f"{name}-on" and end:
        return [*behind, end]
    return behind[:-1] if by == f"{name}-back" else []


def said(what: str, rows: int, pages_before: int, page_rows: int, order: str) -> str:
    first = pages_before * page_rows
    return f"{what} {count(first + 1)} to {count(first + rows)}, {order}" if rows else f"No {what.lower()}"
