"""Where an order goes is shown to those whom it concerns, and stands nowhere in the clear."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from contracts.orders import OrderPlaced
from order_service.announcements import announcements
from ordersaga.privacy.erasure import Erasures
from ordersaga.privacy.personal import Sealer
from ordersaga.store.republish import announce_again
from tests.conftest import AnyServers
from tests.support.api import Api, personal_key, serving, token
from tests.support.rows import everything, unbroken_streams

ALICE, BOB = token(subject="alice"), token(subject="bob")
OPERATOR, AUDITOR = token("operator", "olga"), token("auditor", "aud")
CONTACT: dict[str, Any] = {
    "name": "Quirina Zwölfender",
    "email": "quirina.z@mail.example",
    "address": {
        "lines": ["Hinterhaus links", "Möwenweg 77a"],
        "postal_code": "D-98765",
        "city": "Xanten",
        "country": "DE",
    },
}
SECRETS = ("Quirina", "Zwölfender", "quirina.z", "Hinterhaus", "Möwenweg", "D-98765", "Xanten")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="module")
def api(servers: AnyServers, directory: Path) -> Iterator[Api]:
    with serving(servers, "order_service", directory) as api:
        terms = {"name": "Tea", "unit_price": 890, "currency": "EUR"}
        assert api.call("PUT", "/products/tea", OPERATOR, json=terms).status_code == 201
        yield api


def place(api: Api, customer: str, key: str | None = None, **changes: Any) -> requests.Response:
    body = {"lines": [{"sku": "tea", "quantity": 1}], "card": "pm_card_visa", "contact": CONTACT, **changes}
    headers = {"Idempotency-Key": key or str(uuid4())}
    return api.call("POST", "/orders", token(subject=customer), headers, json=body)


def look(api: Api, order: requests.Response, caller: str) -> dict[str, Any]:
    shown = api.call("GET", order.headers["Location"], caller)
    assert shown.status_code == 200
    return dict(shown.json())


def erase(api: Api, customer: str, caller: str = OPERATOR) -> requests.Response:
    return api.call("DELETE", f"/customers/{customer}/personal-data", caller, json={"reason": "asked for it"})


def test_the_customer_and_operators_see_where_an_order_goes(api: Api) -> None:
    order = place(api, "alice")
    assert order.status_code == 202
    for caller in (ALICE, OPERATOR):
        shown = look(api, order, caller)
        assert (shown["contact"], shown["contact_erased"]) == (CONTACT, False)
    assert look(api, order, AUDITOR)["contact"] is None
    assert api.call("GET", order.headers["Location"], BOB).status_code == 404


def test_an_order_without_contact_has_none_and_needs_no_key(api: Api) -> None:
    order = place(api, "nobody", contact=None)
    shown = look(api, order, OPERATOR)
    assert (shown["contact"], shown["contact_erased"]) == (None, False)
    assert api.database.rows("select count(*) from personal_keys where subject = 'nobody'") == [(0,)]


def test_no_table_no_answer_that_is_kept_and_no_log_has_it_in_the_clear(api: Api) -> None:
    key = str(uuid4())
    order = place(api, "alice", key)
    again = place(api, "alice", key)
    assert (again.headers["Idempotency-Replayed"], again.content) == ("true", order.content)
    api.call("POST", f"{order.headers['Location']}/cancellation", ALICE, json={"reason": "changed my mind"})
    assert look(api, order, ALICE)["contact"] == CONTACT
    events = api.call("GET", f"{order.headers['Location']}/events", AUDITOR)
    for text in (everything(api.database.owner_url), order.text, events.text, api.log.read_text()):
        assert not [secret for secret in SECRETS if secret in text]
    assert "v1." in events.text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "two\nlines"),
        ("email", "no address"),
        ("email", "x" * 250 + "@example.com"),
        ("address.lines", []),
        ("address.lines", ["line"] * 6),
        ("address.city", "x" * 201),
        ("address.country", "Germany"),
        ("phone", "+49 30 1234"),
    ],
)
def test_a_contact_is_refused_and_its_field_named_without_repeating_it(api: Api, field: str, value: Any) -> None:
    contact = deepcopy(CONTACT)
    part, _, last = field.rpartition(".")
    (contact[part] if part else contact)[last] = value
    refused = place(api, "alice", contact=contact)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == f"contact.{field}"
    assert not [secret for secret in SECRETS if secret in refused.text + api.log.read_text()]


def test_another_contact_under_the_same_idempotency_key_is_another_request(api: Api) -> None:
    key = str(uuid4())
    assert place(api, "alice", key).status_code == 202
    assert place(api, "alice", key, contact=CONTACT | {"name": "Somebody Else"}).status_code == 422


def test_once_erased_nobody_reads_it_the_chain_holds_and_the_next_order_is_readable(api: Api, directory: Path) -> None:
    orders = [place(api, "carol") for _ in range(3)]
    streams, before = unbroken_streams(api.database.owner_url), everything(api.database.owner_url)
    seen = api.call("GET", orders[0].headers["Location"], token(subject="carol")).headers["ETag"]
    assert erase(api, "carol").json() == {"subject": "carol", "keys_erased": 1}
    for order in orders:
        for caller in (token(subject="carol"), OPERATOR):
            shown = look(api, order, caller)
            assert (shown["contact"], shown["contact_erased"]) == (None, True)
    cached = api.call("GET", orders[0].headers["Location"], token(subject="carol"), {"If-None-Match": seen})
    assert cached.status_code == 200
    assert unbroken_streams(api.database.owner_url) == streams
    assert "asked for it" in everything(api.database.owner_url)
    assert "asked for it" not in before
    later = place(api, "carol")
    assert look(api, later, token(subject="carol"))["contact"] == CONTACT
    assert look(api, orders[0], OPERATOR)["contact_erased"]
    listed = [(erasure.subject, erasure.actor) for erasure in Erasures(directory / "erasures.jsonl")]
    assert ("carol", "olga") in listed


def test_the_messages_derived_again_after_an_erasure_are_the_same(api: Api) -> None:
    order = place(api, "dora").json()["order_id"]
    said = "select message_id, event_hash, body from outbox where key = %s order by position"
    [before] = api.database.rows(said, [order])
    erase(api, "dora")
    with api.database.connect() as store, api.database.connect() as outbox:
        list(announce_again(store, outbox, announcements, key=order))
    assert api.database.rows(said, [order]) == [before, before]
    sealed = OrderPlaced.model_validate_json(before[2]).contact
    assert sealed is not None
    with api.database.connect() as connection:
        purpose = f"contact of order {order}"
        assert Sealer(personal_key()).unseal(connection, "dora", purpose, sealed) is None


def test_erasing_leaves_no_hash_that_a_guess_could_be_proved_with(api: Api) -> None:
    key = str(uuid4())
    place(api, "emil", key)
    erase(api, "emil")
    assert api.database.rows("select request_hash from idempotency_keys where caller = 'emil'") == [(b"",)]
    before = api.count()
    assert place(api, "emil", key).status_code == 422
    assert api.count() == before


def test_only_an_operator_erases_and_says_why(api: Api) -> None:
    order = place(api, "alice")
    for caller in (ALICE, AUDITOR):
        assert erase(api, "alice", caller).status_code == 403
    assert api.call("DELETE", "/customers/alice/personal-data", OPERATOR, json={}).status_code == 422
    assert api.call("DELETE", "/customers/alice/personal-data", OPERATOR).status_code == 422
    assert look(api, order, ALICE)["contact"] == CONTACT


def test_erasing_twice_or_somebody_unknown_changes_nothing(api: Api) -> None:
    place(api, "fritz")
    assert [erase(api, name).json()["keys_erased"] for name in ("fritz", "fritz", "stranger")] == [1, 0, 0]


def test_the_first_orders_of_a_customer_at_once_share_one_key(api: Api) -> None:
    with ThreadPoolExecutor(8) as threads:
        orders = list(threads.map(lambda _: place(api, "gerda"), range(8)))
    assert [order.status_code for order in orders] == [202] * 8
    assert api.database.rows("select count(*) from personal_keys where subject = 'gerda'") == [(1,)]
    assert all(look(api, order, OPERATOR)["contact"] == CONTACT for order in orders)


def test_orders_placed_while_their_customer_is_erased_are_readable_or_erased_and_never_in_between(api: Api) -> None:
    with ThreadPoolExecutor(6) as threads:
        placed = [threads.submit(place, api, "hugo") for _ in range(24)]
        erased = [threads.submit(erase, api, "hugo") for _ in range(6)]
        assert {answer.result().status_code for answer in erased} == {200}
        orders = [answer.result() for answer in placed]
    assert {order.status_code for order in orders} == {202}
    shown = [look(api, order, OPERATOR) for order in orders]
    assert all((order["contact"] == CONTACT) != order["contact_erased"] for order in shown)
    erase(api, "hugo")
    assert all(look(api, order, OPERATOR)["contact_erased"] for order in orders)
    unbroken_streams(api.database.owner_url)
