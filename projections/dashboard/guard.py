"""Who may see the dashboard, from where it may be called, and what the browser may load for it."""

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from flask import Flask, Response, redirect, request
from werkzeug.wrappers import Response as Redirect

from projections.dashboard.places import ROOT
from projections.dashboard.viewer import Viewer, enter

SAME_ORIGIN = ("same-origin", "none")


def let_in(server: Flask, signed_in: Callable[[], Viewer | None], sign_in: str) -> None:
    """Guard all paths below the dashboard's root on this server, and no others; before Dash is put on it."""

    @server.before_request
    def only_signed_in_and_from_here() -> Response | Redirect | None:
        if not of_dashboard(request.path):
            return None
        if request.method not in ("GET", "HEAD") and not from_here():
            return Response("Requests that act come from the dashboard's own pages.\n", 403, mimetype="text/plain")
        viewer = signed_in()
        if viewer:
            enter(viewer)
            return None
        if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
            return redirect(sign_in)
        return Response("You are not signed in any more.\n", 401, mimetype="text/plain")


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


def from_here() -> bool:
    """Whether a page of this origin sent the request: a cookie alone would be sent by any page's request."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in SAME_ORIGIN
    origin = request.headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc == request.host


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
