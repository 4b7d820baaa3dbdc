"""Puts the dashboard on a Flask app."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from dash import Dash
from flask import Flask, Response

from projections.dashboard import guard, shell
from projections.dashboard.pages import infrastructure, live_events, orders, overview, parked
from projections.dashboard.places import ROOT
from projections.dashboard.reading import Reader
from projections.dashboard.viewer import Viewer

PAGES = (overview.PAGE, live_events.PAGE, orders.PAGE, parked.PAGE, infrastructure.PAGE)
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


def mount(server: Flask, reader: Reader, signed_in: Callable[[], Viewer | Response], sign_out: str) -> Dash:
    """Serve the dashboard below its root.

    Args:
        signed_in: who sends the present request, or the answer to who may not.
        sign_out: where the form behind the button "Sign out" posts to.
    """
    guard.let_in(server, signed_in)
    app = Dash(
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
    app.layout = partial(shell.shell, PAGES, sign_out)
    shell.callbacks(app, PAGES)
    for page in PAGES:
        page.callbacks(app, reader)
    guard.keep_in(server, app.csp_hashes())
    return app
