"""Who may see the dashboard, and what the browser may do with it."""

from collections.abc import Sequence

from flask import Flask, Response, request

from ordersaga.http import cookies
from ordersaga.http.sign_in import signed_in
from ordersaga.http.tokens import Caller
from projections.dashboard.places import ROOT
from projections.dashboard.viewer import Viewer, enter


def let_in(server: Flask) -> None:
    """Guard all paths below the dashboard's root on this server, and no others; before Dash is put on it."""

    @server.before_request
    def only_who_is_signed_in() -> Response | None:
        if not of_dashboard(request.path):
            return None
        found = signed_in()
        if not isinstance(found, Caller):
            return found
        enter(Viewer(found.subject, found.role, cookies.token(request)))
        return None


def keep_in(server: Flask, script_hashes: Sequence[str]) -> None:
    """What the browser may do with what it gets; after all of Dash's inline scripts are known."""
    policy = content_security_policy(script_hashes)

    @server.after_request
    def keep_to_this_machine(response: Response) -> Response:
        if of_dashboard(request.path):
            response.headers["Content-Security-Policy"] = policy
            response.headers["X-Content-Type-Options"] = "nosniff"
            response.headers["Referrer-Policy"] = "same-origin"
        return response


def of_dashboard(path: str) -> bool:
    return path.startswith(ROOT) or path == ROOT.rstrip("/")


def content_security_policy(script_hashes: Sequence[str]) -> str:
    """Nothing from elsewhere; style attributes are what the component libraries draw with."""
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
