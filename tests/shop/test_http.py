"""What the order service promises over HTTP to those who use it rightly."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
import requests

from tests.conftest import AnyServers
from tests.support.api import Api, serving, token
from tests.support.wait import until

ALICE, BOB = token(subject="alice"), token(subject="bob")
OPERATOR, AUDITOR = token("operator", "olga"), token("auditor", "aud")
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(scope="module")
def api(servers: AnyServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with serving(servers, "order_service", tmp_path_factory.mktemp("api")) as api:
        for sku, price in (("tea", 890), ("cup", 1200)):
            body = {"name": sku.title(), "unit_price": price, "currency": "EUR"}
            assert api.call("PUT", f"/products/{sku}", OPERATOR, json=body).status_code == 201
        yield api


def place(api: Api, caller: str = ALICE, **headers: str) -> requests.Response:
    body = {"lines": [{"sku": "tea", "quantity": 2}, {"sku": "cup", "quantity": 1}], "card": "pm_card_visa"}
    return api.call("POST", "/orders", caller, {"Idempotency-Key": str(uuid4()), **headers}, json=body)


def cancel(api: Api, order: str, caller: str = ALICE, **headers: str) -> requests.Response:
    return api.call("POST", f"{order}/cancellation", caller, headers, json={"reason": "changed my mind"})


def events_of(api: Api, order_id: str) -> list[tuple[Any, ...]]:
    return api.database.rows(
        "select topic, actor from stored_events where originator_id = %s order by position", [order_id]
    )


def test_a_placed_order_is_recorded_announced_and_answered_with_its_address(api: Api) -> None:
    placed = place(api)
    order = placed.json()
    assert placed.status_code == 202
    assert placed.headers["Location"] == f"/orders/{order['order_id']}"
    assert UUID(order["order_id"]).version == 7
    assert (order["customer"], order["state"], order["total"]) == ("alice", "placed", 2 * 890 + 1200)
    assert events_of(api, order["order_id"]) == [("order.placed", "alice")]
    announced = "select contract, actor from outbox where key = %s"
    assert api.database.rows(announced, [order["order_id"]]) == [("orders.order_placed.v1", "alice")]
    deadline = "select name from deadlines where aggregate_id = %s"
    assert api.database.rows(deadline, [order["order_id"]]) == [("completion",)]
    assert api.call("GET", placed.headers["Location"], ALICE).json() == order


def test_a_customer_cannot_tell_anothers_order_from_none(api: Api) -> None:
    order = place(api).headers["Location"]
    nothing = api.call("GET", f"/orders/{uuid4()}", BOB).json()
    for method, path in (("GET", order), ("GET", f"{order}/events"), ("POST", f"{order}/cancellation")):
        refused = api.call(method, path, BOB)
        assert refused.status_code == 404
        assert refused.json()["detail"] == nothing["detail"]
    assert api.call("GET", order, ALICE).json()["state"] == "placed"


def test_a_customer_lists_their_own_orders_alone_newest_first_with_the_one_just_placed(api: Api) -> None:
    carol = token(subject="carol")
    placed = [place(api, carol).json()["order_id"] for _ in range(5)]
    cancel(api, f"/orders/{placed[1]}", carol)
    place(api, BOB)
    assert listed(api, "/orders?limit=2", carol) == placed[::-1], "pages of 2, 2 and 1"
    assert listed(api, "/orders?state=cancelled", carol) == [placed[1]]
    assert listed(api, "/orders?state=placed&limit=1", carol) == [placed[n] for n in (4, 3, 2, 0)]
    assert listed(api, "/orders?customer=bob", carol) == []
    since = quote(api.call("GET", f"/orders/{placed[3]}", carol).json()["placed_at"])
    assert listed(api, f"/orders?since={since}&limit=1", carol) == placed[:2:-1]
    assert listed(api, f"/orders?until={since}", carol) == placed[2::-1]
    newest = api.call("GET", "/orders?limit=1", carol)
    assert newest.headers["Link"] == f'<{newest.json()["next"]}>; rel="next"'
    shown = api.call("GET", f"/orders/{placed[4]}", carol).json()
    assert newest.json()["orders"] == [{name: shown[name] for name in newest.json()["orders"][0]}]
    again = api.call("GET", "/orders?limit=1", carol, {"If-None-Match": newest.headers["ETag"]})
    assert again.status_code == 304


def test_operator_and_auditor_list_the_orders_of_everybody_or_of_one_customer(api: Api) -> None:
    dave = token(subject="dave")
    order = place(api, dave).json()["order_id"]
    for caller in (OPERATOR, AUDITOR):
        assert listed(api, "/orders?customer=dave", caller) == [order]
        newest = api.call("GET", "/orders?limit=1", caller).json()["orders"]
        assert [found["customer"] for found in newest] == ["dave"]
    refused = api.call("GET", "/orders?after=nonsense", dave)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "after")


def listed(api: Api, page: str | None, caller: str) -> list[str]:
    """The ids on all pages."""
    found: list[str] = []
    while page:
        answer = api.call("GET", page, caller).json()
        found += [order["order_id"] for order in answer["orders"]]
        page = answer["next"]
    return found


def test_operator_and_auditor_see_every_order_and_only_the_operator_cancels(api: Api) -> None:
    order = place(api).headers["Location"]
    for caller in (OPERATOR, AUDITOR):
        assert api.call("GET", order, caller).status_code == 200
        assert api.call("GET", f"{order}/events", caller).status_code == 200
    assert cancel(api, order, AUDITOR).status_code == 403
    assert cancel(api, order, OPERATOR).status_code == 200
    assert events_of(api, order.rpartition("/")[2])[-1] == ("order.cancelled", "olga")


def test_an_order_is_shown_as_it_was_at_a_version_and_at_a_time(api: Api) -> None:
    order = place(api).headers["Location"]
    cancel(api, order)
    events = api.call("GET", f"{order}/events", ALICE).json()["events"]
    assert [(event["topic"], event["version"], event["actor"]) for event in events] == [
        ("order.placed", 1, "alice"),
        ("order.cancelled", 2, "alice"),
    ]
    assert events[0]["data"]["card"] == "pm_card_visa"

    def state(as_of: object) -> str:
        return str(api.call("GET", f"{order}?as_of={as_of}", ALICE).json().get("state", "nothing"))

    placed_at, cancelled_at = (event["time"] for event in events)
    assert [state(moment) for moment in (1, 2, 3)] == ["placed", "cancelled", "nothing"]
    assert state(placed_at) == "placed"
    assert state(cancelled_at) == "cancelled"
    assert state("2020-01-01T00:00:00Z") == "nothing"
    unescaped_plus = placed_at.replace("Z", "+00:00")
    assert state(unescaped_plus) == state(quote(unescaped_plus)) == "placed"


def test_a_time_between_two_events_shows_the_first_even_if_a_later_transaction_began_earlier(api: Api) -> None:
    order = place(api).headers["Location"]
    order_id = order.rpartition("/")[2]
    copy = """
        insert into stored_events (originator_id, originator_version, topic, state, actor, hash, recorded_at)
        select %(new)s, version, topic, state, actor, hash, recorded_at + late * interval '1 second'
        from stored_events, (values (1, 0), (2, 2), (3, 1)) as later (version, late) where originator_id = %(old)s
        returning recorded_at
    """
    new = uuid4()
    times = [row[0] for row in api.database.rows(copy, {"old": order_id, "new": new})]
    between = quote(times[2].isoformat())
    shown = api.call("GET", f"/orders/{new}?as_of={between}", ALICE)
    assert shown.json()["version"] == 1


def test_what_the_caller_has_already_is_not_sent_again(api: Api) -> None:
    order = place(api).headers["Location"]
    tag = api.call("GET", order, ALICE).headers["ETag"]
    assert tag == '"1"'
    again = api.call("GET", order, ALICE, {"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    cancel(api, order)
    assert api.call("GET", order, ALICE, {"If-None-Match": tag}).headers["ETag"] == '"2"'
    products = api.call("GET", "/products", BOB)
    assert api.call("GET", "/products", BOB, {"If-None-Match": products.headers["ETag"]}).status_code == 304


def test_a_cancellation_based_on_an_old_version_changes_nothing(api: Api) -> None:
    order = place(api).headers["Location"]
    for stale in ('"7"', '"nonsense"', '"1", "2"', 'W/"1"', '"' + "9" * 5000 + '"'):
        refused = cancel(api, order, **{"If-Match": stale})
        assert refused.status_code == 412, stale
    assert cancel(api, order, **{"If-Match": '"7"'}).headers["ETag"] == '"1"'
    assert len(events_of(api, order.rpartition("/")[2])) == 1
    assert cancel(api, order, **{"If-Match": '"1"'}).headers["ETag"] == '"2"'
    assert cancel(api, order, **{"If-Match": "*"}).status_code == 200
    assert len(events_of(api, order.rpartition("/")[2])) == 2


def test_a_request_that_prefers_to_wait_is_answered_when_the_order_has_ended(api: Api) -> None:
    key, correlation = {"Idempotency-Key": str(uuid4())}, str(uuid4())
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(place, api, **key, Prefer="respond-async, wait=20", **{"X-Correlation-Id": correlation})
        placed = "select originator_id::text from stored_events where correlation_id = %s"
        [(order_id,)] = until(lambda: api.database.rows(placed, [correlation]))
        started = time.monotonic()
        cancel(api, f"/orders/{order_id}")
        answer = waiting.result()
    assert time.monotonic() - started < 2
    assert answer.status_code == 200
    assert answer.headers["Preference-Applied"] == "wait=20"
    assert (answer.headers["ETag"], answer.json()["state"]) == ('"2"', "cancelled")
    repeated = place(api, **key)
    assert (repeated.status_code, repeated.json()["state"]) == (202, "placed")
    repeated = place(api, **key, Prefer="wait=20")
    assert (repeated.status_code, repeated.json()["state"]) == (200, "cancelled")


def test_products_are_listed_page_by_page_and_repriced_in_place(api: Api) -> None:
    terms = {"name": "Pot", "unit_price": 100, "currency": "EUR"}
    assert api.call("PUT", "/products/pot", OPERATOR, json=terms).headers["ETag"] == '"1"'
    again = api.call("PUT", "/products/pot", OPERATOR, json=terms)
    assert (again.status_code, again.headers["ETag"]) == (200, '"1"')
    changed = api.call("PUT", "/products/pot", OPERATOR, json={**terms, "unit_price": 101})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert api.call("GET", "/products/pot", ALICE).json() == changed.json()
    assert api.call("PUT", "/products/pot", OPERATOR, {"If-Match": '"1"'}, json=terms).status_code == 412
    assert api.call("PUT", "/products/new", OPERATOR, {"If-Match": '"1"'}, json=terms).status_code == 412
    seen, page = [], "/products?limit=2"
    while page:
        listed = api.call("GET", page, ALICE).json()
        seen += [product["sku"] for product in listed["products"]]
        page = listed["next"]
    assert seen == ["tea", "cup", "pot"]
    assert api.call("GET", "/products?after=unicorn", ALICE).json() == {"products": [], "next": None}
    assert api.call("GET", "/products?limit=3", ALICE).json()["next"] is None, "a full last page has no next one"


def test_a_retired_product_is_shown_as_such_and_in_no_later_order_until_it_is_put_again(api: Api) -> None:
    terms = {"name": "Jug", "unit_price": 700, "currency": "EUR"}
    api.call("PUT", "/products/jug", OPERATOR, json=terms)
    lines = [{"sku": "tea", "quantity": 1}, {"sku": "jug", "quantity": 1}]

    def order() -> requests.Response:
        body = {"lines": lines, "card": "pm_card_visa"}
        return api.call("POST", "/orders", ALICE, {"Idempotency-Key": str(uuid4())}, json=body)

    def skus(retired: str) -> set[str]:
        listed = api.call("GET", f"/products?retired={retired}&limit=1000", ALICE).json()["products"]
        return {product["sku"] for product in listed}

    before = order()
    retire = {"reason": "nobody wants it"}
    stale = api.call("POST", "/products/jug/retirement", OPERATOR, {"If-Match": '"7"'}, json=retire)
    assert stale.status_code == 412
    for _ in range(2):
        retired = api.call("POST", "/products/jug/retirement", OPERATOR, json=retire)
        assert (retired.status_code, retired.json()["retired"], retired.json()["version"]) == (200, True, 2)
    assert api.call("POST", "/products/unicorn/retirement", OPERATOR, json=retire).status_code == 404
    refused = order()
    assert (refused.status_code, refused.json()["errors"]) == (
        422,
        [{"field": "lines.1.sku", "message": "product 'jug' is no longer sold"}],
    )
    assert skus("true") == {"jug"}
    assert "jug" not in skus("false")
    assert {"tea", "cup"} <= skus("false")
    assert api.call("GET", before.headers["Location"], ALICE).json()["state"] == "placed"
    assert api.call("PUT", "/products/jug", OPERATOR, json=terms).json()["retired"] is False
    assert order().status_code == 202
    said = "select contract, actor from outbox where key = 'jug' order by position"
    assert api.database.rows(said) == [
        ("orders.product_priced.v1", "olga"),
        ("orders.product_retired.v1", "olga"),
        ("orders.product_priced.v1", "olga"),
    ]
