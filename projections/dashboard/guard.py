"""Access to the dashboard, and the security headers of its responses."""

from collections.abc import Sequence

from flask import Flask, Response, request

from ordersaga.http import cookies
from ordersaga.http.sign_in import signed_in
from ordersaga.http.tokens import Caller
from projections.dashboard.addresses import ROOT
from projections.dashboard.viewer import Viewer, set_viewer


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
