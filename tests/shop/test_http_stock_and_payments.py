"""What the inventory service and the payment service promise over HTTP."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import UUID, uuid4

import pytest
import requests

from inventory_service.announcements import announcements as stock_announcements
from inventory_service.commands import reserve_stock
from inventory_service.stock import ReservedLine
from ordersaga.envelope.message import Cause
from ordersaga.store.transaction import decide
from payment_service.announcements import announcements
from payment_service.commands import record_cancellation, record_charge
from payment_service.gateway import Captured, Refunded, RefundFailed
from tests.conftest import AnyServers
from tests.support.api import Api, serving, token

CUSTOMER, OPERATOR, AUDITOR = token(), token("operator", "olga"), token("auditor", "aud")


@pytest.fixture(scope="module")
def inventory(servers: AnyServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with serving(servers, "inventory_service", tmp_path_factory.mktemp("api")) as api:
        yield api


@pytest.fixture(scope="module")
def payments(servers: AnyServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with serving(servers, "payment_service", tmp_path_factory.mktemp("api")) as api:
        yield api


def receive(api: Api, sku: str, quantity: object, key: str | None = None, caller: str = OPERATOR) -> tuple[int, object]:
    headers = {"Idempotency-Key": key or str(uuid4())}
    answer = api.call("POST", f"/stock/{sku}/receipts", caller, headers, json={"quantity": quantity})
    return answer.status_code, answer.json().get("on_hand")


def test_goods_received_twice_under_one_key_came_in_once(inventory: Api) -> None:
    assert receive(inventory, "tea", 5, "delivery-1") == (201, 5)
    assert receive(inventory, "tea", 5, "delivery-1") == (201, 5)
    assert receive(inventory, "tea", 5, "delivery-2") == (201, 10)
    shown = inventory.call("GET", "/stock/tea", CUSTOMER)
    assert (shown.json()["on_hand"], shown.json()["reserved"], shown.json()["available"]) == (10, 0, 10)
    assert shown.headers["ETag"] == f'"{shown.json()["version"]}"'


def test_goods_of_one_product_that_come_in_all_at_once_are_all_counted(inventory: Api) -> None:
    with ThreadPoolExecutor(12) as pool:
        received = list(pool.map(lambda _: receive(inventory, "cup", 1), range(40)))
    assert sorted(received, key=str) == sorted([(201, number) for number in range(1, 41)], key=str)


def correct(api: Api, quantity: object, caller: str = OPERATOR, **headers: str) -> requests.Response:
    body = {"quantity": quantity, "reason": "broken"}
    return api.call("POST", "/stock/lamp/corrections", caller, {"Idempotency-Key": str(uuid4()), **headers}, json=body)


def test_a_correction_takes_off_what_is_available_and_no_more_and_is_recorded_with_its_reason(inventory: Api) -> None:
    assert correct(inventory, 1).status_code == 404, "never received"
    receive(inventory, "lamp", 5)
    line = ReservedLine(sku="lamp", quantity=2)
    with inventory.database.connect() as connection:
        reserve = partial(reserve_stock, order_id=uuid4(), lines=[line], amount=1, currency="EUR", card="pm_x")
        decide(connection, stock_announcements, Cause(uuid4()), reserve)
    refused = correct(inventory, -4)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:problem:not-enough-stock")
    assert "3 are available, and 2 of the 5 on hand are reserved for orders" in refused.json()["detail"]
    once = {"Idempotency-Key": "count-of-friday"}
    corrected = correct(inventory, -3, **once)
    assert (corrected.status_code, corrected.json()["on_hand"], corrected.json()["available"]) == (201, 2, 0)
    assert correct(inventory, -3, **once).headers["Idempotency-Replayed"] == "true"
    assert correct(inventory, 1, **{"If-Match": '"1"'}).status_code == 412
    assert correct(inventory, 1, **{"If-Match": corrected.headers["ETag"]}).json()["available"] == 1
    said = """
        select body::json ->> 'quantity', body::json ->> 'reason', actor from outbox
        where contract = %s order by position
    """
    assert inventory.database.rows(said, ["inventory.stock_corrected.v1"]) == [
        ("-3", "broken", "olga"),
        ("1", "broken", "olga"),
    ]
    before = inventory.count()
    refusals = ((CUSTOMER, -1, 403), (AUDITOR, -1, 403), (OPERATOR, 0, 422), (OPERATOR, 1_000_001, 422))
    for caller, quantity, status in refusals:
        assert correct(inventory, quantity, caller).status_code == status
    assert inventory.count() == before


def test_stock_is_listed_page_by_page(inventory: Api) -> None:
    skus = [f"listed-{number}" for number in range(3)]
    for sku in skus:
        receive(inventory, sku, 1)
    seen, page = [], "/stock?limit=2"
    while page:
        listed = inventory.call("GET", page, CUSTOMER).json()
        seen += [item["sku"] for item in listed["stock"]]
        page = listed["next"]
    assert inventory.call("GET", f"/stock?limit={len(seen)}", CUSTOMER).json()["next"] is None, "a full last page"
    assert seen[-3:] == skus
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("quantity", [0, -1, 1_000_001, 1.5, "1", True, None])
def test_a_receipt_of_an_impossible_quantity_leaves_nothing(inventory: Api, quantity: object) -> None:
    before = inventory.count()
    headers = {"Idempotency-Key": str(uuid4())}
    refused = inventory.call("POST", "/stock/tea/receipts", OPERATOR, headers, json={"quantity": quantity})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "quantity")
    assert inventory.count() == before


def test_only_the_operator_receives_goods_and_only_under_a_key(inventory: Api) -> None:
    before = inventory.count()
    assert receive(inventory, "tea", 1, caller=CUSTOMER)[0] == 403
    assert receive(inventory, "tea", 1, caller=AUDITOR)[0] == 403
    assert inventory.call("POST", "/stock/tea/receipts", OPERATOR, json={"quantity": 1}).status_code == 400
    assert inventory.count() == before


def test_a_payment_is_shown_to_operator_and_auditor_alone(payments: Api) -> None:
    order_id = uuid4()
    charge(payments, order_id)
    path = f"/payments/{order_id}"
    for caller in (OPERATOR, AUDITOR):
        shown = payments.call("GET", path, caller).json()
        assert (shown["state"], shown["amount"], shown["currency"]) == ("captured", 2980, "EUR")
        assert (shown["charge_id"], shown["refund_id"]) == ("ch_1", None)
    assert payments.call("GET", path, CUSTOMER).status_code == 403
    assert payments.call("GET", path).status_code == 401
    assert payments.call("GET", f"/payments/{uuid4()}", AUDITOR).status_code == 404


def charge(payments: Api, order_id: UUID) -> None:
    answer = Captured(charge_id="ch_1", amount=2980, currency="EUR")
    with payments.database.connect() as connection:
        decide(connection, announcements, Cause(uuid4()), lambda it: record_charge(it, order_id, answer))


def test_an_operator_has_a_failed_refund_tried_again(payments: Api) -> None:
    order_id, path = uuid4(), "/payments/{}/refund"
    charge(payments, order_id)
    wanted = {"reason": "the customer has a new card"}
    early = payments.call("POST", path.format(order_id), OPERATOR, json=wanted)
    assert (early.status_code, early.json()["type"]) == (409, "urn:problem:no-failed-refund")
    with payments.database.connect() as connection:
        failed = RefundFailed("re_1", "expired_or_canceled_card")
        decide(connection, announcements, Cause(uuid4()), lambda it: record_cancellation(it, order_id, failed))
    shown = payments.call("GET", f"/payments/{order_id}", AUDITOR).json()
    assert (shown["state"], shown["reason"]) == ("refund_failed", "expired_or_canceled_card")
    before = payments.count()
    for caller, status in ((CUSTOMER, 403), (AUDITOR, 403), (None, 401)):
        assert payments.call("POST", path.format(order_id), caller, json=wanted).status_code == status
    assert payments.call("POST", path.format(order_id), OPERATOR, json={"reason": ""}).status_code == 422
    assert payments.call("POST", path.format(uuid4()), OPERATOR, json=wanted).status_code == 404
    assert payments.count() == before
    versions = set()
    for _ in range(2):
        accepted = payments.call("POST", path.format(order_id), OPERATOR, json=wanted)
        assert (accepted.status_code, accepted.json()["state"]) == (202, "refund_requested")
        versions.add(accepted.json()["version"])
    assert len(versions) == 1


def refund_part(
    api: Api, order_id: UUID, body: dict[str, object], caller: str | None = OPERATOR, key: str | None = None
) -> requests.Response:
    headers = {"Idempotency-Key": key or str(uuid4())}
    return api.call("POST", f"/payments/{order_id}/refunds", caller, headers, json=body)


def test_an_operator_refunds_parts_until_nothing_is_left(payments: Api) -> None:
    order_id, wanted = uuid4(), {"amount": 1980, "reason": "one cup was broken"}
    charge(payments, order_id)
    for _ in range(2):
        accepted = refund_part(payments, order_id, wanted, key=f"cup-{order_id}")
        assert accepted.status_code == 202
        assert (accepted.json()["state"], accepted.json()["refundable"]) == ("captured", 1000)
    assert accepted.headers["Idempotency-Replayed"] == "true"
    [part] = payments.call("GET", f"/payments/{order_id}", AUDITOR).json()["refunds"]
    assert part.items() >= {"number": 1, "amount": 1980, "state": "requested", "reason": "one cup was broken"}.items()
    beyond = refund_part(payments, order_id, {**wanted, "amount": 1001})
    assert (beyond.status_code, beyond.json()["type"]) == (409, "urn:problem:more-than-is-left")
    assert "1000 EUR (minor units)" in beyond.json()["detail"]
    assert refund_part(payments, order_id, {**wanted, "amount": 1000}).json()["refundable"] == 0


def test_a_part_is_refused_to_whom_and_of_what_it_is_not_for(payments: Api) -> None:
    order_id, wanted = uuid4(), {"amount": 1, "reason": "a discount"}
    charge(payments, order_id)
    before = payments.count("stored_events", "outbox")
    for caller, status in ((CUSTOMER, 403), (AUDITOR, 403), (None, 401)):
        assert refund_part(payments, order_id, wanted, caller).status_code == status
    for wrong in ({"amount": 0}, {"amount": "1"}, {"amount": 1.5}, {"reason": ""}, {"currency": "EUR"}):
        assert refund_part(payments, order_id, {**wanted, **wrong}).status_code == 422
    assert payments.call("POST", f"/payments/{order_id}/refunds", OPERATOR, json=wanted).status_code == 400
    assert refund_part(payments, uuid4(), wanted).status_code == 404
    assert payments.count("stored_events", "outbox") == before
    with payments.database.connect() as connection:
        refunded = Refunded("re_1", 2980)
        decide(connection, announcements, Cause(uuid4()), lambda it: record_cancellation(it, order_id, refunded))
    late = refund_part(payments, order_id, wanted)
    assert (late.status_code, late.json()["type"]) == (409, "urn:problem:not-captured")
    assert "is refunded" in late.json()["detail"]


def test_parts_that_are_requested_all_at_once_are_never_more_than_was_captured(payments: Api) -> None:
    order_id = uuid4()
    charge(payments, order_id)
    with ThreadPoolExecutor(8) as pool:
        wanted = {"amount": 1000, "reason": "a discount"}
        answers = list(pool.map(lambda _: refund_part(payments, order_id, wanted).status_code, range(8)))
    assert sorted(answers) == [202, 202, *[409] * 6]
