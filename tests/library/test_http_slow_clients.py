"""What clients that send or read slowly, or never finish, cannot do to an API: hold up others or its health."""

import select
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
import psycopg
import pytest
import requests

from ordersaga.http.app import THREADS
from ordersaga.http.request_worker import MAX_WAITING
from tests.conftest import AnyServers
from tests.support.api import Api, running, token
from tests.support.counting import GROUP
from tests.support.databases import Databases
from tests.support.wait import until

ALICE = token(subject="alice")
HEALTH = ("/healthz", "/readyz", "/metrics")
HALF_SENT = (
    b"GET /count",
    b"GET /healthz HTTP/1.1\r\nHost: here\r\n",
    b"POST /counters HTTP/1.1\r\nHost: here\r\nContent-Length: 99\r\n\r\n{",
    b"POST /counters HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
)
LARGE = b"GET /docs/swagger/js/swagger-ui-bundle.js HTTP/1.1\r\nHost: here\r\n\r\n"
"""1.5 MB; three of them are more than the kernel holds for a client."""
LONG, SHORT = "120", "1"


@pytest.fixture(scope="module")
def databases(servers: AnyServers) -> Iterator[Databases]:
    databases = Databases(servers.postgres)
    yield databases
    databases.drop_clones()


@pytest.fixture(scope="module")
def api(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """It reads a request for so long that no deadline helps in a test."""
    with running(databases(GROUP), tmp_path_factory.mktemp("patient"), HTTP_READ_SECONDS=LONG) as api:
        yield api


def connect(api: Api, sent: bytes = b"", receive_buffer: int = 0) -> socket.socket:
    address = urlsplit(api.url)
    connection = socket.socket()
    connection.settimeout(20)
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.connect((address.hostname, address.port))
    connection.sendall(sent)
    return connection


@contextmanager
def held(api: Api, number: int) -> Iterator[list[socket.socket]]:
    """So many half-sent requests, of every kind."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(connect(api, sent)) for sent, _ in zip(cycle(HALF_SENT), range(number), strict=False)
        ]


def open_counter(api: Api, **headers: str) -> requests.Response:
    return api.call("POST", "/counters", ALICE, {"Idempotency-Key": str(uuid4()), **headers}, json={"number": 1})


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True


def answer_of(connection: socket.socket) -> bytes:
    """All that the server sends until it closes."""
    return b"".join(iter(lambda: connection.recv(4096), b""))


@pytest.mark.parametrize("number", [50, 200])
def test_half_sent_requests_hold_up_neither_requests_nor_health(api: Api, number: int) -> None:
    with held(api, number) as connections:
        assert open_counter(api).status_code == 202
        assert {path: api.call("GET", path).status_code for path in HEALTH} == dict.fromkeys(HEALTH, 200)
        assert all(map(is_open, connections))


def test_health_is_answered_while_requests_have_all_threads(api: Api) -> None:
    blocked = "select 1 from pg_locks where not granted having count(*) = %s"
    with psycopg.connect(api.database.owner_url) as owner, ThreadPoolExecutor(THREADS * 2) as pool:
        owner.execute("lock table stored_events")
        waiting = [pool.submit(open_counter, api) for _ in range(THREADS * 2)]
        until(lambda: owner.execute(blocked, [THREADS]).fetchone())
        assert [api.call("GET", path).status_code for path in ("/healthz", "/metrics")] == [200, 200]
        assert not any(future.done() for future in waiting)
        owner.rollback()
        assert {future.result().status_code for future in waiting} <= {202, 503}


def test_when_as_many_requests_wait_for_a_thread_as_may_the_next_are_put_off_and_the_others_answered(api: Api) -> None:
    blocked, over = "select 1 from pg_locks where not granted having count(*) = %s", 5
    with psycopg.connect(api.database.owner_url) as owner, ExitStack() as stack:
        owner.execute("lock table stored_events")
        waiting = [stack.enter_context(connect(api, opening())) for _ in range(THREADS)]
        until(lambda: owner.execute(blocked, [THREADS]).fetchone())
        waiting += [stack.enter_context(connect(api, opening())) for _ in range(MAX_WAITING + over)]
        until(lambda: len(select.select(waiting, [], [], 0)[0]) >= over)
        refused = select.select(waiting, [], [], 0)[0]
        answers = [connection.recv(4096) for connection in refused]
        assert [answer.split(b"\r\n")[0] for answer in answers] == [b"HTTP/1.1 503 Service Unavailable"] * over
        assert all(b"Retry-After: " in answer for answer in answers)
        owner.rollback()
        served = [connection.recv(12) for connection in waiting if connection not in refused]
        assert served == [b"HTTP/1.1 202"] * (THREADS + MAX_WAITING)
    assert 'http_server_requests_refused_total{reason="service unavailable"} 5.0' in api.call("GET", "/metrics").text


def opening() -> bytes:
    """A complete request."""
    body = b'{"number": 1}'
    head = f"POST /counters HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {ALICE}\r\nIdempotency-Key: {uuid4()}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def test_clients_that_do_not_read_their_response_hold_up_nobody_and_get_it_when_they_do(api: Api) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(api, LARGE * 3, receive_buffer=4096)) for _ in range(THREADS + 2)]
        assert open_counter(api).status_code == 202
        assert {path: api.call("GET", path).status_code for path in HEALTH} == dict.fromkeys(HEALTH, 200)
        for client in clients:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
            answers = answer_of(client).split(b"HTTP/1.1 200 OK\r\n")
            assert [len(answer) > 1_500_000 for answer in answers] == [False, True, True, True, False]
            assert answers[-1].endswith(b'{"alive": true}')


def test_the_oldest_unfinished_requests_make_room_for_new_connections(api: Api) -> None:
    with held(api, 600) as connections:
        assert open_counter(api).status_code == 202
        assert not is_open(connections[0])
        assert is_open(connections[-1])


def test_a_request_has_a_deadline_however_steadily_it_arrives(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with running(databases(GROUP), tmp_path_factory.mktemp("hasty"), HTTP_READ_SECONDS=SHORT) as api:
        for sent in HALF_SENT:
            with connect(api, sent) as connection:
                until(lambda: not drip(connection), every=0.2)
                answer = answer_of(connection)
            assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n"), sent
            assert b'"urn:problem:request-timeout"' in answer
        with connect(api, b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n") as connection:
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK")


def drip(connection: socket.socket) -> bool:
    """Send one more byte; False once the server has answered."""
    connection.setblocking(False)
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        connection.setblocking(True)
        connection.sendall(b"x")
        return True
    connection.setblocking(True)
    return False


def test_an_api_whose_master_is_killed_leaves_the_port_to_the_next_one_though_a_client_keeps_its_connection(
    databases: Databases, tmp_path: Path
) -> None:
    with running(databases(GROUP), tmp_path) as api, requests.Session() as session:
        [worker] = psutil.Process(api.process.pid).children()

        def has_ended() -> bool:
            with suppress(requests.ConnectionError):
                session.get(f"{api.url}/healthz", timeout=5)
            return not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE

        api.process.kill()
        until(has_ended, seconds=20)
