"""Every refused request says why in a problem document and leaves no row behind."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import requests

from tests.conftest import AnyServers
from tests.support.api import Api, serving, token

CUSTOMER, OPERATOR = token(), token("operator", "olga")
JSON = {"Content-Type": "application/json"}
KEY = {"Idempotency-Key": "one-of-a-kind"}
LINE = {"sku": "tea", "quantity": 1}
ORDER = {"lines": [LINE], "card": "pm_card_visa"}
TERMS = {"name": "Tea", "unit_price": 890, "currency": "EUR"}


@pytest.fixture(scope="module")
def api(servers: AnyServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with serving(servers, "order_service", tmp_path_factory.mktemp("api")) as api:
        for sku, currency in (("tea", "EUR"), ("sake", "JPY")):
            put = api.call("PUT", f"/products/{sku}", OPERATOR, json={**TERMS, "currency": currency})
            assert put.status_code == 201
        yield api


@pytest.fixture(autouse=True)
def nothing_is_left_behind(api: Api) -> Iterator[None]:
    before = api.count()
    yield
    assert api.count() == before


def order(**changes: Any) -> bytes:
    return json.dumps({**ORDER, **changes}).encode()


def line(**changes: Any) -> bytes:
    return order(lines=[{**LINE, **changes}])


def one_line_without(name: str) -> bytes:
    return order(lines=[{field: value for field, value in LINE.items() if field != name}])


BAD_ORDERS: dict[str, tuple[bytes, int, str]] = {
    "no body": (b"", 422, "lines"),
    "not JSON": (b"lines=tea", 400, ""),
    "half a body": (order()[:-1], 400, ""),
    "an array": (b"[]", 400, ""),
    "JSON within a text": (json.dumps(order().decode()).encode(), 400, ""),
    "too deep": (b'{"lines":' + b"[" * 40 + b"]" * 40 + b"}", 400, ""),
    "a field named twice": (b'{"card": "pm_a", "card": "pm_b"}', 400, "card"),
    "NaN": (b'{"lines": [{"sku": "tea", "quantity": NaN}], "card": "pm_a"}', 400, ""),
    "a number beyond 64 bits": (line(quantity=10**30), 400, ""),
    "NUL in a text": (order(card="pm_\0"), 400, "card"),
    "half a surrogate pair": (order(card="pm_\ud800"), 400, "card"),
    "no lines": (order(lines=[]), 422, "lines"),
    "too many lines": (order(lines=[{**LINE, "sku": f"s{n}"} for n in range(101)]), 422, "lines"),
    "lines that are none": (order(lines="tea"), 422, "lines"),
    "a line that is none": (order(lines=["tea"]), 422, "lines.0"),
    "an unknown product": (order(lines=[LINE, {**LINE, "sku": "unicorn"}]), 422, "lines.1.sku"),
    "a product named twice": (order(lines=[LINE, LINE]), 422, "lines.1.sku"),
    "no sku": (one_line_without("sku"), 422, "lines.0.sku"),
    "a sku that cannot be": (line(sku="../tea"), 422, "lines.0.sku"),
    "no quantity": (one_line_without("quantity"), 422, "lines.0.quantity"),
    "quantity zero": (line(quantity=0), 422, "lines.0.quantity"),
    "a negative quantity": (line(quantity=-1), 422, "lines.0.quantity"),
    "a huge quantity": (line(quantity=10_001), 422, "lines.0.quantity"),
    "half a piece": (line(quantity=0.5), 422, "lines.0.quantity"),
    "quantity as a text": (line(quantity="1"), 422, "lines.0.quantity"),
    "quantity as a truth": (line(quantity=True), 422, "lines.0.quantity"),
    "a price of one's own": (line(unit_price=1), 422, "lines.0.unit_price"),
    "a total of one's own": (order(total=1), 422, "total"),
    "somebody else as customer": (order(customer="bob"), 422, "customer"),
    "no card": (order(card=None), 422, "card"),
    "a card number": (order(card="4242424242424242"), 422, "card"),
    "two currencies": (order(lines=[LINE, {**LINE, "sku": "sake"}]), 422, "lines"),
}


@pytest.mark.parametrize("what", BAD_ORDERS)
def test_an_order_is_refused_and_its_field_named_that_has(api: Api, what: str) -> None:
    body, status, field = BAD_ORDERS[what]
    refused = api.call("POST", "/orders", CUSTOMER, {**KEY, **JSON}, data=body)
    assert_problem(refused, status, field or None)


BAD_TERMS: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown currency": ({"currency": "XXX"}, "currency"),
    "a currency in small letters": ({"currency": "eur"}, "currency"),
    "price zero": ({"unit_price": 0}, "unit_price"),
    "a price beyond measure": ({"unit_price": 100_000_001}, "unit_price"),
    "no name": ({"name": ""}, "name"),
    "a name of two lines": ({"name": "Tea\nGreen"}, "name"),
    "an unknown field": ({"price": 1}, "price"),
}


@pytest.mark.parametrize("what", BAD_TERMS)
def test_a_product_is_refused_and_its_field_named_that_has(api: Api, what: str) -> None:
    changes, field = BAD_TERMS[what]
    assert_problem(api.call("PUT", "/products/tea", OPERATOR, json={**TERMS, **changes}), 422, field)


@pytest.mark.parametrize(
    ("key", "status"), [(None, 400), ("", 400), ("two words", 400), ("é".encode(), 400), ("k" * 256, 400)]
)
def test_an_order_needs_a_key_of_printable_characters(api: Api, key: str | bytes | None, status: int) -> None:
    headers: Any = {} if key is None else {"Idempotency-Key": key}
    assert_problem(api.call("POST", "/orders", CUSTOMER, headers, json=ORDER), status, "Idempotency-Key")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_64_kib_is_refused_with_and_without_its_length_said(api: Api, chunked: bool) -> None:
    body = order(card="pm_" + "x" * 70_000)
    pieces = (body[start : start + 1000] for start in range(0, len(body), 1000))
    refused = api.call("POST", "/orders", CUSTOMER, {**KEY, **JSON}, data=pieces if chunked else body)
    assert_problem(refused, 413)


@pytest.mark.parametrize(
    "headers", [{"Content-Type": "text/plain"}, {}, {**JSON, "Content-Encoding": "gzip"}], ids=["text", "none", "gzip"]
)
def test_a_body_that_is_not_declared_as_json_is_refused(api: Api, headers: dict[str, str]) -> None:
    assert_problem(api.call("POST", "/orders", CUSTOMER, {**KEY, **headers}, data=order()), 415)


@pytest.mark.parametrize(
    "credentials", [None, "", "Basic b2xnYTpzZWNyZXQ=", "Bearer", "Bearer nonsense", f"Bearer {CUSTOMER}x", CUSTOMER]
)
def test_who_has_no_valid_token_is_told_how_to_get_in_and_nothing_else(api: Api, credentials: str | None) -> None:
    headers = KEY if credentials is None else {**KEY, "Authorization": credentials}
    refused = api.call("POST", "/orders", headers=headers, data=b"not even JSON")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer ")
    assert_problem(refused, 401)


ROLES = {
    ("PUT", "/products/tea"): {"operator"},
    ("POST", "/products/tea/retirement"): {"operator"},
    ("POST", "/orders"): {"customer"},
    ("POST", "/orders/0f8fad5b-d9cb-469f-a165-70867728950e/cancellation"): {"customer", "operator"},
}


@pytest.mark.parametrize("role", ["customer", "operator", "auditor"])
@pytest.mark.parametrize("operation", ROLES, ids=lambda operation: " ".join(operation))
def test_a_role_may_do_what_is_its_business(api: Api, operation: tuple[str, str], role: str) -> None:
    answer = api.call(*operation, token(role, "somebody"), KEY, json={"unknown": "field"})
    assert_problem(answer, 422 if role in ROLES[operation] else 403)


def test_what_is_not_there_or_not_done_there_is_a_problem_document_too(api: Api) -> None:
    assert_problem(api.call("GET", "/nowhere", CUSTOMER), 404)
    assert_problem(api.call("GET", "/products/unicorn", CUSTOMER), 404)
    assert_problem(api.call("GET", "/orders/0f8fad5b-d9cb-469f-a165-70867728950e", CUSTOMER), 404)
    refused = api.call("DELETE", "/orders", CUSTOMER)
    assert set(refused.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST", "OPTIONS"}
    assert_problem(refused, 405)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/orders/17", "order_id"),
        ("/products/a%00b", "sku"),
        ("/products?limit=0", "limit"),
        ("/products?limit=1001", "limit"),
        ("/products?offset=1", "offset"),
        ("/products?after=%F0%9F%A6%84", "after"),
        *(
            (f"/orders/0f8fad5b-d9cb-469f-a165-70867728950e?as_of={moment}", "as_of")
            for moment in (
                "0",
                "-1",
                "1.5",
                "9" * 30,
                "now",
                "2026-01-01",
                "2026-02-30T00:00:00Z",
                "2026-01-01T00:00:00",
            )
        ),
    ],
)
def test_an_address_that_cannot_be_names_its_part(api: Api, path: str, field: str) -> None:
    assert_problem(api.call("GET", path, CUSTOMER), 422, field)


def test_a_connection_is_of_use_after_a_refusal_that_left_its_body_unread(api: Api) -> None:
    with requests.Session() as session:
        session.trust_env = False
        for _ in range(3):
            assert session.post(f"{api.url}/orders", data=b"x" * 60_000, timeout=5).status_code == 401
            assert session.get(f"{api.url}/healthz", timeout=5).json() == {"alive": True}


def assert_problem(answer: requests.Response, status: int, field: str | None = None) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert {"type", "title", "status", "detail", "instance", "trace_id"} <= problem.keys()
    assert problem["status"] == status
    assert problem["instance"] == unquote(urlsplit(answer.url).path)
    assert "Traceback" not in answer.text
    if field is not None:
        assert field in [error["field"] for error in problem["errors"]]
