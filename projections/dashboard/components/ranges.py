"""The range picker: how far back charts show; the page's address holds the choice."""

from urllib.parse import parse_qs

from dash import dcc, html
from dash.development.base_component import Component

from projections.dashboard.addresses import address
from projections.dashboard.components.basic import aria
from projections.queries.history import SPANS

LIVE = ""
NAMES = {LIVE: "Live", "1h": "1 h", "6h": "6 h", "24h": "24 h", "7d": "7 d", "30d": "30 d"}


def chosen(search: str | None, default: str = LIVE) -> str:
    """The range in the query of an address such as `?range=24h`; the default where it names none."""
    found = parse_qs((search or "").removeprefix("?")).get("range", [default])[0]
    return known(found, default)


def known(name: str, default: str = LIVE) -> str:
    return name if name in SPANS else default


def picker(path: str, choice: str, default: str = LIVE) -> Component:
    """A link for each range; without LIVE where the default is another."""
    links = [link(path, name, choice, default) for name in NAMES if name != LIVE or default == LIVE]
    return html.Nav(links, className="ranges", **aria(label="Range of the charts"))


def link(path: str, name: str, choice: str, default: str) -> dcc.Link:
    query = "" if name == default else f"?range={name}"
    text: list[Component | str] = [NAMES[name]]
    if name == choice:
        text.append(html.Span(" (shown)", className="hidden-text"))
    return dcc.Link(text, href=address(path) + query, className="range range-on" if name == choice else "range")
