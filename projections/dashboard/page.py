"""A page of the dashboard, and callbacks that run in the browser."""

from collections.abc import Callable
from dataclasses import dataclass

from dash import ClientsideFunction, Dash
from dash.dependencies import DashDependency
from dash.development.base_component import Component

from projections.dashboard.reading import Reader


@dataclass(frozen=True)
class Page:
    """One page; `path` is relative to `ROOT`, and the page answers for every address below it."""

    path: str
    name: str
    icon: str
    layout: Callable[[str], Component]
    """Takes the rest of the path; returns the components without data, with the ids that the callbacks fill."""
    callbacks: Callable[[Dash, Reader], None]
    """Registers this page's callbacks: each reads once and hands typed rows to a function without side effects."""
    in_navigation: bool = True


def in_browser(app: Dash, subject: str, function: str, *dependencies: DashDependency) -> None:
    """Register a browser callback: `window.dash_clientside.<subject>.<function>` of assets/<subject>.js."""
    app.clientside_callback(ClientsideFunction(subject, function), *dependencies)  # type: ignore[no-untyped-call]
