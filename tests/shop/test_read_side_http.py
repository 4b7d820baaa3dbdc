"""What the read side's API promises: whole pages, every filter, and to each caller what is theirs."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import UUID

import psycopg
import pytest

from tests.conftest import AnyServers
from tests.shop.support.read_side import filled
from tests.support.api import Api, running, token
from tests.support.databases import Databases

ALICE, BOB = token(subject="customer-1"), token(subject="customer-2")
OPERATOR, AUDITOR = token("operator", "olga"), token("auditor", "aud")
ORDERS = 400
FOR_STAFF = ("/api/unfinished", "/api/events", "/api/stock", "/api/payments", "/api/figures", "/api/search?q=tea")


@pytest.fixture(scope="module")
def api(servers: AnyServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    databases = Databases(servers.postgres)
    try:
        with running(filled(databases("projections"), ORDERS), tmp_path_factory.mktemp("api")) as api:
            yield api
    finally:
        databases.drop_clones()


def order(number: int) -> str:
    return str(UUID(f"{number:08x}-0000-7000-8000-{0:012x}"))


def pages(api: Api, path: str, caller: str = AUDITOR) -> Iterator[dict[str, Any]]:
    following: str | None = path
    while following:
        answer = api.call("GET", following, caller)
        assert answer.status_code == 200, answer.text
        yield answer.json()
        following = answer.json()["next"]
        assert answer.headers.get("Link") == (f'<{following}>; rel="next"' if following else None)


@pytest.mark.parametrize(
    ("path", "rows", "id_", "number"),
    [
        ("/api/sagas?limit=190", "sagas", "order_id", ORDERS),
        ("/api/sagas?limit=7&state=cancelled&customer=customer-1", "sagas", "order_id", 4),
        ("/api/sagas?limit=1&waits_for=payment", "sagas", "order_id", 2),
        ("/api/unfinished?limit=5", "sagas", "order_id", 10),
        ("/api/events?limit=3&contract=orders.order_placed.v1&actor=customer-1", "events", "message_id", 4),
        (f"/api/events?limit=3&key={order(10)}", "events", "message_id", 8),
        (f"/api/events?limit=3&key={order(10)}&since=2020-01-01T00:00:00Z", "events", "message_id", 8),
        ("/api/payments?limit=9&state=declined", "payments", "order_id", 40),
        ("/api/stock?limit=1", "products", "sku", 1),
    ],
)
def test_a_list_comes_page_by_page_each_row_once(api: Api, path: str, rows: str, id_: str, number: int) -> None:
    listed = [page[rows] for page in pages(api, path)]
    assert all(listed), "a page without rows was linked to"
    found = [row[id_] for page in listed for row in page]
    assert len(found) == len(set(found)) == number


def test_a_time_range_holds_over_pages(api: Api) -> None:
    moment = quote(api.call("GET", f"/api/sagas/{order(200)}", AUDITOR).json()["placed_at"])
    before = [saga["order_id"] for page in pages(api, f"/api/sagas?until={moment}&limit=100") for saga in page["sagas"]]
    since = [saga["order_id"] for page in pages(api, f"/api/sagas?since={moment}&limit=100") for saga in page["sagas"]]
    assert before == [order(number) for number in range(199, 0, -1)]
    assert since == [order(number) for number in range(ORDERS, 199, -1)]


def test_a_customer_sees_only_their_own_orders_and_nothing_else(api: Api) -> None:
    mine = [saga for page in pages(api, "/api/sagas?limit=2", ALICE) for saga in page["sagas"]]
    assert {saga["customer"] for saga in mine} == {"customer-1"}
    assert len(mine) == ORDERS / 100
    assert api.call("GET", "/api/sagas?customer=customer-2", ALICE).json()["sagas"] == []
    nothing = api.call("GET", f"/api/sagas/{order(ORDERS + 1)}", BOB).json()
    for path in (f"/api/sagas/{order(101)}", f"/api/sagas/{order(101)}/timeline"):
        assert api.call("GET", path, ALICE).status_code == 200
        refused = api.call("GET", path, BOB)
        assert (refused.status_code, refused.json()["detail"]) == (404, nothing["detail"])
    event = api.call("GET", f"/api/events?key={order(101)}", AUDITOR).json()["events"][0]["message_id"]
    for path in (*FOR_STAFF, f"/api/events/{event}"):
        assert api.call("GET", path, ALICE).status_code == 403
        assert {api.call("GET", path, caller).status_code for caller in (OPERATOR, AUDITOR)} == {200}
        assert api.call("GET", path).status_code == 401


def test_a_timeline_a_message_and_a_search_answer_for_the_same_order(api: Api) -> None:
    told = api.call("GET", f"/api/sagas/{order(2)}/timeline", AUDITOR).json()
    assert [step["state"] for step in told["steps"]] == ["compensated", "compensated", "failed", "not_reached"]
    last = told["entries"][-1]["message_id"]
    shown = api.call("GET", f"/api/events/{last}", AUDITOR).json()
    assert [event["distance"] for event in shown["linked"]] == [-4, -3, -2, -1, 0]
    assert shown["event"]["message_id"] == last
    found = api.call("GET", f"/api/search?q={order(2)[:13]}", AUDITOR).json()["found"]
    assert ("order", order(2)) in {(each["kind"], each["id"]) for each in found}


def test_some_digits_of_an_id_are_enough_where_they_fit_one_alone(api: Api) -> None:
    of_order = order(77)[:13]
    for path in (f"/api/sagas/{of_order}", f"/api/sagas/{of_order}/timeline", f"/api/sagas/{order(77).upper()}"):
        found = api.call("GET", path, AUDITOR).json()
        assert found.get("saga", found)["order_id"] == order(77)
    assert api.call("GET", f"/api/audit/trail?order={of_order}", AUDITOR).json()["entries"][0]["key"] == order(77)
    several = api.call("GET", "/api/sagas/0000004", AUDITOR)
    assert (several.status_code, several.json()["type"]) == (409, "urn:problem:ambiguous-id")
    assert order(0x41) in several.json()["detail"]
    first = api.call("GET", f"/api/sagas/{order(77)}/timeline", AUDITOR).json()["entries"][0]["message_id"]
    assert api.call("GET", f"/api/events/{first}", AUDITOR).json()["event"]["message_id"] == first
    for path in ("events", "audit/why"):
        assert api.call("GET", f"/api/{path}/0000004d", AUDITOR).status_code == 409
        assert api.call("GET", f"/api/{path}/beef", AUDITOR).status_code == 404
    for path in ("/api/sagas/abc", "/api/sagas/nonsense", "/api/audit/why/nonsense", "/api/audit/trail?order=xyz"):
        assert api.call("GET", path, AUDITOR).status_code == 422, path


def test_a_short_id_tells_a_customer_nothing_of_the_orders_of_others(api: Api) -> None:
    mine, others = order(101)[:8], order(102)[:8]
    assert api.call("GET", f"/api/sagas/{mine}", ALICE).json()["order_id"] == order(101)
    nothing = api.call("GET", "/api/sagas/beef", ALICE).json()["detail"]
    for digits in (others, "0000006", "000000000000"):
        answer = api.call("GET", f"/api/sagas/{digits}", ALICE)
        if answer.status_code == 200:
            assert answer.json()["customer"] == "customer-1"
        elif answer.status_code == 409:
            named = [order(number) for number in range(1, ORDERS + 1) if order(number) in answer.json()["detail"]]
            assert {int(id_[:8], 16) % 100 for id_ in named} == {1}
        else:
            assert (answer.status_code, answer.json()["detail"]) == (404, nothing)


def test_a_note_stands_in_the_timeline_and_the_trail_and_no_customer_sees_it(api: Api) -> None:
    path = f"/api/sagas/{order(101)}/notes"
    assert {api.call("POST", path, caller, json={"text": "x"}).status_code for caller in (ALICE, AUDITOR)} == {403}
    assert api.call("POST", path, OPERATOR, json={"text": ""}).status_code == 422
    assert api.call("POST", "/api/sagas/beef/notes", OPERATOR, json={"text": "x"}).status_code == 404
    note = api.call("POST", path, OPERATOR, json={"text": "deliver on <b>Friday</b>"})
    assert (note.status_code, note.json()["actor"]) == (201, "olga")
    told = api.call("GET", f"/api/sagas/{order(101)}/timeline", AUDITOR).json()["notes"]
    assert [(each["actor"], each["text"]) for each in told] == [("olga", "deliver on <b>Friday</b>")]
    assert api.call("GET", f"/api/sagas/{order(101)}/timeline", ALICE).json()["notes"] == []
    for query in (f"order={order(101)}&type=operator.note", "actor=olga"):
        [entry] = api.call("GET", f"/api/audit/trail?{query}", AUDITOR).json()["entries"]
        assert (entry["what"], entry["key"], entry["why"]) == ("operator.note", order(101), "deliver on <b>Friday</b>")
    with pytest.raises(psycopg.errors.InsufficientPrivilege), api.database.connect() as connection:
        connection.execute("update order_notes set text = 'nothing'")


def test_the_figures_of_all_orders_are_told(api: Api) -> None:
    told = api.call("GET", "/api/figures?minutes=5", AUDITOR).json()
    assert told["counts"]["unfinished"] == 10
    assert sum(told["counts"][state] for state in ("placed", "confirmed", "cancelled")) == ORDERS
    assert len(told["minutes"]) == 5


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/sagas?after=nonsense", "after"),
        ("/api/sagas?after=WzEsMl0", "after"),
        ("/api/events?after=%00", "after"),
        ("/api/stock?after=IgAi", "after"),
        ("/api/sagas?limit=201", "limit"),
        ("/api/sagas?limit=0", "limit"),
        ("/api/sagas?state=lost", "state"),
        ("/api/sagas?since=yesterday", "since"),
        ("/api/sagas?customer=%00", "customer"),
        ("/api/events?colour=red", "colour"),
        ("/api/search", "q"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_and_its_field_named(api: Api, path: str, field: str) -> None:
    refused = api.call("GET", path, AUDITOR)
    assert (refused.status_code, refused.headers["Content-Type"]) == (422, "application/problem+json")
    assert refused.json()["errors"][0]["field"].split(".")[0] == field


def test_what_the_caller_has_already_is_not_sent_again(api: Api) -> None:
    tag = api.call("GET", "/api/stock", AUDITOR).headers["ETag"]
    assert api.call("GET", "/api/stock", AUDITOR, {"If-None-Match": tag}).status_code == 304
