"""Access to the dashboard, and the security headers of its responses."""

from collections.abc import Sequence
from functools import wraps
from typing import Any

import psycopg
from dash.exceptions import DashException
from flask import Flask, Response, request

from ordersaga.http import cookies
from ordersaga.http.problems import Problem
from ordersaga.http.sign_in import signed_in
from ordersaga.http.tokens import Caller
from ordersaga.runtime.errors import place_of
from ordersaga.runtime.logs import log
from projections.dashboard.addresses import ROOT
from projections.dashboard.viewer import Viewer, set_viewer

CALLBACKS = f"{ROOT}_dash-update-component"
MALFORMED = (KeyError, IndexError, TypeError, ValueError, AttributeError, DashException, psycopg.DataError)
MAX_LOGGED = 300


def require_sign_in(server: Flask) -> None:
    """Require a sign-in for all paths below `ROOT`, and for no others. Call it before Dash is mounted."""

    @server.before_request
    def require_signed_in_viewer() -> Response | None:
        if not is_of_dashboard(request.path):
            return None
        found = signed_in()
        if not isinstance(found, Caller):
            return found
        set_viewer(Viewer(found.subject, found.role, cookies.token(request)))
        return None


def restrict_browser(server: Flask, script_hashes: Sequence[str]) -> None:
    """Add security headers to the dashboard's responses. Call it after Dash has all of its inline scripts."""
    policy = content_security_policy(script_hashes)

    @server.after_request
    def add_security_headers(response: Response) -> Response:
        if is_of_dashboard(request.path):
            response.headers["Content-Security-Policy"] = policy
            response.headers["X-Content-Type-Options"] = "nosniff"
            response.headers["Referrer-Policy"] = "same-origin"
        return response


def refuse_malformed_callbacks(server: Flask) -> None:
    """Answer 400, with one line in the log, to a callback that no page sends. Call it after Dash is mounted.

    The pages send what their callbacks expect, so an error of these kinds says that somebody else has sent the request;
    the line names its place in case the fault is ours.
    """
    view = server.view_functions[CALLBACKS]

    @wraps(view)
    def answer(*args: Any, **named: Any) -> Any:
        try:
            return view(*args, **named)
        except MALFORMED as error:
            log.error("malformed callback refused", error=repr(error)[:MAX_LOGGED], place=place_of(error))
            raise Problem(400, "malformed-callback", "No page of the dashboard sends such a request.") from None

    server.view_functions[CALLBACKS] = answer


def is_of_dashboard(path: str) -> bool:
    return path.startswith(ROOT) or path == ROOT.rstrip("/")


def content_security_policy(script_hashes: Sequence[str]) -> str:
    """Allows no other host; the component libraries need style attributes."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {' '.join(script_hashes)}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )
