"""Exports that nobody reads, in a process that has other things to do."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from tests.shop.support.read_side import filled
from tests.support.api import Api, running, token
from tests.support.databases import Databases
from tests.support.wait import until

AUDITOR = token("auditor", "aud")
EXPORT = "/api/audit/export?format=csv"
ORDERS = 6_000
"""Their trail, some 6 MB, is more than what kernels keep of a connection that is not read."""


@pytest.fixture(scope="module")
def api(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with running(filled(databases("projections"), ORDERS), tmp_path_factory.mktemp("api")) as api:
        yield api


def begun(api: Api, connection: socket.socket) -> bytes:
    """The first line of an export's answer, of which no more is read."""
    address = urlsplit(api.url)
    lines = (f"GET {EXPORT} HTTP/1.1", f"Host: {address.netloc}", f"Authorization: Bearer {AUDITOR}", "", "")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(30)
    connection.connect((address.hostname, address.port))
    connection.sendall("\r\n".join(lines).encode())
    return connection.recv(12)


def is_free(api: Api) -> bool:
    with api.call("GET", EXPORT, AUDITOR, stream=True) as answer:
        return answer.status_code == 200


def test_exports_that_are_not_read_leave_the_process_to_others_and_are_let_go(api: Api) -> None:
    with ExitStack() as stack:
        unread = [stack.enter_context(socket.socket()) for _ in range(18)]
        answers = [begun(api, connection) for connection in unread]
        assert answers.count(b"HTTP/1.1 200") == 2
        assert answers.count(b"HTTP/1.1 503") == 16
        refused = api.call("GET", EXPORT, AUDITOR)
        assert (refused.status_code, refused.headers["Content-Type"]) == (503, "application/problem+json")
        assert int(refused.headers["Retry-After"]) > 0
        for path in ("/healthz", "/readyz", "/api/stock", "/api/audit/trail?limit=1"):
            assert api.call("GET", path, AUDITOR).status_code == 200
        assert until(lambda: is_free(api), seconds=60)
