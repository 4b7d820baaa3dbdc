"""The frame around every page: skip link, brand, navigation, who is signed in, and what to say when nothing answers."""

from collections.abc import Sequence

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from projections.dashboard.components.basic import Content, aria, empty, icon
from projections.dashboard.page import Page, in_browser
from projections.dashboard.places import ROOT, place
from projections.dashboard.viewer import Viewer, viewer

TICK = "tick"
"""What pages follow: assets/server.js counts it up every 800 ms, unless an answer is still awaited."""
SLOW = "slow"
"""The same for charts, every third time."""
SIGN_OUT = "/sign-out"

THEME = {
    "fontFamily": "var(--font)",
    "fontFamilyMonospace": "var(--mono)",
    "primaryColor": "indigo",
    "defaultRadius": 6,
    "cursorType": "pointer",
    "components": {"Select": {"defaultProps": {"size": "sm"}}},
}
AWAY = {
    "away": ("The dashboard's server does not answer.", "What you see is not live. It is tried again every second."),
    "database": (
        "The database of the read side does not answer.",
        "What you see is not live. It is tried again every second.",
    ),
    "failed": (
        "The dashboard made a mistake.",
        "Its log (./ordersaga logs projections-api) tells more. It is tried again every second.",
    ),
    "signed-out": ("You are not signed in any more.", "What you see is not live."),
}


def page_frame(title: str, *body: Component, tools: Content = None, intro: str = "") -> html.Div:
    """A page: its heading, its tools, and what it shows."""
    head: list[Component] = [html.H1(title)]
    if tools is not None:
        head.append(html.Div(tools, className="page-tools"))
    if intro:
        head.append(html.P(html.Span(intro)))
    return html.Div([html.Div(head, className="page-head"), *body], className="page")


def shell(pages: Sequence[Page]) -> Component:
    """Everything but the page itself."""
    frame = html.Div(
        [
            html.A("Skip to content", href="#main", className="skip"),
            top(viewer()),
            html.Nav(html.Ul([html.Li(nav_link(page)) for page in pages]), className="side", **aria(label="Pages")),
            html.Main([*away(), html.Div(id="page")], id="main", tabIndex=-1),
            dcc.Location(id="url", refresh="callback-nav"),
            dcc.Store(id=TICK, data=0),
            dcc.Store(id=SLOW, data=0),
        ],
        className="app",
    )
    provider: Component = dmc.MantineProvider(frame, theme=THEME, defaultColorScheme="auto")
    return provider


def top(person: Viewer) -> html.Header:
    return html.Header(
        [
            dcc.Link([icon("logo"), "OrderSaga"], href=ROOT, className="brand"),
            html.Span("Live", className="live live-on"),
            html.Span("Not live", className="live live-off"),
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


def nav_link(page: Page) -> dcc.Link:
    return dcc.Link([icon(page.icon), html.Span(page.name)], href=place(page.path))


def away() -> list[Component]:
    """One of these shows by itself when something is away; see assets/server.js."""
    notes: list[Component] = []
    for name, (what, then) in AWAY.items():
        text: list[Component | str] = [html.B(what), html.Span(then)]
        if name == "signed-out":
            text.append(html.A("Sign in again", href=ROOT))
        notes.append(html.Div(text, className=f"away away-{name}", role="status"))
    return notes


def callbacks(app: Dash, pages: Sequence[Page]) -> None:
    in_browser(
        app, "navigation", "arrived", Output("main", "className"), Input("url", "pathname"), Input("page", "children")
    )

    @app.callback(Output("page", "children"), Input("url", "pathname"))
    def open_page(pathname: str) -> Component:
        return find(pages, pathname.removeprefix(ROOT.rstrip("/")).strip("/"))


def find(pages: Sequence[Page], path: str) -> Component:
    """The layout of the page at this path."""
    first, _, rest = path.partition("/")
    for page in pages:
        if page.path == first:
            return page.layout(rest)
    return page_frame("There is no such page", empty("Nothing is here", "The list of pages leads on.", "search"))
