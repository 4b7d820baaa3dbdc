"""What a page is."""

from collections.abc import Callable
from dataclasses import dataclass

from dash import ClientsideFunction, Dash
from dash.dependencies import DashDependency
from dash.development.base_component import Component

from projections.dashboard.reading import Reader


@dataclass(frozen=True)
class Page:
    """A place in the dashboard; `path` is relative to where it is mounted, and a page is shown for all below it."""

    path: str
    name: str
    icon: str
    layout: Callable[[str], Component]
    """What is there before data come, with ids for what the callbacks fill; gets the rest of the path."""
    callbacks: Callable[[Dash, Reader], None]
    """Registers this page's callbacks: each reads once and hands typed rows to a function without side effects."""


def in_browser(app: Dash, subject: str, function: str, *dependencies: DashDependency) -> None:
    """A callback that runs in the browser: `window.dash_clientside.<subject>.<function>` of assets/<subject>.js."""
    app.clientside_callback(ClientsideFunction(subject, function), *dependencies)  # type: ignore[no-untyped-call]
