"""The cookie of a signed-in browser: scripts cannot read it, and other sites cannot use it."""

from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlsplit

from flask import Request, Response

from ordersaga.http.problems import Problem
from ordersaga.http.tokens import Caller

SAFE = ("GET", "HEAD", "OPTIONS")


def name(request: Request) -> str:
    """The name of the cookie; it contains the port, because browsers store cookies by host alone."""
    return "session_" + "".join(filter(str.isdigit, request.host.rpartition(":")[2]))


def token(request: Request) -> str:
    """The token of the cookie, empty without one. Raises Problem for a write that another site may have caused."""
    found = request.cookies.get(name(request), "")
    if found and request.method not in SAFE and origin(request) != "here":
        raise cross_site()
    return found


def origin(request: Request) -> Literal["here", "elsewhere", "unknown"]:
    """The origin of the page that sent the request; clients other than browsers may send none."""
    site, sender = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is None and sender is None:
        return "unknown"
    if site is not None:
        return "here" if site == "same-origin" else "elsewhere"
    return "here" if sender and urlsplit(sender).netloc == request.host else "elsewhere"


def cross_site() -> Problem:
    return Problem(403, "cross-site", "A signed-in browser may send this only from a page of this address.")


def save(request: Request, response: Response, token: str, caller: Caller) -> None:
    """Set the cookie, until the token expires."""
    seconds = int((caller.expires - datetime.now(UTC)).total_seconds())
    response.set_cookie(
        name(request), token, max(seconds, 0), path="/", secure=request.is_secure, httponly=True, samesite="Strict"
    )


def delete(request: Request, response: Response) -> None:
    response.delete_cookie(name(request), path="/", secure=request.is_secure, httponly=True, samesite="Strict")
