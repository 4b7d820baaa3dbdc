"""Sign-in for browsers: a page that saves a token as a cookie, and the check of the pages that need it."""

from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Response, g, make_response, redirect, render_template_string, request

from ordersaga.http import cookies
from ordersaga.http.app import Api, api, authenticate
from ordersaga.http.problems import Problem
from ordersaga.http.tokens import STAFF, Caller, ExpiredToken, InvalidToken

SYSTEM = "sign-in-system"
PAGES = Path(__file__).parent / "pages"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    # With `no-referrer` the browser sends `Origin: null` with the form.
    "Referrer-Policy": "same-origin",
}


def mount(app: Api, system: str = "") -> None:
    """Let browsers sign in to this app; `system` is the name that the page shows beside its mark."""
    app.browsers_sign_in = True
    app.extensions[SYSTEM] = system
    app.add_url_rule("/sign-in", "sign-in", lambda: page())
    app.add_url_rule("/sign-in", "signing-in", sign_in, methods=["POST"])
    app.add_url_rule("/sign-out", "sign-out", sign_out, methods=["POST"])
    app.add_url_rule("/sign-in.js", "sign-in.js", lambda: asset("sign_in.js", "text/javascript"))
    app.add_url_rule("/sign-in.css", "sign-in.css", lambda: asset("sign_in.css", "text/css"))


def page(problem: str = "", status: int = 200, **more: Any) -> Response:
    text = (PAGES / "sign_in.html").read_text()
    known = {"problem": problem, "following": request.values.get("next", ""), "system_name": api().extensions[SYSTEM]}
    return make_response(render_template_string(text, **known, **more), status, HEADERS)


def asset(name: str, media_type: str) -> Response:
    return Response((PAGES / name).read_text(), mimetype=media_type)


def sign_in() -> Response:
    """Verify the token of the form and save it as a cookie.

    A page of another site must not sign anybody in. Its link may lead here with a token after the #, so a user who is
    signed in confirms the change to another user.
    """
    if cookies.origin(request) == "elsewhere":
        raise cookies.cross_site()
    token = request.form.get("token", "").strip()
    try:
        caller = api().tokens.verify(token)
    except ExpiredToken:
        return page("This token has expired. Get a new one, as described below, and sign in with it.", 401)
    except InvalidToken as error:
        return page(f"This is not a token of this system ({error}). Copy the whole token, or get a new one.", 401)
    if caller.role not in STAFF:
        return page(f"This is for operators and auditors; the token is for a {caller.role}. Get one for them.", 403)
    following = local_address(request.form.get("next", ""))
    now = current_caller()
    if now and (now.subject, now.role) != (caller.subject, caller.role) and request.form.get("instead") != now.subject:
        return page(status=409, token=token, now=now, then=caller, stay=following)
    response = make_response(redirect(following, 303))
    cookies.save(request, response, token, caller)
    return response


def current_caller() -> Caller | None:
    """The caller of the browser's cookie, while its token is valid."""
    try:
        return api().tokens.verify(request.cookies.get(cookies.name(request), ""))
    except InvalidToken:
        return None


def local_address(address: str) -> str:
    """The address if it is on this host, else the front page."""
    inside = address.startswith("/") and not address.startswith("//")
    return address if inside and address.isprintable() and "\\" not in address else "/"


def sign_out() -> Response:
    if cookies.origin(request) == "elsewhere":
        raise cookies.cross_site()
    response = make_response(redirect("/sign-in", 303))
    cookies.delete(request, response)
    return response


def signed_in(roles: Collection[str] = STAFF) -> Caller | Response:
    """The caller at the browser, or a redirect to the sign-in page when nobody with one of these roles is signed in.

    Call it before every page and every request of a page's script; return a result that is not a Caller.

    Raises:
        Problem: 401 or 403 when the request does not open a page, and for a write that another site caused.
    """
    try:
        caller = g.caller = authenticate()
        if caller.role not in roles:
            raise Problem(403, "forbidden", f"This is for {' and '.join(sorted(roles))}, not for {caller.role}.")
    except Problem as problem:
        if request.method != "GET" or problem.kind == "cross-site":
            raise
        following = request.full_path.removesuffix("?")
        return make_response(redirect(f"/sign-in?{urlencode({'next': following})}", 303))
    return caller
