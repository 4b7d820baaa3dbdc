"""What every API of the library promises to those who use it rightly."""

import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from secrets import token_hex
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
import requests

from ordersaga.http.access_log import pseudonym
from ordersaga.http.app import THREADS
from ordersaga.http.waiting import WaitingRoom
from tests.conftest import AnyServers
from tests.support.api import Api, environment, serving, token
from tests.support.counting import GROUP
from tests.support.counting_api import create_app
from tests.support.wait import until

ALICE = token(subject="alice")
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(scope="module")
def api(servers: AnyServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with serving(servers, GROUP, tmp_path_factory.mktemp("api")) as api:
        yield api


def open_counter(api: Api, **headers: str) -> requests.Response:
    return api.call("POST", "/counters", ALICE, {"Idempotency-Key": str(uuid4()), **headers}, json={"number": 1})


def count_on(api: Api, counter: str, **headers: str) -> requests.Response:
    return api.call("POST", f"{counter}/numbers", ALICE, headers, json={"number": 2})


def test_what_the_caller_has_already_is_not_sent_again(api: Api) -> None:
    counter = open_counter(api).headers["Location"]
    tag = api.call("GET", counter, ALICE).headers["ETag"]
    assert tag == '"2"'
    again = api.call("GET", counter, ALICE, {"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    count_on(api, counter)
    assert api.call("GET", counter, ALICE, {"If-None-Match": tag}).headers["ETag"] == '"3"'


def test_a_command_based_on_an_old_version_changes_nothing(api: Api) -> None:
    counter = open_counter(api).headers["Location"]
    for stale in ('"7"', '"nonsense"', '"1", "2"', 'W/"1"', '"' + "9" * 5000 + '"'):
        assert count_on(api, counter, **{"If-Match": stale}).status_code == 412, stale
    assert count_on(api, counter, **{"If-Match": '"7"'}).headers["ETag"] == '"2"'
    assert api.call("GET", counter, ALICE).json()["numbers"] == [1]
    assert count_on(api, counter, **{"If-Match": '"2"'}).headers["ETag"] == '"3"'
    assert count_on(api, counter, **{"If-Match": "*"}).status_code == 200


def test_a_request_that_prefers_to_wait_is_answered_when_there_is_an_end(api: Api) -> None:
    key, correlation = {"Idempotency-Key": str(uuid4())}, str(uuid4())
    with ThreadPoolExecutor() as pool:
        waits = {"Prefer": "respond-async, wait=20", "X-Correlation-Id": correlation}
        waiting = pool.submit(open_counter, api, **key, **waits)
        opened = "select distinct originator_id::text from stored_events where correlation_id = %s"
        [(counter_id,)] = until(lambda: api.database.rows(opened, [correlation]))
        started = time.monotonic()
        count_on(api, f"/counters/{counter_id}")
        answer = waiting.result()
    assert time.monotonic() - started < 2
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "wait=20")
    assert (answer.headers["ETag"], answer.json()["numbers"]) == ('"3"', [1, 2])
    assert "Idempotency-Replayed" not in answer.headers
    repeated = open_counter(api, **key)
    assert (repeated.status_code, repeated.json()["numbers"]) == (202, [1])
    repeated = open_counter(api, **key, Prefer="wait=20")
    assert (repeated.status_code, repeated.json()["numbers"]) == (200, [1, 2])
    assert repeated.headers["Idempotency-Replayed"] == "true"


def test_trace_and_correlation_of_the_request_are_found_in_the_outbox(api: Api) -> None:
    correlation = str(uuid4())
    sent = {"traceparent": TRACE, "tracestate": "vendor=1", "X-Correlation-Id": correlation}
    opened = open_counter(api, **sent)
    assert opened.headers["X-Correlation-Id"] == correlation
    row = "select traceparent, tracestate, correlation_id::text from outbox where key = %s"
    assert api.database.rows(row, [opened.json()["counter_id"]]) == [(TRACE, "vendor=1", correlation)]
    refused = api.call("GET", "/nowhere", headers=sent)
    assert refused.json()["trace_id"] == TRACE.split("-")[1]


def test_each_request_is_logged_with_its_trace_and_without_the_name_of_its_caller(api: Api) -> None:
    trace = token_hex(16)
    opened = open_counter(api, traceparent=f"00-{trace}-{token_hex(8)}-00")
    api.call("GET", f"/no/{trace}", ALICE)
    api.call("GET", "/healthz", ALICE, {"traceparent": TRACE})
    line = until(lambda: [line for line in api.log.read_text().splitlines() if f"trace_id={trace}" in line])[0]
    assert f"method=POST route=/counters status={opened.status_code} duration_ms=" in line
    assert f"role=customer caller={pseudonym('alice')}" in line
    assert "alice" not in line
    assert "/no/" not in api.log.read_text()
    assert "/healthz" not in api.log.read_text()


def test_a_request_without_trace_begins_one(api: Api) -> None:
    opened = open_counter(api, traceparent="nonsense", tracestate="vendor=1")
    row = "select traceparent, tracestate, correlation_id::text from outbox where key = %s"
    [(traceparent, tracestate, correlation)] = api.database.rows(row, [opened.json()["counter_id"]])
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", traceparent)
    assert tracestate == ""
    assert UUID(correlation).version == 7
    assert opened.headers["X-Correlation-Id"] == correlation


def test_more_wait_than_there_are_threads_and_keep_neither_a_transaction_nor_others_waiting(api: Api) -> None:
    correlation, number = str(uuid4()), THREADS + 4
    opened = "select distinct originator_id::text from stored_events where correlation_id = %s"
    with ThreadPoolExecutor(number) as pool:
        waits = {"Prefer": "wait=30", "X-Correlation-Id": correlation}
        waiting = [pool.submit(open_counter, api, **waits) for _ in range(number)]
        until(lambda: len(api.database.rows(opened, [correlation])) == number)
        counters = [f"/counters/{id_}" for (id_,) in api.database.rows(opened, [correlation])]
        open_transactions = "select count(*) from pg_stat_activity where datname = %s and state like 'idle in %%'"
        until(lambda: api.database.rows(open_transactions, [api.database.name]) == [(0,)], seconds=5)
        assert not any(answer.done() for answer in waiting)
        assert {count_on(api, counter).status_code for counter in counters} == {200}
        answers = [answer.result() for answer in waiting]
    assert {(answer.status_code, answer.headers["Preference-Applied"]) for answer in answers} == {(200, "wait=30")}
    assert {answer.headers["X-Correlation-Id"] for answer in answers} == {correlation}
    assert sorted(f"/counters/{answer.json()['counter_id']}" for answer in answers) == sorted(counters)


def test_a_request_behind_one_that_waits_is_answered_after_it(api: Api) -> None:
    correlation, body = str(uuid4()), b'{"number": 1}'
    head = f"Authorization: Bearer {ALICE}\r\nX-Correlation-Id: {correlation}\r\nIdempotency-Key: {uuid4()}\r\n"
    waiting = f"POST /counters HTTP/1.1\r\nHost: here\r\nPrefer: wait=20\r\n{head}Content-Type: application/json\r\n"
    with connected(api) as client:
        client.sendall(f"{waiting}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        client.sendall(f"GET /nowhere HTTP/1.1\r\nHost: here\r\n{head}Connection: close\r\n\r\n".encode())
        opened = "select distinct originator_id::text from stored_events where correlation_id = %s"
        [(counter_id,)] = until(lambda: api.database.rows(opened, [correlation]))
        count_on(api, f"/counters/{counter_id}")
        answers = b"".join(iter(lambda: client.recv(65536), b""))
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200", b"404"]
    assert (b'"numbers":[1,2]' in answers, answers.count(correlation.encode())) == (True, 2)


@contextmanager
def connected(api: Api) -> Iterator[socket.socket]:
    address = urlsplit(api.url)
    with socket.create_connection((address.hostname, address.port), 20) as client:
        yield client


def test_a_wait_without_an_end_is_answered_with_what_was_accepted(api: Api) -> None:
    answer = open_counter(api, Prefer="wait=1")
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "wait=1")
    assert answer.json()["numbers"] == [1]


def test_where_no_worker_suspends_requests_a_thread_waits_and_a_full_room_answers_at_once(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(api.database, 0).items():
        monkeypatch.setenv(name, value)
    app = create_app()
    with app.test_client() as client:
        headers = {"Authorization": f"Bearer {ALICE}", "Prefer": "wait=1"}
        for room, applied in ((WaitingRoom(1), "wait=1"), (WaitingRoom(0), None)):
            app.waiting_room = room
            answer = client.post("/counters", json={"number": 1}, headers={**headers, "Idempotency-Key": str(uuid4())})
            assert (answer.status_code, answer.headers.get("Preference-Applied")) == (202, applied)
    app.watch.close()
    app.doorbell.close()
    app.database.pool.close()


def test_metrics_count_requests_by_route_and_know_no_strangers_paths(api: Api) -> None:
    open_counter(api)
    api.call("GET", f"/{uuid4()}")
    api.call("BREW", "/counters")
    metrics = api.call("GET", "/metrics").text
    assert re.search(r'_count\{method="POST",route="/counters",status="202"\} [1-9]', metrics)
    assert re.search(r'_count\{method="",route="",status="404"\} [1-9]', metrics)
    assert "BREW" not in metrics


def test_the_documentation_asks_nothing_of_another_machine(api: Api) -> None:
    assert api.call("GET", "/openapi.json").json()["openapi"].startswith("3.1")
    page = api.call("GET", "/docs/swagger")
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert "validator.swagger.io" not in page.text
    assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert assets
    assert not any("//" in asset for asset in assets)
    assert {api.call("GET", f"/docs/{asset}").status_code for asset in assets} == {200}
