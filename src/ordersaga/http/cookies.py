"""The cookie in which a browser keeps its token: no script reads it, and no other site makes use of it."""

from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlsplit

from flask import Request, Response

from ordersaga.http.problems import Problem
from ordersaga.http.tokens import Caller

SAFE = ("GET", "HEAD", "OPTIONS")


def name(request: Request) -> str:
    """Browsers keep cookies by host: without the port in it, two stacks of one machine would take each other's."""
    return "session_" + "".join(filter(str.isdigit, request.host.rpartition(":")[2]))


def token(request: Request) -> str:
    """The token of the cookie, empty without one. Raises Problem for a change that another site may have caused."""
    found = request.cookies.get(name(request), "")
    if found and request.method not in SAFE and origin(request) != "here":
        raise cross_site()
    return found


def origin(request: Request) -> Literal["here", "elsewhere", "unknown"]:
    """Where the page is from that sent this; browsers tell, others need not."""
    site, sender = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is None and sender is None:
        return "unknown"
    if site is not None:
        return "here" if site == "same-origin" else "elsewhere"
    return "here" if sender and urlsplit(sender).netloc == request.host else "elsewhere"


def cross_site() -> Problem:
    return Problem(403, "cross-site", "A signed-in browser may send this from a page of this address alone.")


def keep(request: Request, response: Response, token: str, caller: Caller) -> None:
    """For as long as the token lasts."""
    seconds = int((caller.expires - datetime.now(UTC)).total_seconds())
    response.set_cookie(
        name(request), token, max(seconds, 0), path="/", secure=request.is_secure, httponly=True, samesite="Strict"
    )


def forget(request: Request, response: Response) -> None:
    response.delete_cookie(name(request), path="/", secure=request.is_secure, httponly=True, samesite="Strict")
