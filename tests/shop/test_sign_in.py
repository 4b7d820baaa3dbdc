"""How a browser signs in to the read side, and who does not get in."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import sync_playwright

from ordersaga.http.tokens import issue
from projections.dashboard.viewer import known_zone
from tests.conftest import AnyServers
from tests.support.api import LIFETIME, Api, keys, serving, token

OPERATOR, AUDITOR, CUSTOMER = token("operator", "olga"), token("auditor", "aud"), token()
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def api(servers: AnyServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with serving(servers, "projections", tmp_path_factory.mktemp("api")) as api:
        yield api


def sign_in(api: Api, token: str, following: str = "", **headers: str) -> requests.Response:
    return api.call("POST", "/sign-in", headers=headers, data={"token": token, "next": following})


def cookie_of(answer: requests.Response) -> dict[str, str]:
    return {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


def test_a_token_becomes_a_cookie_that_no_script_reads_and_no_other_site_sends(api: Api) -> None:
    answer = sign_in(api, OPERATOR, "/orders?page=2", **SAME_ORIGIN)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/orders?page=2")
    _, *attributes = answer.headers["Set-Cookie"].split("; ")
    named = dict(attribute.partition("=")[::2] for attribute in attributes)
    assert {"HttpOnly", "Path", "SameSite", "Max-Age"} <= named.keys()
    assert (named["SameSite"], named["Path"]) == ("Strict", "/")
    assert 0 < int(named["Max-Age"]) <= LIFETIME.total_seconds()
    assert api.call("GET", "/api/events", headers=cookie_of(answer)).status_code == 200


def test_over_https_the_cookie_is_kept_from_plain_http(api: Api) -> None:
    assert "Secure" in sign_in(api, OPERATOR, **{"X-Forwarded-Proto": "https"}).headers["Set-Cookie"]
    assert "Secure" not in sign_in(api, OPERATOR).headers["Set-Cookie"]


def test_the_cookie_of_another_port_is_not_ours(api: Api) -> None:
    name, _, value = cookie_of(sign_in(api, AUDITOR))["Cookie"].partition("=")
    assert name == f"session_{urlsplit(api.url).port}"
    assert api.call("GET", "/api/events", headers={"Cookie": f"session_1={value}"}).status_code == 401


@pytest.mark.parametrize(
    "token", ["", "nonsense", CUSTOMER, OPERATOR[:-3] + "abc"], ids=["none", "nonsense", "customer", "forged"]
)
def test_who_is_neither_operator_nor_auditor_does_not_get_in(api: Api, token: str) -> None:
    refused = sign_in(api, token)
    assert refused.status_code in (401, 403)
    assert 'role="alert"' in refused.text
    assert "Set-Cookie" not in refused.headers
    assert token == "" or token not in refused.text


def test_an_expired_token_is_told_from_a_wrong_one_with_what_to_do(api: Api) -> None:
    over = issue(keys()[0], "operator", "olga", timedelta(seconds=-60))
    assert "This token has expired. Get a new one" in sign_in(api, over).text
    assert "This is not a token of this system" in sign_in(api, OPERATOR[:-3] + "abc").text
    assert "for operators and auditors; the token is for a customer" in sign_in(api, CUSTOMER).text
    assert "ordersaga token --role operator" in sign_in(api, over).text


@pytest.mark.parametrize(
    "origin", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://127.0.0.1:1"}, {"Origin": "null"}]
)
def test_a_page_of_another_site_signs_nobody_in_or_out(api: Api, origin: dict[str, str]) -> None:
    refused = sign_in(api, OPERATOR, **origin)
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:problem:cross-site")
    assert api.call("POST", "/sign-out", headers=origin).status_code == 403


def test_who_is_signed_in_is_asked_before_becoming_somebody_else(api: Api) -> None:
    olga = {**cookie_of(sign_in(api, OPERATOR)), **SAME_ORIGIN}
    asked = sign_in(api, AUDITOR, "/orders", **olga)
    assert (asked.status_code, "Set-Cookie" in asked.headers) == (409, False)
    assert "You are signed in as <b>olga</b>, operator." in asked.text
    assert "of <b>aud</b>, auditor" in asked.text
    agreed = {"token": AUDITOR, "next": "/orders", "instead": "olga"}
    answer = api.call("POST", "/sign-in", headers=olga, data=agreed)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/orders")
    assert "Set-Cookie" in answer.headers


def test_nobody_is_asked_who_stays_the_same_or_whose_token_has_run_out(api: Api) -> None:
    olga = cookie_of(sign_in(api, OPERATOR))
    assert sign_in(api, token("operator", "olga"), **olga, **SAME_ORIGIN).status_code == 303
    name, _, _ = olga["Cookie"].partition("=")
    over = issue(keys()[0], "operator", "olga", timedelta(seconds=-60))
    assert sign_in(api, AUDITOR, Cookie=f"{name}={over}", **SAME_ORIGIN).status_code == 303


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_a_link_of_another_site_leaves_who_is_signed_in_as_they_are_until_they_agree(api: Api) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{api.url}/sign-in?next=/api/stock#token={OPERATOR}", wait_until="commit")
        page.wait_for_url("**/api/stock")
        before = page.context.cookies()
        elsewhere = f"<a href='{api.url}/sign-in?next=/api/stock#token={AUDITOR}'>A prize</a>"
        page.route("http://elsewhere.example/", lambda route: route.fulfill(body=elsewhere, content_type="text/html"))
        for choice in ("Stay olga, operator", "Become aud, auditor"):
            page.goto("http://elsewhere.example/")
            page.get_by_text("A prize").click()
            page.get_by_text(choice).wait_for()
            assert page.context.cookies() == before
            page.get_by_text(choice).click()
            page.wait_for_url("**/api/stock")
            assert (page.context.cookies() == before) is choice.startswith("Stay")
        browser.close()


@pytest.mark.parametrize(
    "following", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nSet-Cookie: b=c", ""]
)
def test_after_signing_in_one_stays_on_this_host(api: Api, following: str) -> None:
    assert sign_in(api, OPERATOR, following).headers["Location"] == "/"


def test_signing_out_takes_the_cookie_back(api: Api) -> None:
    answer = api.call("POST", "/sign-out", headers={**cookie_of(sign_in(api, OPERATOR)), **SAME_ORIGIN})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert "Max-Age=0" in answer.headers["Set-Cookie"]


def test_the_page_takes_a_token_without_leaving_it_in_an_address(api: Api) -> None:
    page = api.call("GET", "/sign-in?next=%22%3E%3Cscript%3E")
    assert "<script>" not in page.text
    assert 'method="post"' in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert {api.call("GET", f"/sign-in.{kind}").status_code for kind in ("js", "css")} == {200}


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_a_link_with_a_token_behind_the_hash_signs_a_browser_in_and_no_request_names_the_token(api: Api) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page, asked, errors = browser.new_page(), list[str](), list[str]()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{api.url}/sign-in?next=/api/stock#token={OPERATOR}", wait_until="commit")
        page.wait_for_url("**/api/stock")
        assert '"products"' in page.content()
        assert not any(OPERATOR in url.partition("#")[0] for url in asked)
        assert errors == []
        browser.close()


MALFORMED: tuple[dict[str, Any], ...] = (
    {},
    {"output": "page.children"},
    {"output": "..nothing.here..", "inputs": [], "changedPropIds": []},
    {"output": "page.children", "inputs": 7, "outputs": [], "changedPropIds": 1},
    {
        "output": "page.children",
        "outputs": {"id": "page", "property": "children"},
        "inputs": [{"id": "url", "property": "pathname", "value": 7}],
        "changedPropIds": ["url.pathname"],
    },
    {
        "output": "audit-why.children",
        "outputs": {"id": "audit-why", "property": "children"},
        "inputs": [{"id": "audit-message", "property": "data", "value": {"a": []}}],
        "changedPropIds": ["audit-message.data"],
    },
)


def complaints(api: Api) -> list[str]:
    """The lines of the log but for the one of each request."""
    return [line for line in api.log.read_text().splitlines() if "[info " not in line]


def test_a_callback_that_no_page_sends_is_refused_in_one_line_of_the_log(api: Api) -> None:
    cookie = cookie_of(sign_in(api, OPERATOR, **SAME_ORIGIN))
    before = len(complaints(api))
    for body in MALFORMED:
        address = "/dashboard/_dash-update-component"
        refused = api.call("POST", address, headers={**cookie, **SAME_ORIGIN}, json=body)
        assert (refused.status_code, refused.headers["Content-Type"]) == (400, "application/problem+json"), body
        assert refused.json()["type"] == "urn:problem:malformed-callback"
    assert len(complaints(api)) - before == len(MALFORMED)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "x" * 3000, "%00", "Europe", "localtime"])
def test_an_unknown_time_zone_of_the_browser_is_ignored(zone: str) -> None:
    assert known_zone(zone) is not None
    assert datetime.now(known_zone(zone)).tzinfo is not None


def test_the_zone_of_the_browser_is_used_where_it_is_known() -> None:
    assert str(known_zone("Europe%2FBerlin")) == "Europe/Berlin"
    assert known_zone("Mars/Olympus") is UTC
