"""A request with an Idempotency-Key takes effect once, however often and from wherever it is sent."""

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
import requests
from psycopg.types.json import Jsonb

from ordersaga.http.idempotency import RequestKey
from ordersaga.http.tokens import Caller
from tests.conftest import AnyServers
from tests.support.api import Api, serving, token
from tests.support.counting import GROUP
from tests.support.counting_api import UNLUCKY, Opening
from tests.support.wait import until

ALICE, BOB = token(subject="alice"), token(subject="bob")
COUNTER: dict[str, Any] = {"number": 1, "note": "tea"}
ONE_COUNTER = {"stored_events": 2, "outbox": 1, "idempotency_keys": 1, "deadlines": 1, "snapshots": 0}


@pytest.fixture(scope="module")
def api(servers: AnyServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with serving(servers, GROUP, tmp_path_factory.mktemp("api")) as api:
        yield api


@pytest.fixture
def key() -> str:
    return str(uuid4())


def open_counter(api: Api, key: str, caller: str = ALICE, **changes: Any) -> requests.Response:
    return api.call("POST", "/counters", caller, {"Idempotency-Key": key}, json={**COUNTER, **changes})


def count_on(api: Api, counter: str, **headers: str) -> requests.Response:
    return api.call("POST", f"{counter}/numbers", ALICE, headers, json={"number": 2})


def added(api: Api, before: dict[str, int]) -> dict[str, int]:
    return {table: rows - before[table] for table, rows in api.count().items()}


def test_a_repeated_request_gets_the_same_answer_to_the_byte(api: Api, key: str) -> None:
    before = api.count()
    first, second = open_counter(api, key), open_counter(api, key)
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert (second.status_code, second.content) == (first.status_code, first.content)
    for header in ("Location", "ETag", "Content-Type", "X-Correlation-Id"):
        assert second.headers[header] == first.headers[header]
    assert added(api, before) == ONE_COUNTER


def test_the_answer_stays_the_first_one_when_the_counter_has_counted_on(api: Api, key: str) -> None:
    first = open_counter(api, key)
    assert count_on(api, first.headers["Location"]).json()["numbers"] == [1, 2]
    assert open_counter(api, key).content == first.content


def test_spaces_and_the_order_of_fields_do_not_make_another_request(api: Api, key: str) -> None:
    first = open_counter(api, key)
    body = json.dumps(dict(reversed(COUNTER.items())), indent=4)
    headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
    assert api.call("POST", "/counters", ALICE, headers, data=body).content == first.content


def test_the_key_of_another_request_is_refused(api: Api, key: str) -> None:
    opened = open_counter(api, key)
    before = api.count()
    refused = open_counter(api, key, note="cup")
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:problem:idempotency-key-reused")
    assert count_on(api, opened.headers["Location"], **{"Idempotency-Key": key}).status_code == 422
    assert added(api, before) == dict.fromkeys(before, 0)


def test_two_callers_may_use_the_same_key(api: Api, key: str) -> None:
    alices, bobs = open_counter(api, key, ALICE).json(), open_counter(api, key, BOB).json()
    assert alices["counter_id"] != bobs["counter_id"]
    assert (alices["caller"], bobs["caller"]) == ("alice", "bob")


def test_many_at_once_with_the_same_key_open_exactly_one_counter(api: Api) -> None:
    keys = [str(uuid4()) for _ in range(10)]
    before = api.count()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda key: (key, open_counter(api, key)), keys * 8))
    assert {answer.status_code for _, answer in answers} <= {202, 409}
    for key in keys:
        opened = {answer.content for each, answer in answers if each == key and answer.status_code == 202}
        assert len(opened) == 1
        assert open_counter(api, key).content in opened
    assert added(api, before) == {table: rows * len(keys) for table, rows in ONE_COUNTER.items()}


def test_while_the_first_request_is_under_way_the_second_is_told_so(api: Api, key: str) -> None:
    before = api.count()
    first = RequestKey("alice", f"customer {key}", b"")
    with api.database.connect() as connection, connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext(%s), hashtext(%s))", (first.caller, first.key))
        refused = open_counter(api, key)
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:problem:request-in-flight")
        assert int(refused.headers["Retry-After"]) > 0
        assert open_counter(api, key, BOB).status_code == 202
    assert open_counter(api, key).status_code == 202
    assert added(api, before) == {table: 2 * rows for table, rows in ONE_COUNTER.items()}


