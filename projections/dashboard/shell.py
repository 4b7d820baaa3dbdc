"""The frame around every page: skip link, brand, navigation, signed-in viewer, and notices of outages."""

from collections.abc import Sequence

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from projections.dashboard import alarm_line
from projections.dashboard.addresses import ROOT, address
from projections.dashboard.components.basic import Content, aria, empty, icon
from projections.dashboard.components.found import search_box
from projections.dashboard.page import Page, in_browser
from projections.dashboard.query import set_query
from projections.dashboard.reading import Reader
from projections.dashboard.viewer import Viewer, viewer

TICK = "tick"
"""Pages refresh on it: assets/server.js increments it every 800 ms unless a response is outstanding."""
SLOW = "slow"
"""Charts refresh on it: every third tick."""
SIGN_OUT = "/sign-out"

THEME = {
    "fontFamily": "var(--font)",
    "fontFamilyMonospace": "var(--mono)",
    "primaryColor": "indigo",
    "defaultRadius": 6,
    "cursorType": "pointer",
    "components": {"Select": {"defaultProps": {"size": "sm"}}},
}
OUTAGES = {
    "away": ("The dashboard's server does not answer.", "What you see is not live. The page retries every second."),
    "database": (
        "The database of the read side does not answer.",
        "What you see is not live. The page retries every second.",
    ),
    "failed": (
        "The dashboard reported an error.",
        "Its log has the details (./ordersaga logs projections-api). The page retries every second.",
    ),
    "signed-out": ("You are signed out.", "What you see is not live."),
}


def page_frame(title: str, *body: Component, tools: Content = None, intro: str = "") -> html.Div:
    """A page: its heading, its tools and its body."""
    head: list[Component] = [html.H1(title)]
    if tools is not None:
        head.append(html.Div(tools, className="page-tools"))
    if intro:
        head.append(html.P(html.Span(intro)))
    return html.Div([html.Div(head, className="page-head"), *body], className="page")


def frame(pages: Sequence[Page]) -> Component:
    """Everything around the page."""
    app = html.Div(
        [
            html.A("Skip to content", href="#main", className="skip"),
            top(viewer()),
            navigation(pages),
            html.Main([alarm_line.place(), *outage_notices(), html.Div(id="page")], id="main", tabIndex=-1),
            dcc.Location(id="url", refresh="callback-nav"),
            dcc.Store(id=TICK, data=0),
            dcc.Store(id=SLOW, data=0),
        ],
        className="app",
    )
    provider: Component = dmc.MantineProvider(app, theme=THEME, defaultColorScheme="auto")
    return provider


def top(person: Viewer) -> html.Header:
    return html.Header(
        [
            dcc.Link([icon("logo"), "OrderSaga"], href=ROOT, className="brand"),
            html.Span("Live", className="live live-on"),
            html.Span("Not live", className="live live-off"),
            search_box(),
            html.Span(className="top-space"),
            html.Span([html.B(person.subject), f", {person.role}"], className="top-who"),
            dmc.ColorSchemeToggle(
                lightIcon=icon("sun"),
                darkIcon=icon("moon"),
                variant="subtle",
                color="gray",
                size="lg",
                **aria(label="Switch between light and dark"),
            ),
            html.Form(html.Button("Sign out", className="plain-button"), action=SIGN_OUT, method="post"),
        ],
        className="top",
    )


def navigation(pages: Sequence[Page]) -> html.Nav:
    links = [html.Li(nav_link(page)) for page in pages if page.in_navigation]
    return html.Nav(html.Ul(links), className="side", **aria(label="Pages"))


def nav_link(page: Page) -> dcc.Link:
    name = html.Span(page.name, className="nav-name")
    return dcc.Link([icon(page.icon), name, alarm_line.badge_place(page)], href=address(page.path))


def outage_notices() -> list[Component]:
    """assets/server.js shows one of them while something does not answer."""
    notes: list[Component] = []
    for name, (what, advice) in OUTAGES.items():
        text: list[Component | str] = [html.B(what), html.Span(advice)]
        if name == "signed-out":
            text.append(html.A("Sign in again", href=ROOT))
        notes.append(html.Div(text, className=f"away away-{name}", role="status"))
    return notes


def callbacks(app: Dash, reader: Reader, pages: Sequence[Page]) -> None:
    alarm_line.callbacks(app, reader, [page for page in pages if page.in_navigation], SLOW)
    in_browser(
        app, "navigation", "arrived", Output("main", "className"), Input("url", "pathname"), Input("page", "children")
    )

    @app.callback(Output("page", "children"), Input("url", "pathname"), Input("url", "search"))
    def open_page(pathname: str, query: str | None) -> Component:
        set_query(query)
        return layout_of(pages, pathname.removeprefix(ROOT.rstrip("/")).strip("/"))


def layout_of(pages: Sequence[Page], path: str) -> Component:
    """The layout of the page at this path."""
    first, _, rest = path.partition("/")
    for page in pages:
        if page.path == first:
            return page.layout(rest)
    return page_frame(
        "Page not found", empty("Nothing is at this address", "Choose a page from the navigation.", "search")
    )
