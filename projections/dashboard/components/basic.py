"""The smallest parts: icons, cards, tiles, marks, notices, and the states without data."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from dash import html
from dash.development.base_component import Component

Content: TypeAlias = Component | str | Sequence[Component | str] | None
Tone = Literal["good", "warn", "bad", "info", "idle"]


def aria(**attributes: str) -> dict[str, Any]:
    """`aria(label="x")` -> {"aria-label": "x"}."""
    return {f"aria-{name}": value for name, value in attributes.items()}


def data(**attributes: str) -> dict[str, Any]:
    """`data(copy="x")` -> {"data-copy": "x"}, which scripts of assets/ read."""
    return {f"data-{name}": value for name, value in attributes.items()}


def press(store: str, value: str) -> dict[str, Any]:
    """Attributes of a button that writes this value into the store; see assets/press.js."""
    return {"data-press": store, "data-value": value}


def icon(name: str) -> html.Span:
    """A decorative icon beside a text."""
    return html.Span(className=f"icon icon-{name}", **aria(hidden="true"))


def mark(text: str, tone: Tone, icon_name: str) -> html.Span:
    """A status: tone, icon and word, so that it does not depend on colour."""
    return html.Span([icon(icon_name), text], className=f"mark tone-{tone}")


def card(
    title: str, body: Content, *, note: str = "", aside: Content = None, wide: int = 12, flush: bool = False
) -> html.Section:
    """A titled box, `wide` twelfths of the page; `flush` lets a table reach its edges."""
    head: list[Component] = [html.H2(title)]
    if note:
        head.append(html.P(note))
    if aside is not None:
        head.append(html.Div(aside, className="card-aside"))
    return html.Section(
        [html.Div(head, className="card-head"), html.Div(body, className=f"card-body{' flush' if flush else ''}")],
        className=f"card w{wide}",
    )


def tile(name: str, value: str, unit: str = "", note: Content = "", look: str = "") -> html.Div:
    """One figure with its unit; the look `tile-bad` marks one that says that something is wrong."""
    figure: list[Component | str] = [value]
    if unit:
        figure.append(html.Span(unit, className="unit"))
    parts = [html.Dt(name), html.Dd(figure), html.Dd(note, className="tile-note")]
    return html.Div(parts, className=f"tile {look}".strip())


def tiles(*each: html.Div) -> html.Dl:
    return html.Dl(each, className="tiles")


def notice(text: str, tone: Tone, icon_name: str) -> html.Div:
    return html.Div([icon(icon_name), html.Span(text)], className=f"notice tone-{tone}", role="status")


def empty(title: str, text: str = "", icon_name: str = "empty") -> html.Div:
    """The state of a region that has no data and no fault."""
    return html.Div([icon(icon_name), html.B(title), html.P(text)], className="state")


def failed(title: str, text: str) -> html.Div:
    """The state of a region that failed; the text says what to do."""
    return html.Div([icon("warning"), html.B(title), html.P(text)], className="state state-error", role="alert")


def skeleton(height: int) -> html.Div:
    """The placeholder of a region that is loading; `height` in pixels."""
    return html.Div(className="skeleton", style={"height": height}, **aria(hidden="true"))


def pairs(*each: tuple[str, Content]) -> html.Dl:
    """Names and their values, one below the other."""
    return html.Dl([part for name, value in each for part in (html.Dt(name), html.Dd(value))], className="pairs")


def button(
    text: str, attributes: dict[str, Any], icon_name: str, *, allowed: bool = True, why_not: str = "", look: str = ""
) -> html.Button:
    """A button; while it is disabled, its title says why."""
    return html.Button(
        [icon(icon_name), text],
        className=f"plain-button with-icon {look}".strip(),
        disabled=not allowed,
        title="" if allowed else why_not,
        **attributes,
    )