def test_a_first_request_that_commits_unseen_is_replayed_not_repeated(api: Api, key: str) -> None:
    first = RequestKey.of(Caller("alice", "customer"), key, "POST", "/counters", Opening(**COUNTER))
    before = api.count()
    with ThreadPoolExecutor() as pool, psycopg.connect(api.database.url) as connection:
        connection.execute(
            "insert into idempotency_keys values (%s, %s, %s, 202, %s, %s, gen_random_uuid())",
            (first.caller, first.key, first.request_hash, Jsonb({"Location": "/counters/1"}), '"the first answer"'),
        )
        second = pool.submit(open_counter, api, key)
        until(lambda: waiting_for_a_lock(api))
        connection.commit()
        assert (second.result().text, second.result().headers["Location"]) == ('"the first answer"', "/counters/1")
    assert added(api, before) == {**dict.fromkeys(before, 0), "idempotency_keys": 1}


def test_a_request_whose_connection_is_lost_leaves_nothing_and_can_be_sent_again(api: Api, key: str) -> None:
    before = api.count()
    with ThreadPoolExecutor() as pool, psycopg.connect(api.database.owner_url) as owner:
        owner.execute("lock table idempotency_keys in share mode")
        first = pool.submit(open_counter, api, key)
        until(lambda: waiting_for_a_lock(api))
        owner.execute("select pg_terminate_backend(%s)", waiting_for_a_lock(api))
        assert (first.result().status_code, first.result().json()["type"]) == (503, "urn:problem:database-away")
    assert added(api, before) == dict.fromkeys(before, 0)
    assert open_counter(api, key).status_code == 202
    assert added(api, before) == ONE_COUNTER


def test_a_mistake_of_the_service_is_not_kept_as_the_answer(api: Api, key: str) -> None:
    before = api.count()
    with psycopg.connect(api.database.owner_url, autocommit=True) as owner:
        owner.execute("revoke insert on outbox from counting")
        try:
            failed = open_counter(api, key)
        finally:
            owner.execute("grant insert on outbox to counting")
    assert (failed.status_code, failed.json()["type"]) == (500, "urn:problem:internal-error")
    assert "outbox" not in failed.text
    assert failed.json()["trace_id"] in api.log.read_text()
    assert added(api, before) == dict.fromkeys(before, 0)
    assert open_counter(api, key).status_code == 202


def test_a_refused_request_may_be_corrected_under_the_same_key(api: Api, key: str) -> None:
    assert open_counter(api, key, number=-1).status_code == 422
    assert open_counter(api, key, number=UNLUCKY).status_code == 422
    assert open_counter(api, key).status_code == 202


def test_a_command_is_replayed_even_when_its_version_is_outdated_by_itself(api: Api, key: str) -> None:
    counter = open_counter(api, str(uuid4())).headers["Location"]
    headers = {"Idempotency-Key": key, "If-Match": '"2"'}
    first, second = (count_on(api, counter, **headers) for _ in range(2))
    assert (first.status_code, first.json()["version"]) == (200, 3)
    assert (second.status_code, second.content) == (200, first.content)
    assert count_on(api, counter, **{"If-Match": '"2"'}).status_code == 412


def test_commands_that_meet_on_one_aggregate_all_succeed_one_after_the_other(api: Api, key: str) -> None:
    counter = open_counter(api, key).headers["Location"]
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: count_on(api, counter), range(3)))
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert api.call("GET", counter, ALICE).json()["numbers"] == [1, 2, 2, 2]


def waiting_for_a_lock(api: Api) -> list[int]:
    """Process ids of the service's sessions that wait for a lock of a table or a transaction."""
    query = "select pid from pg_stat_activity where datname = %s and usename = %s and wait_event_type = 'Lock'"
    return [pid for (pid,) in api.database.rows(query, [api.database.name, api.database.role])]


def test_two_keys_of_one_request_are_refused_and_not_joined(api: Api) -> None:
    before = api.count()
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=20)
    connection.putrequest("POST", "/counters")
    for name, value in (("Idempotency-Key", "a"), ("idempotency-key", "b"), ("Authorization", f"Bearer {ALICE}")):
        connection.putheader(name, value)
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "12")
    connection.endheaders(b'{"number":1}')
    refused = connection.getresponse()
    assert (refused.status, refused.getheader("Content-Type")) == (400, "application/problem+json")
    assert "Idempotency-Key" in json.loads(refused.read())["detail"]
    assert api.count() == before


def test_one_subject_in_two_roles_has_two_keys(api: Api, key: str) -> None:
    numbers = f"{open_counter(api, str(uuid4())).headers['Location']}/numbers"
    for role in ("customer", "operator", "customer"):
        headers = {"Idempotency-Key": key}
        assert api.call("POST", numbers, token(role, "alice"), headers, json={"number": 2}).status_code == 200
    counter = api.call("GET", numbers.removesuffix("/numbers"), ALICE).json()
    assert counter["numbers"] == [1, 2, 2]
