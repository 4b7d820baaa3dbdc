"""Mounts the dashboard on a Flask app."""

from functools import partial
from pathlib import Path

from dash import Dash
from flask import Flask, redirect

from ordersaga.http.app import Api
from projections.audit.sources import Sources
from projections.dashboard import guard, shell
from projections.dashboard.addresses import ROOT
from projections.dashboard.pages import (
    alarms,
    audit,
    infrastructure,
    live_events,
    orders,
    overview,
    parked,
    payments,
    search,
    stock,
    webhooks,
)
from projections.dashboard.reading import Reader
from projections.dashboard.services import Services
from projections.monitor.expected import of_the_shop
from projections.monitor.limits import limits_of
from projections.monitor.monitor import Monitor
from projections.monitor.targets import read_services, read_targets
from projections.monitor.watch import Watch
from projections.settings import ProjectionsSettings

PAGES = (
    overview.PAGE,
    alarms.PAGE,
    live_events.PAGE,
    orders.PAGE,
    payments.PAGE,
    stock.PAGE,
    parked.PAGE,
    audit.PAGE,
    webhooks.PAGE,
    infrastructure.PAGE,
    search.PAGE,
)
ASSETS = Path(__file__).with_name("assets")
INDEX = f"""<!doctype html>
<html lang="en">
<head>
    {{%metas%}}
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>{{%title%}}</title>
    <link rel="icon" href="{ROOT}assets/favicon.svg" type="image/svg+xml">
    <script src="{ROOT}assets/scheme.js"></script>
    {{%css%}}
</head>
<body>
    {{%app_entry%}}
    <footer>{{%config%}}{{%scripts%}}{{%renderer%}}</footer>
</body>
</html>"""


def mount(app: Api, audited: Sources) -> None:
    """Serve the dashboard below `ROOT` to signed-in viewers, and redirect the front page to it."""
    settings = app.settings_as(ProjectionsSettings)
    monitor = Monitor(read_targets(settings.monitored), settings.broker_metrics_url).start()
    watch = Watch(monitor, audited, of_the_shop(), limits_of(settings)).start()
    guard.require_sign_in(app)
    dash = make(app, Reader(audited, monitor, watch, Services(read_services(settings.services)), settings.trace_url))
    guard.refuse_malformed_callbacks(app)
    guard.restrict_browser(app, dash.csp_hashes())
    app.view_functions["/"] = lambda: redirect(ROOT)


def make(server: Flask, reader: Reader) -> Dash:
    """Build Dash with every page."""
    dash = Dash(
        "ordersaga",
        server=server,  # type: ignore[arg-type]
        url_base_pathname=ROOT,
        assets_folder=str(ASSETS),
        assets_ignore=r"scheme\.js|favicon\.svg",
        index_string=INDEX,
        title="OrderSaga",
        update_title="",
        serve_locally=True,
        suppress_callback_exceptions=True,
        add_log_handler=False,
        enable_mcp=False,
    )
    dash.layout = partial(shell.frame, PAGES)
    shell.callbacks(dash, reader, PAGES)
    for page in PAGES:
        page.callbacks(dash, reader)
    return dash
